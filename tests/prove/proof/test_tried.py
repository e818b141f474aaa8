"""A step that fails is a fact: the rest is skipped, the end runs, and a crash in between changes nothing of it."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden, Invalid, TimedOut, Unreachable
from lazarus_tui.model.operation import StepState
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Halted, Observation, Seen, StepContext, StepStopped
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.proof.tried import STOPPED, STUMBLED, Tried
from tests.velero.lab import Lab, World


class Scripted(BaseStep):
    """Says or raises one thing after the other, then is done."""

    name, title, poll, limit = "inner", "The inner step", 1.0, 10.0

    def __init__(self, *script: Any, name: str = "inner", act: Any = None) -> None:
        self.script, self.name, self.does, self.acts, self.undone = list(script), name, act, 0, False

    async def observe(self, context: StepContext) -> Observation:
        said = self.script.pop(0) if self.script else Observation(Seen.DONE, "done", facts={"inner": 1})
        if isinstance(said, Exception):
            raise said
        return said if isinstance(said, Observation) else Observation(said)

    async def act(self, context: StepContext) -> None:
        self.acts += 1
        if isinstance(self.does, Exception):
            raise self.does

    async def undo(self, context: StepContext) -> str | None:
        self.undone = True
        return "what stays"


@pytest.fixture
def lab() -> Lab:
    return Lab(World())


async def test_what_goes_well_passes_through(lab: Lab) -> None:
    inner = Scripted(Seen.ABSENT, Seen.WAITING)
    seen = await lab.run(Tried(inner))
    assert (seen.seen, seen.shown, dict(seen.facts), inner.acts) == (Seen.DONE, StepState.DONE, {"inner": 1}, 1)
    assert STOPPED not in lab.facts


RIGHT = Forbidden("namespaces is forbidden", request="POST /api/v1/namespaces", status=403)
FALLS: list[tuple[str, Any, str, str]] = [
    ("failed", Observation(Seen.FAILED, "backup x is gone", hint="choose"), "INCONCLUSIVE", "backup x is gone"),
    ("diverged", Observation(Seen.DIVERGED, "somebody did it"), "INCONCLUSIVE", "somebody did it"),
    ("stopped", StepStopped("it can never work", hint="h"), "INCONCLUSIVE", "it can never work"),
    ("parked", StepStopped("somebody has to decide", park=True), "INCONCLUSIVE", "somebody has to decide"),
    ("a missing right", RIGHT, "INCONCLUSIVE", "missing right: POST /api/v1/namespaces (403"),
    ("a request that can never work", Invalid("bad", status=422), "INCONCLUSIVE", "bad"),
    ("a defect", KeyError("spec"), "INCONCLUSIVE", "unexpected KeyError"),
]


@pytest.mark.parametrize(("how", "said", "verdict", "words"), FALLS, ids=[fall[0] for fall in FALLS])
async def test_every_failure_is_a_fact_and_never_an_end(
    lab: Lab, how: str, said: Any, verdict: str, words: str
) -> None:
    seen = await lab.run(Tried(Scripted(said)))
    assert (seen.seen, seen.shown) == (Seen.DONE, StepState.FAILED)
    stopped = lab.facts[STOPPED]
    assert (stopped["step"], stopped["verdict"]) == ("inner", verdict)
    assert words in stopped["words"]
    assert words in lab.said[0]


async def test_what_the_point_is_to_blame_for_is_red(lab: Lab) -> None:
    await lab.run(Tried(Scripted(Observation(Seen.FAILED, "gone")), red=True))
    assert lab.facts[STOPPED]["verdict"] == Verdict.FAILED
    other = Lab(World())
    await other.run(Tried(Scripted(StepStopped("missing right")), red=True))
    assert other.facts[STOPPED]["verdict"] == Verdict.INCONCLUSIVE


async def test_after_a_failure_nothing_is_looked_at_but_the_end(lab: Lab) -> None:
    await lab.run(Tried(Scripted(Observation(Seen.FAILED, "no"))))
    later, end = Scripted(AssertionError("it was asked"), name="later"), Scripted(Seen.ABSENT, name="end")
    skipped = await lab.run(Tried(later))
    assert (skipped.shown, "'The inner step' failed" in skipped.detail) == (StepState.SKIPPED, True)
    seen = await lab.run(Tried(end, always=True))
    assert (seen.shown, end.acts) == (StepState.DONE, 1)


async def test_an_engine_that_begins_again_says_the_same_without_asking(lab: Lab) -> None:
    first = await lab.run(Tried(Scripted(Observation(Seen.FAILED, "no"))))
    again = await lab.run(Tried(Scripted(AssertionError("it was asked"))))
    assert (again.seen, again.shown) == (first.seen, first.shown)
    assert "no" in again.detail


async def test_the_end_stumbles_and_the_end_goes_on(lab: Lab) -> None:
    stumble = await lab.run(Tried(Scripted(StepStopped("cannot delete"), name="clean"), always=True))
    assert stumble.shown is StepState.FAILED
    assert (await lab.run(Tried(Scripted(name="judge"), always=True))).shown is StepState.DONE
    assert lab.facts[STUMBLED] == {"clean": "cannot delete"}
    assert STOPPED not in lab.facts
    again = await lab.run(Tried(Scripted(AssertionError("asked"), name="clean"), always=True))
    assert again.shown is StepState.FAILED


async def test_time_is_up_after_the_inner_steps_own_limit(lab: Lab) -> None:
    step = Tried(Scripted(*[Observation(Seen.WAITING, "still moving: 3 volumes")] * 60))
    await lab.run(step)
    assert "not finished within 10 s (still moving: 3 volumes)" in lab.facts[STOPPED]["words"]
    assert 10 < lab.clock.seconds < 13
    assert step.limit == float("inf"), "the runner leaves it to this"


async def test_an_api_that_is_away_is_waited_for_and_takes_nothing_of_the_time(lab: Lab) -> None:
    step = Tried(Scripted(Seen.WAITING, TimedOut("no answer"), Unreachable("reset"), Seen.WAITING))
    with pytest.raises(TimedOut):
        await lab.run(step)
    lab.clock.seconds += 500
    with pytest.raises(Unreachable):
        await lab.run(step)
    assert (await lab.run(step)).shown is StepState.DONE
    assert STOPPED not in lab.facts


async def test_an_effect_that_never_comes_is_given_up_before_the_runner_does(lab: Lab) -> None:
    inner = Scripted(*[Seen.ABSENT] * 9)
    await lab.run(Tried(inner))
    assert inner.acts == 4
    assert "tried 4 times" in lab.facts[STOPPED]["words"]


async def test_a_write_in_the_dark_is_no_try_that_failed(lab: Lab) -> None:
    lab.world.doubt = "no answer"
    inner = Scripted(*[Seen.ABSENT] * 5)
    seen = await lab.run(Tried(inner))
    assert (seen.shown, inner.acts) == (StepState.DONE, 5)


@pytest.mark.parametrize("where", ["observe", "act"])
async def test_what_stops_the_engine_itself_is_no_failure_of_the_step(lab: Lab, where: str) -> None:
    halted = Halted("read-only", park=True)
    inner = Scripted(halted) if where == "observe" else Scripted(Seen.ABSENT, act=halted)
    with pytest.raises(Halted):
        await lab.run(Tried(inner))
    assert STOPPED not in lab.facts


async def test_a_failure_while_acting_is_one_too(lab: Lab) -> None:
    await lab.run(Tried(Scripted(Seen.ABSENT, act=StepStopped("create was refused", park=True))))
    assert lab.facts[STOPPED]["words"] == "create was refused"


async def test_only_the_quarantine_takes_back(lab: Lab) -> None:
    inner, space = Scripted(), Scripted()
    assert await Tried(inner).undo(lab) is None
    assert await Tried(space, undoes=True).undo(lab) == "what stays"
    assert (inner.undone, space.undone) == (False, True)


async def test_secrets_in_a_failure_stay_out_of_the_facts(lab: Lab) -> None:
    await lab.run(Tried(Scripted(StepStopped("password=hunter2 was refused"))))
    assert "hunter2" not in str(lab.facts) + str(lab.said)


async def test_it_looks_often_at_the_beginning_and_as_seldom_as_the_step_wants_to_later(lab: Lab) -> None:
    inner = Scripted(*[Seen.WAITING] * 60)
    inner.limit = 100.0
    step = Tried(inner)
    assert step.poll == 0.1
    began, polls = lab.clock.monotonic(), list[tuple[float, float]]()
    while (await step.observe(lab)).seen is not Seen.DONE:
        polls.append((lab.clock.monotonic() - began, step.poll))
        await lab.clock.sleep(step.poll)
    assert [poll for age, poll in polls if age < 1.0] == [0.1] * len([age for age, _ in polls if age < 1.0])
    assert {poll for age, poll in polls if age > 10.0} == {1.0}
    assert len([age for age, _ in polls if age < 10.0]) < 40
