"""Readiness of workloads: what the controllers observed last, and as many ready replicas as wanted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from lazarus_tui.model.objects import Claim, Meta, Wire, Workload, WorkloadSpec, WorkloadStatus
from lazarus_tui.model.resources import CLAIMS, DAEMONSETS, DEPLOYMENTS, STATEFULSETS, Resource
from lazarus_tui.model.steps import Reader


class _Generation(Meta, frozen=True):
    generation: int = 0


class _Workload(Workload, frozen=True):
    metadata: _Generation = msgspec.field(default_factory=_Generation)
    spec: WorkloadSpec = msgspec.field(default_factory=WorkloadSpec)
    status: WorkloadStatus = msgspec.field(default_factory=WorkloadStatus)


class _DaemonStatus(Wire, frozen=True):
    desired_number_scheduled: int = 0
    number_ready: int = 0
    observed_generation: int = 0


class _Daemon(Wire, frozen=True):
    metadata: _Generation = msgspec.field(default_factory=_Generation)
    status: _DaemonStatus = msgspec.field(default_factory=_DaemonStatus)


@dataclass(frozen=True, slots=True)
class Counted:
    """One workload: replicas that are ready and wanted, and the generations its controller saw and should see."""

    kind: str
    namespace: str
    name: str
    ready: int
    wanted: int
    observed: int
    generation: int

    @property
    def label(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"

    @property
    def behind(self) -> str:
        """What is not ready about it; "" when all of it is."""
        if self.observed < self.generation:
            return f"{self.label} has not been looked at by its controller"
        return f"{self.label} {self.ready}/{self.wanted}" if self.ready < self.wanted else ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """``waiting`` says what is not ready, in words; ``seen`` compares two looks.

    ``unready`` are the workloads among it; ``others`` whether there is something else: a claim, or nothing at all.
    """

    ready: int
    desired: int
    waiting: tuple[str, ...]
    seen: tuple[tuple[str, int, int], ...]
    unready: tuple[Counted, ...] = ()

    @property
    def complete(self) -> bool:
        return not self.waiting

    @property
    def others(self) -> bool:
        return len(self.waiting) > len(self.unready)

    def words(self) -> str:
        return f"{self.ready} of {self.desired} replicas ready" + (
            f"; {'; '.join(self.waiting[:3])}" if self.waiting else ""
        )


async def look(reader: Reader, namespaces: Iterable[str]) -> Readiness:
    """StatefulSets, Deployments, DaemonSets and claims of the namespaces. A namespace without workloads is not ready,
    and a DaemonSet that no node takes is none."""
    found: list[Counted] = []
    waiting: list[str] = []
    for namespace in namespaces:
        here = [one for kind in (STATEFULSETS, DEPLOYMENTS) for one in await _scaled(reader, kind, namespace)]
        here += await _daemons(reader, namespace)
        if not here:
            waiting.append(f"namespace {namespace} has no workloads")
        for claim in await reader.list(CLAIMS, namespace, type=Claim):
            if claim.status.phase != "Bound":
                waiting.append(f"claim {namespace}/{claim.metadata.name} is {claim.status.phase or 'Pending'}")
        found += here
    unready = tuple(one for one in found if one.behind)
    return Readiness(
        ready=sum(min(one.ready, one.wanted) for one in found),
        desired=sum(one.wanted for one in found),
        waiting=(*(one.behind for one in unready), *waiting),
        seen=tuple(sorted((one.label, one.ready, one.observed) for one in found)),
        unready=unready,
    )


async def _scaled(reader: Reader, kind: Resource, namespace: str) -> list[Counted]:
    return [
        Counted(
            kind.kind, namespace, one.metadata.name, one.status.ready_replicas, one.desired,
            one.status.observed_generation, one.metadata.generation,
        )
        for one in await reader.list(kind, namespace, type=_Workload)
    ]  # fmt: skip


async def _daemons(reader: Reader, namespace: str) -> list[Counted]:
    """Wanted are as many as there are nodes for it, once its controller has looked."""
    found = []
    for one in await reader.list(DAEMONSETS, namespace, type=_Daemon):
        status, generation = one.status, one.metadata.generation
        if status.desired_number_scheduled or status.observed_generation < generation:
            found.append(
                Counted(
                    DAEMONSETS.kind, namespace, one.metadata.name, status.number_ready,
                    status.desired_number_scheduled, status.observed_generation, generation,
                )
            )  # fmt: skip
    return found
