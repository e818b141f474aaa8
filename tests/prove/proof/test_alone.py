"""Pods of a copy that belong to no workload and served in the point: nothing is green without them, and nothing red."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lazarus_tui.model.proofs import ProofRecord
from lazarus_tui.model.resources import NODES, PODS
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.proof import capture
from lazarus_tui.prove.proof.rungs import ladders
from tests.prove.hostile.build import bare_pod, claim, mounting, workload
from tests.prove.proof.facts import evidence
from tests.prove.proof.trial import Trial, trial
from tests.prove.site import Site, captured
from tests.snapshots.stage import SPACE

SHOP = [workload(), workload("StatefulSet", "db", volumes=mounting("data")), claim()]


@pytest.mark.parametrize(
    ("away", "healthy"), [([], Verdict.PASSED), (None, Verdict.PASSED), (["cache"], Verdict.INCONCLUSIVE)]
)
def test_one_that_is_not_ready_at_the_end_leaves_it_open(away: list[str] | None, healthy: Verdict) -> None:
    rung = ladders(evidence(prove__alone=away))[0].rung("healthy")
    assert rung.verdict is healthy
    assert rung.why.endswith("of no workload: cache") is bool(away)


def test_what_is_red_stays_red() -> None:
    found = evidence(prove__alone=["cache"], prove__ready={"StatefulSet/orders": [0, 1]})
    assert ladders(found)[0].rung("healthy").verdict is Verdict.FAILED


class Apart(Trial):
    """Beside the workload a pod of no workload, which a node takes while the backup is taken and, of the copy, only
    ``after`` seconds, if ever."""

    after: float | None = None

    async def open(self) -> None:
        await super().open()
        (node,) = self.api.list(NODES)
        self.node = str(node["metadata"]["name"])
        self.take("ssd")
        spec = {"nodeSelector": {"disk": "ssd"}, "containers": [{"name": "c", "image": "lazarus.dev/pause:1"}]}
        self.api.create(PODS, {"metadata": {"name": "cache"}, "spec": spec}, SPACE)
        await self.until(lambda: readily(self.get(PODS, "cache")), "the pod runs")

    def take(self, disk: str | None) -> None:
        self.api.patch(NODES, self.node, {"metadata": {"labels": {"disk": disk}}})

    async def backup(self, name: str = "nightly", **spec: Any) -> None:
        await super().backup(name, **spec)
        self.take(None)


def readily(pod: Any) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions") or ())


@pytest.mark.parametrize(
    ("comes", "verdict"), [(True, Verdict.PASSED), (False, Verdict.INCONCLUSIVE)], ids=["late", "never"]
)
async def test_it_is_waited_for_a_while_and_what_does_not_come_keeps_a_proof_from_green(
    monkeypatch: pytest.MonkeyPatch, comes: bool, verdict: Verdict
) -> None:
    async with trial(monkeypatch, Apart) as ground:
        plan = await ground.planned()
        assert plan.params["alone"] == ["cache", "web"]
        assert ground.engine is not None
        asked = capture.Capture._not_ready

        async def later(self: Any, context: Any, names: Any) -> list[str]:
            if comes:
                ground.take("ssd")
            began = context.clock.monotonic()
            found = await asked(self, context, names)
            assert (context.clock.monotonic() - began >= capture._SLOWER) is not comes
            return found

        monkeypatch.setattr(capture.Capture, "_not_ready", later)
        done = await ground.engine.run(plan, plan.target)
        (ladder,) = msgspec.convert(done.facts["prove.record"], ProofRecord).ladders
        assert done.facts["prove.alone"] == ([] if comes else ["cache"])
        assert ladder.rung("healthy").verdict is verdict
        assert ground.remains() == []


async def test_pods_that_served_beside_the_workloads_have_to_serve_in_the_copy_too() -> None:
    site = Site()

    def seen(name: str, ready: str = "True", restart: str = "Always", **meta: Any) -> dict[str, Any]:
        pod = bare_pod(name)
        pod["metadata"] |= meta
        pod["spec"]["restartPolicy"] = restart
        return {**pod, "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]}}

    def owned(name: str, kind: str) -> dict[str, Any]:
        return seen(name, ownerReferences=[{"kind": kind, "name": "x", "controller": kind != "Several"}])

    mirror, ours = {"annotations": {"kubernetes.io/config.mirror": "x"}}, {"labels": {"lazarus.io/check": "x"}}
    pods = [seen("cache"), seen("old"), seen("crashing", "False"), seen("task", restart="Never"),
            seen("retried", restart="OnFailure"), seen("static", **mirror), seen("asked", **ours),
            owned("db-0", "StatefulSet"), owned("pay-x", "Job"), owned("odd", "Several")]  # fmt: skip
    site.backup("full", [*SHOP, *pods], [captured("data", "shop")])
    assert (await site.plan()).params["alone"] == ["cache", "old"]
    assert (await site.plan(workload="Deployment/web")).params["alone"] == [], "it proves nothing of the others"
    for control in ("withhold", "no-workload", "flip"):
        assert (await site.plan(control=control)).params["alone"] == [], "it looks for what it broke"
    site.backup("without", SHOP, [captured("data", "shop")])
    assert (await site.plan(point="without")).params["alone"] == []
    site.backup("pods", [seen("cache")])
    assert (await site.plan(point="pods")).params["alone"] == [], "nothing is asked where no workload is"
