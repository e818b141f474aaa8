"""The whole engine while its parts fail: once, and again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.config import NotifySettings, PolicySettings, Settings, SinkSettings
from lazarus_tui.engine import adoption
from lazarus_tui.engine.heartbeat import Heartbeat
from lazarus_tui.engine.idle import IdleWatch
from lazarus_tui.engine.notices import Notices
from lazarus_tui.engine.policy_objects import Objects
from lazarus_tui.engine.proof_topics import PolicyTopics
from lazarus_tui.engine.sandbox_life import SandboxLife
from lazarus_tui.engine.scheduler import Scheduler
from lazarus_tui.engine.sweeping import Sweeping
from lazarus_tui.engine.volumelists import VolumeLists
from lazarus_tui.notify.desk import Desk
from lazarus_tui.sandbox.cluster import SandboxCluster
from tests.engine.scene import SANDBOX, Scene

# Every part, and where its work is.
PARTS: dict[str, tuple[Any, str]] = {
    "the heartbeat": (Heartbeat, "run"),
    "the watch over the sandbox": (SandboxLife, "run"),
    "the scheduler": (Scheduler, "run"),
    "the look at objects of policies": (Objects, "run"),
    "the telling of policies and queue": (PolicyTopics, "run"),
    "the telling of notices": (Desk, "run"),
    "the watch over workloads": (Notices, "watch"),
    f"the look for operations of others in {SANDBOX}": (adoption, "keep_looking"),
    f"the reading of volume lists of {SANDBOX}": (VolumeLists, "run"),
    f"the janitor of {SANDBOX}": (Sweeping, "run"),
    "the watch for idleness": (IdleWatch, "run"),
}


class Killer:
    """Makes each part fail as often as ``times`` says, and counts."""

    def __init__(self, patch: pytest.MonkeyPatch, times: float) -> None:
        self.times, self.starts = times, dict.fromkeys(PARTS, 0)
        for name, (home, verb) in PARTS.items():
            patch.setattr(home, verb, self._wrapped(name, getattr(home, verb)))

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        async def work(*given: Any) -> None:
            self.starts[name] += 1
            if self.starts[name] <= self.times:
                await asyncio.sleep(0)
                raise RuntimeError("planted")
            await real(*given)

        return work


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Failures come back in no time, and every part is at work."""
    monkeypatch.setattr("lazarus_tui.engine.supervisor.FIRST", 0.01)
    monkeypatch.setattr("lazarus_tui.engine.supervisor.LAST", 0.02)
    siem = SinkSettings(name="siem", kind="webhook", url="https://alerts.invalid/lazarus", secret="env:KEY")
    settings = Settings(notify=NotifySettings(sinks=(siem,)), policies=PolicySettings(run_objects=(SANDBOX,)))
    monkeypatch.setattr("lazarus_tui.engine.house.config.load", lambda: settings)
    return monkeypatch


async def _until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.01)


async def test_each_part_that_dies_once_comes_back(
    quick: pytest.MonkeyPatch, tmp_path: Path, cluster: SandboxCluster
) -> None:
    killer = Killer(quick, times=1)
    async with Scene(tmp_path, cluster, sandbox=True) as scene:
        serving = asyncio.create_task(scene.house.serve_until(scene.ended))
        idle = scene.house.following.could_run()
        assert {name for name in PARTS if name.endswith(SANDBOX)} <= idle, "a context that is not in use may be"
        await scene.use()
        await _until(lambda: all(found >= 2 for found in killer.starts.values()))
        parts = scene.house.supervisor.parts
        assert parts.keys() == PARTS.keys(), "each part of an engine is named here, or nobody kills it"
        assert {part.state for part in parts.values()} == {"started again"}, "it is not green before it has run a while"
        beats = scene.house.heartbeat.beats
        await _until(lambda: scene.house.heartbeat.beats > beats)
        scene.ended.set()
        await serving


async def test_an_engine_whose_parts_all_fail_for_ever_lives_works_and_says_so(
    quick: pytest.MonkeyPatch, tmp_path: Path, cluster: SandboxCluster
) -> None:
    killer = Killer(quick, times=float("inf"))
    async with Scene(tmp_path, cluster, sandbox=True) as scene:
        serving = asyncio.create_task(scene.house.serve_until(scene.ended))
        await scene.use()
        begun = await scene.backup()
        assert (await scene.house.runner.wait(begun.id)).state.value == "done"
        await _until(lambda: all(found > 3 for found in killer.starts.values()))
        assert not serving.done(), "a watch for idleness that fails is no reason to end"
        found = [one for one in await scene.call("doctor", context=None) if one["check"] == "engine"]
        assert {name for name in PARTS if any(name in one["what"] for one in found)} == PARTS.keys()
        assert {one["severity"] for one in found} <= {"error", "warning"}
        told = (await scene.call("stats"))["troubles"]
        assert len(told) == len(PARTS)
        assert all("unexpected RuntimeError" in one for one in told)
        topics = await scene.follow("engine", until=lambda t: len(t.state("engine").records) == len(PARTS))
        assert {part.state for part in topics.state("engine").records.values()} <= {"down", "started again"}
        standing = scene.house.notices.desk.outbox.standing
        assert {f"engine/{name}" for name in PARTS} <= standing.keys(), "told, and told once"
        assert len(scene.house.notices.desk.outbox.waiting) == len(PARTS)
        scene.ended.set()
        await serving
    assert not [task for task in asyncio.all_tasks() if task.get_name() in PARTS]
