"""What a recovery point holds of one namespace, whatever kind of point it is, and where points come from.

Rules, plans and comparisons speak of ``Contents`` only, so that a new kind of point needs one ``Source`` only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lazarus_tui.model.topics import PointView
from lazarus_tui.model.volumes import Held

FILE_COPY = "PodVolumeBackup"  # Velero fills such a volume in a pod that it starts itself
NATIVE = "NativeSnapshot"  # its PersistentVolume is restored from the backup, not made anew


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a point. ``resource`` is ``plural[.group]``; ``namespace`` is "" for a cluster-scoped one."""

    resource: str
    namespace: str
    name: str
    body: Mapping[str, Any] = field(hash=False)

    @property
    def plural(self) -> str:
        return self.resource.partition(".")[0]

    @property
    def group(self) -> str:
        return self.resource.partition(".")[2]

    @property
    def kind(self) -> str:
        return str(self.body.get("kind") or "")

    @property
    def ref(self) -> str:
        """``apps/v1/StatefulSet/orders``."""
        return f"{self.body.get('apiVersion') or 'v1'}/{self.kind}/{self.name}"

    @property
    def meta(self) -> Mapping[str, Any]:
        found = self.body.get("metadata")
        return found if isinstance(found, Mapping) else {}

    @property
    def spec(self) -> Mapping[str, Any]:
        found = self.body.get("spec")
        return found if isinstance(found, Mapping) else {}

    def marks(self, where: str) -> Mapping[str, str]:
        """``labels`` or ``annotations``."""
        found = self.meta.get(where)
        return found if isinstance(found, Mapping) else {}

    @property
    def owner(self) -> tuple[str, str]:
        """Kind and name of its controller, ("", "") without one."""
        for one in self.meta.get("ownerReferences") or ():
            if one.get("controller") or len(self.meta["ownerReferences"]) == 1:
                return str(one.get("kind") or ""), str(one.get("name") or "")
        return "", ""


@dataclass(frozen=True, slots=True)
class PointVolume:
    """One claim of a point. ``size`` in bytes, None if not recorded; ``handle`` of the copy on storage; ``frozen_at``:
    when its bytes were fixed (RFC 3339), "" if not recorded."""

    claim: str
    held: Held
    reason: str = ""
    size: int | None = None
    method: str = ""
    handle: str = ""
    frozen_at: str = ""
    reclaim_policy: str = ""
    volume: str = ""  # the PersistentVolume it was on

    @property
    def by_files(self) -> bool:
        return self.held is Held.CAPTURED and self.method.startswith((FILE_COPY, "volume copy"))


@dataclass(frozen=True, slots=True)
class Contents:
    """The objects of ``namespace`` in a point, the cluster-scoped ones that came along, and its volumes.

    ``digest``: SHA-256 over all of it, so that a later look can tell whether it is still the same. ``filled_pods``:
    pods whose volumes are filled before they start, so that the restore itself must start them.
    """

    kind: str  # of the source: velero, snapshots
    point: str
    namespace: str
    items: tuple[Item, ...]
    cluster: tuple[Item, ...] = ()
    volumes: tuple[PointVolume, ...] = ()
    filled_pods: frozenset[str] = frozenset()
    digest: str = ""
    start: str = ""
    expires: str = ""
    warnings: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()  # what the point's own list names and its objects are without
    unlisted: str = ""  # why that list is not known

    def of(self, *resources: str) -> list[Item]:
        return [item for item in self.items if item.resource in resources]


class Source(Protocol):
    """One kind of recovery points. Errors: ``PlanRefused`` in the words of that kind."""

    kind: str

    async def points(self, namespace: str, workload: str, *, sure: int) -> Sequence[PointView]:
        """Newest first. ``sure``: fetch what is needed until so many are known to be usable."""
        ...

    async def contents(self, point: str, namespace: str, workload: str) -> Contents: ...
