"""What checks read of a cluster's objects, field by field; the rest of each is never decoded."""

from __future__ import annotations

from typing import Any

import msgspec

from lazarus_tui.model.objects import LabelSelector, Meta, Wire

_DISRUPTIONS = ("Evicted", "Preempting", "NodeShutdown", "NodeLost", "Terminated")


class Condition(Wire, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""


class Port(Wire, frozen=True):
    """Of a service, a slice, or a container."""

    name: str = ""
    port: int = 0
    container_port: int = 0


# --- pods


class Container(Wire, frozen=True):
    name: str = ""
    ports: list[Port] | None = None
    env: list[dict[str, Any]] | None = None
    env_from: list[dict[str, Any]] | None = None


class PodSpec(Wire, frozen=True):
    containers: list[Container] | None = None


class Terminated(Wire, frozen=True):
    exit_code: int = 0
    message: str = ""


class State(Wire, frozen=True):
    terminated: Terminated | None = None
    waiting: dict[str, Any] | None = None


class ContainerStatus(Wire, frozen=True):
    name: str = ""
    state: State = msgspec.field(default_factory=State)


class PodStatus(Wire, frozen=True):
    phase: str = ""
    reason: str = ""
    conditions: list[Condition] | None = None
    container_statuses: list[ContainerStatus] | None = None


class SeenPod(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus = msgspec.field(default_factory=PodStatus)

    @property
    def ready(self) -> bool:
        told = {one.type: one.status for one in self.status.conditions or ()}
        return self.status.phase == "Running" and told.get("Ready") == "True" and not self.metadata.deletion_timestamp

    @property
    def disrupted(self) -> str:
        """Why the cluster ended it (preemption, eviction, a node that went), "" if it did not: DisruptionTarget from
        Kubernetes 1.26 on, a reason before that."""
        told = next((one for one in self.status.conditions or () if one.type == "DisruptionTarget"), None)
        if told is not None and told.status == "True":
            return told.reason or told.type
        return self.status.reason if self.status.reason in _DISRUPTIONS else ""


# --- what makes pods


class WorkloadSpec(Wire, frozen=True):
    selector: LabelSelector = msgspec.field(default_factory=LabelSelector)


class SeenWorkload(Wire, frozen=True):
    spec: WorkloadSpec = msgspec.field(default_factory=WorkloadSpec)


class JobSpec(Wire, frozen=True):
    suspend: bool | None = None
    completions: int | None = None


class JobStatus(Wire, frozen=True):
    conditions: list[Condition] | None = None
    succeeded: int = 0
    failed: int = 0


class SeenJob(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: JobSpec = msgspec.field(default_factory=JobSpec)
    status: JobStatus = msgspec.field(default_factory=JobStatus)


# --- ways to pods


class ServiceSpec(Wire, frozen=True):
    type: str = ""
    ports: list[Port] | None = None


class SeenService(Wire, frozen=True):
    spec: ServiceSpec = msgspec.field(default_factory=ServiceSpec)


class Ref(Wire, frozen=True):
    kind: str = ""
    name: str = ""
    namespace: str = ""


class Conditions(Wire, frozen=True):
    """Of an endpoint."""

    ready: bool | None = None


class Endpoint(Wire, frozen=True):
    conditions: Conditions = msgspec.field(default_factory=Conditions)
    target_ref: Ref | None = None


class Slice(Wire, frozen=True):
    endpoints: list[Endpoint] | None = None
    ports: list[Port] | None = None
