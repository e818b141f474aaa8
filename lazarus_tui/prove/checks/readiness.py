"""Readiness of workloads: what the controllers observed last, and as many ready replicas as wanted; and of pods by
themselves, which no controller speaks for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.objects import Claim, Meta, Wire, Workload, WorkloadSpec, WorkloadStatus
from lazarus_tui.model.resources import CLAIMS, DAEMONSETS, DEPLOYMENTS, PODS, STATEFULSETS, Resource
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


class _Condition(Wire, frozen=True):
    type: str = ""
    status: str = ""


class _PodStatus(Wire, frozen=True):
    phase: str = ""
    conditions: list[_Condition] | None = None


class _Pod(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)
    status: _PodStatus = msgspec.field(default_factory=_PodStatus)

    @property
    def well(self) -> bool:
        """Ready, or done with its work."""
        ready = any(one.type == "Ready" and one.status == "True" for one in self.status.conditions or ())
        return ready or self.status.phase == "Succeeded"


@dataclass(frozen=True, slots=True)
class Counted:
    """One workload, or a pod by itself: replicas that are ready and wanted, and the generations its controller saw and
    should see."""

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


# Names of pods by namespace.
Alone = Mapping[str, Collection[str]]


@dataclass(frozen=True, slots=True)
class Readiness:
    """``ready`` and ``desired`` count replicas, ``alone`` pods by themselves that are well and that there should be;
    ``waiting`` says what is not ready, in words; ``seen`` compares two looks.

    ``unready`` are the workloads among it; ``others`` whether there is something else: a claim, a pod that is not
    there, or nothing at all.
    """

    ready: int
    desired: int
    waiting: tuple[str, ...]
    seen: tuple[tuple[str, int, int], ...]
    unready: tuple[Counted, ...] = ()
    alone: tuple[int, int] = (0, 0)

    @property
    def complete(self) -> bool:
        return not self.waiting

    @property
    def others(self) -> bool:
        return len(self.waiting) > len(self.unready)

    def words(self) -> str:
        counts = f"{self.ready} of {self.desired} replicas ready"
        if self.alone[1]:
            counts += f", {self.alone[0]} of {how_many(self.alone[1], 'pod')} without a workload"
        return "; ".join([counts, *self.waiting[:3]])


async def look(reader: Reader, namespaces: Iterable[str], alone: Alone | None = None) -> Readiness:
    """StatefulSets, Deployments, DaemonSets and claims of the namespaces, and the pods that are named. A namespace
    without workloads is not ready, and a DaemonSet that no node takes is none."""
    found: list[Counted] = []
    pods: list[Counted] = []
    waiting: list[str] = []
    for namespace in namespaces:
        here = [one for kind in (STATEFULSETS, DEPLOYMENTS) for one in await _scaled(reader, kind, namespace)]
        here += await _daemons(reader, namespace)
        if not here:
            waiting.append(f"namespace {namespace} has no workloads")
        for claim in await reader.list(CLAIMS, namespace, type=Claim):
            if claim.status.phase != "Bound":
                waiting.append(f"claim {namespace}/{claim.metadata.name} is {claim.status.phase or 'Pending'}")
        for name, well in (await standing(reader, namespace, (alone or {}).get(namespace, ()))).items():
            if well is None:
                waiting.append(f"pod {namespace}/{name} is not there")
            else:
                pods.append(Counted(PODS.kind, namespace, name, int(well), 1, 0, 0))
        found += here
    unready = tuple(one for one in (*found, *pods) if one.behind)
    return Readiness(
        ready=sum(min(one.ready, one.wanted) for one in found),
        desired=sum(one.wanted for one in found),
        waiting=(*(one.behind for one in unready), *waiting),
        seen=tuple(sorted((one.label, one.ready, one.observed) for one in (*found, *pods))),
        unready=unready,
        alone=(sum(one.ready for one in pods), sum(map(len, (alone or {}).values()))),
    )


async def standing(reader: Reader, namespace: str, names: Collection[str]) -> dict[str, bool | None]:
    """Of pods that nothing would make again whether each is ready or has done its work; None: it is not there."""
    there = {one.metadata.name: one for one in await reader.list(PODS, namespace, type=_Pod)} if names else {}
    return {name: there[name].well if name in there else None for name in sorted(names)}


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
