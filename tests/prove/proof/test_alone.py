"""Pods of a copy that no workload makes and that ran in the point: nothing is green without them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lazarus_tui.model.proofs import ProofRecord
from lazarus_tui.model.resources import NODES, PODS, STATEFULSETS
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.checks import readiness
from lazarus_tui.prove.definitions import Checks
from lazarus_tui.prove.proof.rungs import ladders
from lazarus_tui.prove.steps import Ready
from tests.prove.proof.facts import evidence
from tests.prove.proof.trial import Trial, trial
from tests.snapshots.stage import SPACE
from tests.velero.lab import Lab, World

Q = "q"
ALONE = {Q: ["cache"]}
RUNNING, WAITS = ("Running", "True"), ("Running", "False")


def lab(*pods: tuple[str, tuple[str, str]]) -> Lab:
    """A copy whose workload is ready; ``pods``: name, phase and condition Ready."""
    found = Lab(World())
    found.world.put(
        STATEFULSETS, "db", Q, metadata={"generation": 1}, spec={"replicas": 1},
        status={"readyReplicas": 1, "observedGeneration": 1},
    )  # fmt: skip
    for name, state in pods:
        put(found.world, name, *state)
    return found


def put(world: World, name: str, phase: str, ready: str) -> None:
    world.put(PODS, name, Q, status={"phase": phase, "conditions": [{"type": "Ready", "status": ready}]})


@pytest.mark.parametrize(
    ("pods", "waiting"),
    [
        ([("cache", RUNNING)], []),
        ([("cache", ("Succeeded", "False"))], []),
        ([("cache", WAITS)], ["Pod q/cache 0/1"]),
        ([("cache", ("Pending", "False"))], ["Pod q/cache 0/1"]),
        ([("cache", ("Failed", "False"))], ["Pod q/cache 0/1"]),
        ([], ["pod q/cache is not there"]),
        ([("cache", RUNNING), ("probe", WAITS)], []),
    ],
    ids=["ready", "done with its work", "not ready", "never started", "failed", "not there", "one nobody asked for"],
)
async def test_a_pod_that_nothing_makes_again_has_to_be_ready_or_done(
    pods: list[tuple[str, tuple[str, str]]], waiting: list[str]
) -> None:
    found = await readiness.look(lab(*pods).world, [Q], ALONE)  # type: ignore[arg-type]
    assert (list(found.waiting), found.complete) == (waiting, not waiting)
    assert found.words().startswith(f"1 of 1 replicas ready, {0 if waiting else 1} of 1 pod without a workload")


async def test_it_is_waited_for_and_what_never_gets_ready_is_red() -> None:
    ground = lab(("cache", WAITS))
    wanted = Checks(sources={Q: "shop"}, ready_seconds=20.0)
    await ground.run(Ready(wanted, 0.0, ALONE), lambda: put(ground.world, "cache", *RUNNING))
    assert (ground.facts["checks.ready"], ground.checks[0].verdict) == ("PASSED", Verdict.PASSED)
    put(ground.world, "cache", *WAITS)
    await ground.run(Ready(wanted, 0.0, ALONE))
    assert (ground.facts["checks.ready"], ground.checks[0].verdict) == ("FAILED", Verdict.FAILED)
    assert "Pod q/cache 0/1" in ground.checks[0].summary


@pytest.mark.parametrize(
    ("at_end", "healthy"), [([1, 1], Verdict.PASSED), ([0, 1], Verdict.FAILED), (None, Verdict.FAILED)]
)
def test_the_end_counts_too(at_end: list[int] | None, healthy: Verdict) -> None:
    ready = {"StatefulSet/orders": [1, 1], **({"Pod/cache": at_end} if at_end else {})}
    (ladder,) = ladders(evidence(given={"alone": ["cache"]}, prove__ready=ready))
    rung = ladder.rung("healthy")
    assert rung.verdict is healthy
    assert ("without a workload that were not ready at the end: cache" in rung.why) is (healthy is Verdict.FAILED)


class Apart(Trial):
    """Beside the workload a pod by itself, which a node can take only while the backup is taken."""

    async def open(self) -> None:
        await super().open()
        (node,) = self.api.list(NODES)
        self.node = str(node["metadata"]["name"])
        self.api.patch(NODES, self.node, {"metadata": {"labels": {"disk": "ssd"}}})
        spec = {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "c", "image": "lazarus.dev/pause:1"}]}
        self.api.create(PODS, {"metadata": {"name": "cache"}, "spec": spec}, SPACE)
        await self.until(lambda: readily(self.get(PODS, "cache")), "the pod runs")

    async def backup(self, name: str = "nightly", **spec: Any) -> None:
        await super().backup(name, **spec)
        self.api.patch(NODES, self.node, {"metadata": {"labels": {"disk": None}}})


def readily(pod: Any) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions") or ())


async def test_a_proof_of_a_namespace_is_red_where_a_pod_of_it_that_ran_does_not_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with trial(monkeypatch, Apart) as ground:
        plan = await ground.planned(checks={"readySeconds": 5})
        assert plan.params["alone"] == ["cache", "web"]
        assert ground.engine is not None
        done = await ground.engine.run(plan, plan.target)
        record = msgspec.convert(done.facts["prove.record"], ProofRecord)
        assert done.verdict is Verdict.FAILED
        (ladder,) = record.ladders
        assert (ladder.reached, ladder.rung("healthy").verdict) == ("restores", Verdict.FAILED)
        assert "cache" in ladder.rung("healthy").why
        assert "web" not in ladder.rung("healthy").why
        assert {one: done.facts["prove.ready"][one] for one in ("Pod/cache", "Pod/web")} == {
            "Pod/cache": [0, 1], "Pod/web": [1, 1],
        }  # fmt: skip
        assert ground.remains() == []
