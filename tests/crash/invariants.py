"""What must hold after every crash, whoever goes on: judged by the cluster and its bytes, not by what Lazarus says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from lazarus_tui.journal import Event
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.resources import CLAIMS, CONFIGMAPS, VOLUMES
from lazarus_tui.model.snapshots import SNAPSHOTS
from lazarus_tui.snapshots.names import OP, ORIGINAL_REPLICAS, annotation, capsule_name
from tests.engine.world import Sent
from tests.snapshots.stage import SPACE, Stage

VERBS = {"POST": ("create",), "PATCH": ("merge-patch", "json-patch"), "DELETE": ("delete",), "PUT": ()}


class Fenced(Protocol):
    """A write with the fence its engine had."""

    @property
    def engine(self) -> str: ...

    @property
    def fence(self) -> int: ...

    @property
    def what(self) -> str: ...


class Watcher:
    """Sees every claim that is made, and by whom: an empty one for the restored set would be the worst of all ends."""

    def __init__(self, stage: Stage) -> None:
        self.blank: list[str] = []
        self._replicas = int(stage.workload()["spec"]["replicas"])
        self.volumes = {claim: stage.claim(claim)["spec"]["volumeName"] for claim in stage.data()}
        self.handles = stage.handles()
        self._stop = stage.api.subscribe(self._seen)

    def _seen(self, kind: str, resource: Any, found: dict[str, Any], old: dict[str, Any] | None) -> None:
        if kind != "ADDED" or resource.plural != CLAIMS.plural or found["metadata"].get("namespace") != SPACE:
            return
        spec = found["spec"]
        if not spec.get("dataSourceRef") and not spec.get("dataSource") and not spec.get("volumeName"):
            self.blank.append(found["metadata"]["name"])

    def close(self) -> None:
        self._stop()

    def always(self, stage: Stage) -> Iterator[str]:
        """At every moment, also right after a crash."""
        if self.blank:
            yield f"I6 empty claims were made: {self.blank}"
        lost = self.handles - stage.handles()
        if lost:
            yield f"I1 volumes lost: {sorted(lost)}"
        workload = stage.workload()
        wanted = workload["spec"].get("replicas")
        op = annotation(workload, OP)
        if wanted != self._replicas and not op:
            yield f"I2 silent: {wanted} replicas instead of {self._replicas}, and no beacon"
        if op and annotation(workload, ORIGINAL_REPLICAS) != str(self._replicas):
            yield "I2 the beacon does not know the replicas"
        if op and stage.get(CONFIGMAPS, capsule_name(op)) is None:
            yield f"I2 a beacon of {op} without its capsule"

    def at_the_end(self, stage: Stage, done: Operation) -> Iterator[str]:
        """When the operation has ended: the report says what the cluster shows."""
        yield from self.always(stage)
        workload, ops = stage.workload(), {done.id[:8]}
        if annotation(workload, OP):
            yield "I2 the beacon is still on"
        if workload["spec"].get("replicas") != self._replicas:
            yield f"I2 it ended with {workload['spec'].get('replicas')} replicas"
        for resource in (SNAPSHOTS, CONFIGMAPS, CLAIMS):
            for found in stage.api.list(resource, SPACE):
                owner = (found["metadata"].get("labels") or {}).get(OP)
                if owner and owner not in ops:
                    yield f"I3 {resource.plural} {found['metadata']['name']} belongs to no operation"
        now = {claim: stage.claim(claim)["spec"].get("volumeName") for claim in self.volumes}
        if done.state is OpState.UNDONE and now != self.volumes:
            yield f"I9 undone, but the claims are on {now}"
        marked = [v["metadata"]["name"] for v in stage.api.list(VOLUMES) if annotation(v, OP)]
        if done.state is OpState.UNDONE and marked:
            yield f"I9 undone, but volumes are still marked: {marked}"


def unintended(sent: list[Sent], events: list[Event]) -> Iterator[str]:
    """I4: writes that arrived without an earlier durable intent; a review asks, and changes nothing."""
    intents = [event for event in events if event.kind == "gate.intent"]
    for one in sent:
        if "lazarus" not in one.agent or "reviews" in one.path:
            continue
        name = one.path.removesuffix("/scale").rpartition("/")[2]
        fits = any(
            intent.seq <= one.seq
            and intent.body["verb"] in VERBS[one.method]
            and (one.method == "POST" or intent.body["name"] == name)
            for intent in intents
        )
        if not fits:
            yield f"I4 {one.method} {one.path} without an intent"


def stale(log: Sequence[Fenced]) -> Iterator[str]:
    """I5: writes by a lower fence after a higher one, in the order they were sent."""
    highest = -1
    for one in log:
        if one.fence < highest:
            yield f"I5 {one.engine} sent {one.what} with fence {one.fence}, after one with {highest}"
        highest = max(highest, one.fence)
