"""What must not run is stopped whole: workloads of every kind, what starts pods by itself, and pods of nobody."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.resources import (
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    JOBS,
    PODS,
    REPLICASETS,
    REPLICATION_CONTROLLERS,
    STATEFULSETS,
)
from lazarus_tui.model.steps import Halted, Outcome, Seen, StepStopped
from lazarus_tui.prove.proof import halting
from lazarus_tui.prove.proof.identity import IDENTITY, Identity
from lazarus_tui.prove.quarantine.names import OPERATION
from lazarus_tui.prove.rules.podspecs import PARK
from tests.velero.lab import OP, Lab, World

Q = "lazarus-q-01234567"


def by(owner: Any) -> dict[str, Any]:
    reference = {"kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}
    return {"ownerReferences": [{**reference, "controller": True}]}


@pytest.fixture
def lab() -> Lab:
    """One of everything that can run or start pods, and what needs no stopping."""
    world = World()
    deployment = world.put(DEPLOYMENTS, "web", Q, spec={"replicas": 2})
    owned = world.put(REPLICASETS, "web-1", Q, spec={"replicas": 2}, metadata=by(deployment))
    world.put(PODS, "web-1-a", Q, spec={}, metadata=by(owned))
    world.put(STATEFULSETS, "db", Q, spec={})
    world.put(DAEMONSETS, "agent", Q, spec={"template": {"spec": {}}})
    world.put(REPLICASETS, "rollout-1", Q, spec={"replicas": 1},
              metadata=by({"kind": "Rollout", "metadata": {"name": "rollout", "uid": "r"}}))  # fmt: skip
    world.put(REPLICATION_CONTROLLERS, "old", Q, spec={"replicas": 3})
    world.put(CRONJOBS, "invoices", Q, spec={"suspend": False})
    world.put(CRONJOBS, "suspended", Q, spec={"suspend": True})
    world.put(JOBS, "migrate", Q, spec={})
    world.put(JOBS, "done", Q, spec={}, status={"conditions": [{"type": "Complete", "status": "True"}]})
    world.put(PODS, "bare", Q, spec={}, status={"phase": "Running"})
    world.put(PODS, "of-an-operator", Q, spec={}, metadata=by({"kind": "X", "metadata": {"name": "x", "uid": "x"}}))
    world.put(PODS, "over", Q, spec={}, status={"phase": "Succeeded"})
    world.put(PODS, "lazarus-probe-dialer", Q, spec={}, metadata={"labels": {OPERATION: OP}})
    world.put(PODS, "elsewhere", "shop", spec={})
    return Lab(world)


STOPPED = {
    "web": {"spec": {"replicas": 0}}, "db": {"spec": {"replicas": 0}}, "rollout-1": {"spec": {"replicas": 0}},
    "old": {"spec": {"replicas": 0}}, "invoices": {"spec": {"suspend": True}}, "migrate": {"spec": {"suspend": True}},
    "agent": {"spec": {"template": {"spec": {"nodeSelector": {PARK: "true"}}}}}, "bare": None, "of-an-operator": None,
}  # fmt: skip


async def test_everything_that_runs_or_starts_pods_is_stopped_by_uid(lab: Lab) -> None:
    uids = {name: one["metadata"]["uid"] for (_, space, name), one in lab.world.objects.items() if space == Q}
    await halting.stop(lab, Q)
    assert {one.name: one.body for one in lab.world.writes} == STOPPED
    assert all(one.uid == uids[one.name] for one in lab.world.writes)
    assert all(one.verb == "delete" for one in lab.world.writes if one.resource == PODS)
    assert await halting.alive(lab, Q) == []
    assert lab.world.at(PODS, "lazarus-probe-dialer", Q)
    assert lab.world.at(PODS, "elsewhere", "shop")


async def test_pods_of_a_set_at_zero_that_wait_for_each_other_are_deleted() -> None:
    """A closed network lets no replica become ready; then the set's controller takes none of several away."""
    world = World()
    found = {name: world.put(STATEFULSETS, name, Q, spec={"replicas": 0}) for name in ("db", "one", "well")}
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    for name, status in (("db-0", {}), ("db-1", {}), ("one-0", {}), ("well-0", ready), ("well-1", ready)):
        owner = by(found[name.partition("-")[0]])
        world.put(PODS, name, Q, spec={}, metadata=owner, status={"phase": "Running", **status})
    await halting.stop(Lab(world), Q)  # type: ignore[arg-type]
    assert [(one.verb, one.name) for one in world.writes] == [("delete", "db-0"), ("delete", "db-1")]
    assert all(one.uid for one in world.writes)


async def test_one_that_may_not_be_stopped_keeps_nobody_from_stopping_the_rest(lab: Lab) -> None:
    lab.world.outcomes = [Outcome.FORBIDDEN]
    with pytest.raises(StepStopped, match="merge-patch cronjobs/invoices was refused"):
        await halting.stop(lab, Q)
    assert {one.name for one in lab.world.writes} == set(STOPPED)


async def test_a_closed_gate_ends_it_at_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    async def closed(write: Any) -> Any:
        raise Halted("stopped on request")

    monkeypatch.setattr(lab.world, "write", closed)
    with pytest.raises(Halted):
        await halting.stop(lab, Q)


async def test_pods_of_a_kind_that_may_not_be_listed_are_found_by_themselves(lab: Lab) -> None:
    whole = lab.world.list

    async def guarded(resource: Any, *args: Any, **more: Any) -> Any:
        if resource in (REPLICASETS, REPLICATION_CONTROLLERS):
            raise Forbidden("no", status=403)
        return await whole(resource, *args, **more)

    lab.world.list = guarded  # type: ignore[method-assign]
    assert "web-1-a" in {one["metadata"]["name"] for _, one in await halting.alive(lab, Q)}


async def test_a_copy_on_a_live_volume_is_not_only_scaled(lab: Lab) -> None:
    lab.facts[IDENTITY] = {"same": ["claim data is csi:d:1"], "compared": 1, "unbound": [], "anew": []}
    seen = await lab.run(Identity({"quarantine": Q}))
    assert seen.seen is Seen.FAILED
    assert {one.name for one in lab.world.writes} == set(STOPPED)
