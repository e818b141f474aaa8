"""ResourceQuotas: what their namespaces have used, written where everybody can read it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import Resource
from lazarus_tui.sandbox.api.amounts import Amount
from lazarus_tui.sandbox.api.demands import amounts
from lazarus_tui.sandbox.api.quota import QUOTAS, kinds_of, used
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

# Time alone frees quota too: a pod that should be gone counts no more. Upstream looks again every 5 minutes.
_RESYNC_SECONDS = 300.0


class QuotaController(Controller):
    """Keeps ``status.hard`` and ``status.used``. ``kinds`` answers all kinds served now, custom ones included."""

    name = "resource-quota"
    watches: ClassVar[Sequence[Resource]] = (QUOTAS,)
    hears_all: ClassVar[bool] = True

    def __init__(self, api: LocalApi, clock: Clock, kinds: Callable[[], Iterable[Resource]]) -> None:
        super().__init__(api, clock)
        self._kinds = kinds

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == QUOTAS:
            return (key_of(obj),)
        namespace = obj["metadata"].get("namespace")
        return [key_of(quota) for quota in self.api.list(QUOTAS, namespace)] if namespace else ()

    async def reconcile(self, key: Key) -> float | None:
        quota = self.api.get(QUOTAS, key[1], key[0])
        if quota is None:
            return None
        hard = (quota.get("spec") or {}).get("hard") or {}
        limited = {name: str(value) for name, value in amounts(hard).items()}
        counted = kinds_of(limited, [kind.group_resource for kind in self._kinds() if kind.namespaced])
        total = used(quota, self.api.store, dict.fromkeys(counted.values()), self.clock.now(), counted)
        status = {"hard": limited, "used": {name: str(total.get(name, Amount())) for name in counted}}
        if quota.get("status") != status:
            self.api.update_status(QUOTAS, {**quota, "status": status})
        return _RESYNC_SECONDS
