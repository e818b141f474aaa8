"""Readiness of workloads: what the controllers observed last, and as many ready replicas as wanted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from lazarus_tui.model.objects import Claim, Meta, Workload, WorkloadSpec, WorkloadStatus
from lazarus_tui.model.resources import CLAIMS, DEPLOYMENTS, STATEFULSETS
from lazarus_tui.model.steps import Reader


class _Generation(Meta, frozen=True):
    generation: int = 0


class _Workload(Workload, frozen=True):
    metadata: _Generation = msgspec.field(default_factory=_Generation)
    spec: WorkloadSpec = msgspec.field(default_factory=WorkloadSpec)
    status: WorkloadStatus = msgspec.field(default_factory=WorkloadStatus)


@dataclass(frozen=True, slots=True)
class Readiness:
    """``waiting`` says what is not ready, in words; ``seen`` compares two looks."""

    ready: int
    desired: int
    waiting: tuple[str, ...]
    seen: tuple[tuple[str, int, int], ...]

    @property
    def complete(self) -> bool:
        return not self.waiting

    def words(self) -> str:
        return f"{self.ready} of {self.desired} replicas ready" + (
            f"; {'; '.join(self.waiting[:3])}" if self.waiting else ""
        )


async def look(reader: Reader, namespaces: Iterable[str]) -> Readiness:
    """StatefulSets, Deployments and claims of the namespaces. A namespace without workloads is not ready."""
    ready, desired = 0, 0
    waiting: list[str] = []
    seen: list[tuple[str, int, int]] = []
    for namespace in namespaces:
        found = 0
        for resource in (STATEFULSETS, DEPLOYMENTS):
            for workload in await reader.list(resource, namespace, type=_Workload):
                found += 1
                label = f"{resource.kind} {namespace}/{workload.metadata.name}"
                status, wanted = workload.status, workload.desired
                observed = status.observed_generation
                ready, desired = ready + min(status.ready_replicas, wanted), desired + wanted
                seen.append((label, status.ready_replicas, observed))
                if observed < workload.metadata.generation:
                    waiting.append(f"{label} has not been looked at by its controller")
                elif status.ready_replicas < wanted:
                    waiting.append(f"{label} {status.ready_replicas}/{wanted}")
        if not found:
            waiting.append(f"namespace {namespace} has no workloads")
        for claim in await reader.list(CLAIMS, namespace, type=Claim):
            if claim.status.phase != "Bound":
                waiting.append(f"claim {namespace}/{claim.metadata.name} is {claim.status.phase or 'Pending'}")
    return Readiness(ready, desired, tuple(waiting), tuple(sorted(seen)))
