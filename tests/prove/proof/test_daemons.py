"""DaemonSets in a proof: counted, on the ladder, and kept off every node where nothing may run."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lazarus_tui.model.proofs import ProofRecord
from lazarus_tui.model.resources import DAEMONSETS, STATEFULSETS
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.proof import stillness
from lazarus_tui.prove.proof.rungs import ladders
from lazarus_tui.prove.rules.podspecs import PARK
from tests.prove.proof.facts import evidence
from tests.prove.proof.trial import Trial, trial
from tests.snapshots.stage import SPACE
from tests.velero.lab import Lab, World


class WithAgent(Trial):
    async def open(self) -> None:
        await super().open()
        pod = {
            "metadata": {"labels": {"app": "agent"}},
            "spec": {"containers": [{"name": "agent", "image": "lazarus.dev/pause:1"}]},
        }
        spec = {"selector": {"matchLabels": {"app": "agent"}}, "template": pod}
        self.api.create(DAEMONSETS, {"metadata": {"name": "agent"}, "spec": spec}, SPACE)


async def test_a_daemonset_has_a_ladder_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trial(monkeypatch, WithAgent) as ground:
        done = await ground.proven()
        record = msgspec.convert(done.facts["prove.record"], ProofRecord)
        assert done.verdict is Verdict.PASSED, record.words
        ladders = {one.workload: {rung.name: rung.verdict for rung in one.rungs} for one in record.ladders}
        assert ladders[f"{SPACE}/DaemonSet/agent"]["healthy"] is Verdict.PASSED
        assert done.facts["prove.ready"]["DaemonSet/agent"] == [1, 1]
        assert done.checks[-1].summary.startswith("2 of 2 replicas ready")
        assert ground.remains() == []


def daemon(world: World) -> Any:
    world.put(DAEMONSETS, "agent", "q", spec={"template": {"spec": {}}}, status={})
    world.put(STATEFULSETS, "db", "q", spec={"replicas": 2}, status={})
    return Lab(world)


async def test_taking_everything_to_zero_takes_it_off_every_node_and_back() -> None:
    world = World()
    lab = daemon(world)
    assert len(await stillness.running(lab.reader, "q")) == 2
    await stillness.to_zero(lab, "q")
    assert await stillness.running(lab.reader, "q") == []
    (found,) = await lab.reader.list(DAEMONSETS, "q", type=dict)
    assert found["spec"]["template"]["spec"]["nodeSelector"] == {PARK: "true"}
    await stillness.scale(lab, DAEMONSETS, found, 1)
    assert world.writes[-1].body == {"spec": {"template": {"spec": {"nodeSelector": {PARK: None}}}}}


def test_one_that_no_node_takes_is_not_healthy() -> None:
    agent = {"kind": "DaemonSet", "name": "agent", "claims": [], "replicas": 1}
    (ladder,) = ladders(evidence(prove__workloads=[agent], prove__ready={"DaemonSet/agent": [0, 0]}))
    rung = next(one for one in ladder.rungs if one.name == "healthy")
    assert (rung.verdict, rung.why) == (Verdict.FAILED, "no node took it")
