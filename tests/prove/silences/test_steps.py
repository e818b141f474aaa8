"""Silenced before anything alerts, once, whatever is lost; ended when nothing is left; no proof waits for it."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.operation import StepState
from lazarus_tui.model.steps import Observation, Seen
from lazarus_tui.prove.silences.steps import Silenced, Unsilenced, troubles
from lazarus_tui.sandbox.clock import VirtualClock
from tests.prove.silences.manager import Beside, Manager

SPACE = "lazarus-q-aaaabbbb"
PARAMS: dict[str, Any] = {
    "op": "aaaabbbbccccdddd", "quarantine": SPACE, "namespace": "shop",
    "silence": {"managers": ["main", "other"], "seconds": 5400.0},
}  # fmt: skip


class Scene:
    """A step's context with two Alertmanagers; ``crash``: the next facts are lost, as by a kill."""

    def __init__(self) -> None:
        self.clock, self.facts, self.crash = VirtualClock(), dict[str, Any](), False
        self.managers = {name: Beside(Manager(self.clock.now)) for name in ("main", "other")}

    def alertmanager(self, name: str) -> Beside | None:
        return self.managers.get(name)

    async def remember(self, **facts: Any) -> None:
        if self.crash:
            self.crash = False
            raise KeyboardInterrupt
        self.facts |= facts

    async def run(self, make: Any) -> Observation:
        """As the runner does: look, act, look; a new step each time, as after a crash."""
        seen: Observation = await make(PARAMS).observe(self)
        if seen.seen is Seen.ABSENT:
            try:
                await make(PARAMS).act(self)
            except KeyboardInterrupt:
                return await self.run(make)
            seen = await make(PARAMS).observe(self)
        assert seen.seen is Seen.DONE
        return seen

    def standing(self) -> dict[str, int]:
        return {name: len(one.manager.standing) for name, one in self.managers.items()}

    def made(self) -> dict[str, int]:
        return {name: len(one.manager.stored) for name, one in self.managers.items()}


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_one_silence_in_each_for_as_long_as_planned_and_none_when_it_is_clean(scene: Scene) -> None:
    seen = await scene.run(Silenced)
    assert (scene.standing(), seen.shown) == ({"main": 1, "other": 1}, StepState.DONE)
    [one] = scene.managers["main"].manager.standing
    assert one["matchers"] == [{"name": "namespace", "value": SPACE, "isRegex": False, "isEqual": True}]
    assert scene.facts["prove.silence"]["main"] == {
        "id": one["id"],
        "ends": one["endsAt"],
        "words": "",
        "unknown": False,
    }
    scene.facts["prove.cleaned"] = {"clean": True, "kept_until": ""}
    seen = await scene.run(Unsilenced)
    assert (scene.standing(), seen.detail) == ({"main": 0, "other": 0}, "main: ended; other: ended")
    assert list(troubles(scene.facts)) == []


@pytest.mark.parametrize("script", [["", "lost"], ["", "lost", ""]])
async def test_an_answer_that_was_lost_makes_no_second_one(scene: Scene, script: list[str]) -> None:
    scene.managers["main"].script = script
    seen = await scene.run(Silenced)
    assert scene.made() == {"main": 1, "other": 1}
    assert seen.shown is StepState.DONE
    assert scene.facts["prove.silence"]["main"]["id"] == next(iter(scene.managers["main"].manager.stored))


async def test_a_crash_between_the_deed_and_its_record_makes_no_second_one(scene: Scene) -> None:
    scene.crash = True
    await scene.run(Silenced)
    assert scene.made() == {"main": 1, "other": 1}
    scene.crash = True
    scene.facts["prove.cleaned"] = {"clean": True, "kept_until": ""}
    seen = await scene.run(Unsilenced)
    assert seen.detail == "main: nothing stood any more; other: nothing stood any more"
    assert scene.standing() == {"main": 0, "other": 0}


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (["refused"], "answered 400: for a reason of its own"),
        (["silent", "silent"], "no answer within 5 s; whether it was set is not known"),
        (["", "silent", ""], "no answer within 5 s"),
    ],
)
async def test_one_that_fails_is_said_and_keeps_nothing_from_going_on(
    scene: Scene, script: list[str], words: str
) -> None:
    scene.managers["main"].script = script
    seen = await scene.run(Silenced)
    assert (seen.shown, seen.detail) == (StepState.FAILED, f"alerts on namespace {SPACE} may page: main: {words}")
    assert list(troubles(scene.facts)) == [f"alerts were not silenced in Alertmanager main: {words}"]
    assert scene.made() == {"main": 0, "other": 1}
    scene.facts["prove.cleaned"] = {"clean": True, "kept_until": ""}
    seen = await scene.run(Unsilenced)
    asked = "nothing stood any more" if "no answer" in words else "nothing was silenced"
    assert (seen.shown, seen.detail) == (StepState.DONE, f"main: {asked}; other: ended")


async def test_one_that_does_not_answer_at_the_end_is_said(scene: Scene) -> None:
    await scene.run(Silenced)
    scene.managers["main"].script = ["", "silent"]
    scene.facts["prove.cleaned"] = {"clean": True, "kept_until": ""}
    seen = await scene.run(Unsilenced)
    words = "not ended: no answer within 5 s; it ends by itself"
    assert (seen.shown, seen.detail) == (StepState.FAILED, f"main: {words}; other: ended")
    assert list(troubles(scene.facts)) == [f"the silence in Alertmanager main was {words}"]


@pytest.mark.parametrize(
    ("cleaned", "why"),
    [
        ({"clean": None, "kept_until": "2026-01-01T02:00:00Z"}, "the quarantine is kept"),
        ({"clean": False, "kept_until": ""}, "something is left of the quarantine"),
    ],
)
async def test_what_is_still_there_stays_silent(scene: Scene, cleaned: dict[str, Any], why: str) -> None:
    await scene.run(Silenced)
    scene.facts["prove.cleaned"] = cleaned
    seen = await scene.run(Unsilenced)
    assert f"main: left to end by itself: {why}" in seen.detail
    assert scene.standing() == {"main": 1, "other": 1}


async def test_a_proof_that_is_called_off_takes_its_silence_back_and_nobody_elses(scene: Scene) -> None:
    await scene.run(Silenced)
    manager = scene.managers["main"].manager
    manager.stored["theirs"] = {**manager.standing[0], "id": "theirs", "createdBy": "somebody"}
    manager.stored["before"] = {**manager.standing[0], "id": "before", "comment": "Lazarus proof 1111222233334444"}
    assert await Silenced(PARAMS).undo(scene) is None  # type: ignore[arg-type]
    assert [one["id"] for one in manager.standing] == ["theirs", "before"]
    scene.managers["other"].script = ["silent"]
    left = await Silenced(PARAMS).undo(scene)  # type: ignore[arg-type]
    assert left == "silence in Alertmanager other is not ended: no answer within 5 s; it ends by itself"


async def test_one_that_the_settings_do_not_have_any_more_is_said(scene: Scene) -> None:
    del scene.managers["other"]
    seen = await scene.run(Silenced)
    assert seen.detail.endswith("may page: other: the settings do not have it any more")
    scene.facts["prove.cleaned"] = {"clean": True}
    assert (await scene.run(Unsilenced)).detail == "main: ended; other: nothing was silenced"


async def test_a_proof_that_never_came_to_it_asks_nobody(scene: Scene) -> None:
    seen = await scene.run(Unsilenced)
    assert seen.detail == "main: nothing was silenced; other: nothing was silenced"
    assert scene.managers["main"].manager.asked == []
