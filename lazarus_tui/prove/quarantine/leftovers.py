"""What is still there of a quarantine after it was cleaned, wherever in the cluster it lies."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.labels import RESTORE_NAME_LABEL, label_value
from lazarus_tui.model.resources import (
    CLAIMS,
    CONFIGMAPS,
    CRDS,
    DOWNLOAD_REQUESTS,
    NAMESPACES,
    RESTORES,
    STORAGECLASSES,
    VOLUMES,
    Resource,
)
from lazarus_tui.model.snapshots import CONTENTS
from lazarus_tui.model.steps import StepContext
from lazarus_tui.prove.quarantine import census, custom
from lazarus_tui.prove.quarantine.names import OPERATION, Quarantine
from lazarus_tui.prove.quarantine.sweep import held_by

Object = dict[str, Any]
Things = list[tuple[Resource, Object]]
T = TypeVar("T")

_RIGHTS, _HOOKS = "rbac.authorization.k8s.io", "admissionregistration.k8s.io"
# Cluster-scoped kinds that a restore may have brought along although it must not: told, never deleted (S12).
_WIDE = (
    Resource(_RIGHTS, "v1", "clusterroles", "ClusterRole", namespaced=False),
    Resource(_RIGHTS, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    Resource(_HOOKS, "v1", "mutatingwebhookconfigurations", "MutatingWebhookConfiguration", namespaced=False),
    Resource(_HOOKS, "v1", "validatingwebhookconfigurations", "ValidatingWebhookConfiguration", namespaced=False),
    Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False),
    Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False),
    STORAGECLASSES,
    CRDS,
)


@dataclass(frozen=True, slots=True)
class Left:
    """``found``: what is there, as plain data. ``unseen``: {kind, resource, why} of kinds nobody could look at, so that
    nothing is known of them; ``handles``: the point's snapshots that are listed, None when they may not be."""

    found: list[Object]
    unseen: list[dict[str, str]]
    handles: list[str] | None


async def leftovers(context: StepContext, wanted: Quarantine) -> Left:
    """Everything that is left, wherever it lies. Raises ``KubeError`` where the API itself does not answer."""
    return await _Look(context, wanted).left()


class _Look:
    """One look at the cluster; a kind that may not be listed is written down and keeps nobody from the others."""

    def __init__(self, context: StepContext, wanted: Quarantine) -> None:
        self.context, self.wanted, self.reader = context, wanted, context.reader
        self.unseen: dict[Resource, str] = {}

    async def left(self) -> Left:
        wanted, reader = self.wanted, self.reader
        space = await census.namespace(reader, wanted)
        claims = await self._seen(CLAIMS, census.claims(reader, wanted)) if space is not None else {}
        volumes = await self._seen(VOLUMES, census.volumes(reader, wanted, claims or {}, space))
        contents = await self._seen(CONTENTS, census.contents(reader, wanted, space=space is not None))
        restores = await self._seen(RESTORES, census.restores(reader, wanted))
        found: Things = [(NAMESPACES, space)] if space is not None else []
        found += [(VOLUMES, one) for one in (volumes[0] if volumes else ())] + [
            (CONTENTS, one) for one in contents or ()
        ]
        found += [(RESTORES, one) for one in restores or ()] + await self._papers()
        found += await self._seen(VOLUMES, self._others({one["metadata"]["uid"] for _, one in found})) or []
        found += await self._wide()
        told = [*(_told(self.context, wanted, *one) for one in found), *await self._custom(), *self._storage()]
        handles = await self._seen(CONTENTS, census.handles(reader, wanted))
        unseen = [{"kind": kind.kind, "resource": kind.group_resource, "why": why} for kind, why in self.unseen.items()]
        return Left(told, unseen, handles)

    async def _seen(self, kind: Resource, found: Awaitable[T]) -> T | None:
        """None when nobody may look."""
        try:
            return await found
        except Forbidden as error:
            self.unseen.setdefault(kind, f"missing right: list {kind.group_resource} ({error.message})")
        return None

    async def _papers(self) -> Things:
        papers: Things = []
        for kind in (CONFIGMAPS, DOWNLOAD_REQUESTS):
            papers += [
                (kind, one) for one in await self._seen(kind, census.papers(self.reader, self.wanted, kind)) or ()
            ]
        return papers

    async def _others(self, known: set[str]) -> Things:
        """Volumes with the operation's label, whatever they are bound to now, and those its claims were bound to."""
        found = await census.listed(self.reader, VOLUMES, None, f"{OPERATION}={self.wanted.op}")
        found = [one for one in found if one["metadata"]["uid"] not in known]
        strange = await census.strangers(self.reader, self.wanted, {*known, *(one["metadata"]["uid"] for one in found)})
        return [(VOLUMES, one) for one in (*found, *strange)]

    async def _wide(self) -> Things:
        found: Things = []
        selector = f"{RESTORE_NAME_LABEL} in ({','.join(map(label_value, self.wanted.runs))})"
        for kind in _WIDE if self.wanted.runs else ():
            there = await self._seen(kind, census.listed(self.reader, kind, None, selector))
            found += [(kind, one) for one in there or ()]
        return found

    async def _custom(self) -> list[Object]:
        """Custom resources of the whole cluster that the restore made."""
        seen = await custom.known(self.context, self.wanted, space=False)
        for kind, why in seen.unknown.items():
            if kind.allowed and not kind.resource.namespaced:
                self.unseen[kind.resource] = why
        return [
            _told(self.context, self.wanted, resource, one)
            | ({} if custom.harmless(kind, one) else {"why": custom.advice(kind, one)})
            for kind, resource, one in seen.found
        ]

    def _storage(self) -> list[Object]:
        """What its object told of, when there was one."""
        return [
            {"kind": one["kind"], "name": one["name"], "namespace": "", "owner": self.wanted.op, "age": 0.0,
             "going": False, "why": f"no object tells of it any more; it was {one['of']}"}
            for one in self.context.facts.get("prove.storage") or ()
        ]  # fmt: skip


def _told(context: StepContext, wanted: Quarantine, resource: Resource, found: Object) -> Object:
    meta, why = found["metadata"], held_by(found)
    notes = (context.facts.get("prove.clean") or {}).get("notes") or ()
    if resource is NAMESPACES and notes and not meta.get("deletionTimestamp"):
        why = f"{why}: {'; '.join(notes)}"
    made = meta.get("creationTimestamp")
    age = (context.clock.now() - parse_rfc3339(made)).total_seconds() if made else 0.0
    return {
        "kind": resource.kind, "name": meta["name"], "namespace": meta.get("namespace", ""), "owner": wanted.op,
        "age": round(max(0.0, age), 1), "why": why,
        "going": bool(meta.get("deletionTimestamp")),
    }  # fmt: skip
