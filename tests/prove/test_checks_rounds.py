"""How many checks run together: tiers, pauses, ticking, what is told."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from lazarus_tui.model.steps import Halted
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.checks.outcome import Attempt, CouldNot, Found, Wrong
from lazarus_tui.prove.round import Rounds, Row
from lazarus_tui.prove.wanted import Check, HttpCheck
from tests.prove.doors import Doors
from tests.velero.lab import Lab

PASSED, FAILED, NOT_TESTED = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_TESTED


def row(name: str, look: Callable[[], Awaitable[Found]], **more: Any) -> Row:
    async def asked(attempt: Attempt) -> Found:
        return await look()

    check: Check = HttpCheck(name=name, namespace="a", service="s", port=1, **more)
    return Row(check, asked)


async def good() -> Found:
    return Found("well")


async def bad() -> Found:
    raise Wrong("ill")


async def never() -> Found:
    raise CouldNot("no driver", final=True)


async def test_a_later_tier_waits_for_what_is_needed_of_the_earlier() -> None:
    lab = Lab(Doors())
    rounds = Rounds([row("late", good, tier=1), row("first", bad), row("extra", bad, needed=False)], 4)
    await rounds.go(lab)
    assert {one.name: one.verdict for one in rounds.results()} == {
        "first": FAILED, "extra": FAILED, "late": NOT_TESTED,
    }  # fmt: skip
    assert [one.name for one in lab.checks] == ["first", "extra"], "one that did not run is not told as run"
    assert rounds.rungs() == {"healthy": "FAILED"}
    rounds = Rounds([row("late", good, tier=1, rung="data right"), row("extra", bad, needed=False)], 4)
    await rounds.go(lab)
    assert rounds.rungs() == {"data right": "PASSED"}


async def test_no_more_run_at_once_than_allowed() -> None:
    lab, now, most = Lab(Doors()), 0, 0

    async def counted() -> Found:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return Found("well")

    await Rounds([row(str(n), counted) for n in range(20)], 3).go(lab)
    assert most == 3


async def test_one_that_fails_is_asked_again_after_longer_and_longer_pauses() -> None:
    lab, asked = Lab(Doors()), []

    async def look() -> Found:
        asked.append(lab.clock.seconds)
        raise Wrong("ill")

    rounds = Rounds([row("a", look)], 4)
    for _ in range(400):
        await rounds.go(lab)
        await lab.clock.sleep(0.1)
    gaps = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert gaps[0] == pytest.approx(0.5, abs=0.11)
    assert gaps[0] < gaps[2] < gaps[4] < gaps[6], "each pause is longer"
    assert max(gaps) == pytest.approx(5.0, abs=0.2), "up to five seconds"
    assert rounds.results()[0].evidence["attempts"] == len(asked)


async def test_data_that_is_right_is_not_asked_twice_and_health_is() -> None:
    lab, asked = Lab(Doors()), []

    def of(name: str) -> Callable[[], Awaitable[Found]]:
        async def look() -> Found:
            asked.append(name)
            return Found("well")

        return look

    rounds = Rounds([row("health", of("health")), row("data", of("data"), rung="data right")], 4)
    for _ in range(3):
        await rounds.go(lab)
    assert sorted(asked) == ["data", "health", "health", "health"]


async def test_what_can_never_run_is_not_waited_for() -> None:
    lab = Lab(Doors())
    rounds = Rounds([row("no driver", never), row("well", good)], 4)
    await rounds.go(lab)
    assert rounds.settled()
    rounds = Rounds([row("no driver", never), row("ill", bad)], 4)
    await rounds.go(lab)
    assert not rounds.settled()


async def closed() -> Found:
    raise Halted("stopped on request", park=True)


async def broken() -> Found:
    raise KeyError("spec")


@pytest.mark.parametrize(("looks", "raised"), [((broken, closed), Halted), ((good, broken), KeyError)])
async def test_what_stops_the_engine_passes_through_as_it_is(looks: tuple[Any, ...], raised: type[Exception]) -> None:
    """A gate that closes while checks run parks the operation; as a group of errors it would end it."""
    rounds = Rounds([row(f"{n}", look) for n, look in enumerate(looks)], 4)
    with pytest.raises(raised):
        await rounds.go(Lab(Doors()))
