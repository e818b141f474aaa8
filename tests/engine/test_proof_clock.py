"""Proofs by the clock: what is due, what was missed and is overdue, windows and blackouts; told once, resolved once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lazarus_tui.engine.proof_book import CAUGHT_UP, OVERDUE
from lazarus_tui.engine.proof_calls import EnableParams
from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.policies import Blackout
from lazarus_tui.model.proof_policies import Selector, State
from lazarus_tui.notify.reading import Source, read
from tests.engine.proofs import Proofs, policy, proofs
from tests.engine.world import CONTEXT


def nightly(**fields: Any) -> Any:
    return policy(**{"points": ("latest",), "schedule": "0 3 * * *", **fields})


async def until(it: Proofs, hour: int, minute: int = 0) -> None:
    """To this time of the next day, without a look."""
    now = it.world.clock.now()
    seconds = (hour - now.hour) * 3600 + (minute - now.minute) * 60 - now.second
    await it.world.clock.advance(seconds + 86400)


async def test_a_scheduled_run_proves_the_point_it_names_and_not_the_same_one_twice() -> None:
    async with proofs() as it:
        it.completed("first")
        await it.store(nightly(catch_up="skip"))
        await until(it, 3)
        await it.look(8)
        assert it.told() == ["first done: found PASSED"]
        await until(it, 3)
        await it.look(8)
        assert it.told()[1].startswith("first skipped: first was proven at ")
        it.completed("second")
        await until(it, 3)
        await it.look(8)
        assert it.ran == ["first", "second"]
        await it.store(nightly(again_seconds=3600.0))
        await until(it, 3)
        await it.look(8)
        assert it.ran == ["first", "second", "second"]


async def test_a_run_that_was_missed_is_overdue_until_one_takes_place_and_each_is_told_once() -> None:
    async with proofs() as it:
        it.completed("first")
        await it.store(nightly(catch_up="skip", schedule="0 3 2 * *"))
        await until(it, 4)
        await it.look(2)
        assert it.row().overdue == "1 run was missed while nothing ran (catchUp: skip)"
        await it.dies()
        await it.look(2)
        [told] = await it.events(OVERDUE)
        assert (told["policy"], told["context"], told["due"][11:16]) == ("shop", CONTEXT, "03:00")
        await it.world.clock.advance(31 * 86400 - 3600)
        await it.look(8)
        assert (it.row().overdue, it.row().standings[0].green) == ("", True)
        assert len(await it.events(OVERDUE)) == len(await it.events(CAUGHT_UP)) == 1


async def test_runs_that_passed_while_the_engine_was_off_are_one() -> None:
    async with proofs() as it:
        it.completed("first")
        await it.store(nightly())
        await it.dies(asleep=3 * 24 * 60)
        await it.look(8)
        assert it.ran == ["first"]
        assert it.row().policy.catch_up == "run_once"
        assert it.book.get(CONTEXT, "shop").missed == 2


async def test_a_cluster_that_does_not_answer_is_waited_for_and_overdue_after_a_while() -> None:
    async with proofs() as it:
        it.completed("first")
        await it.store(nightly(late_seconds=600.0))
        it.away = True
        await until(it, 3)
        await it.look(2)
        assert "does not answer: connection refused" in it.row().trouble
        await it.after(15)
        assert "nothing of it can be looked at" in it.row().overdue
        it.away = False
        await it.look(8)
        assert (it.ran, it.row().overdue, it.row().trouble) == (["first"], "", "")


async def test_backups_that_cannot_be_listed_are_told_and_overdue_never_taken_for_none() -> None:
    async with proofs() as it:

        def refuse(context: str) -> Any:
            raise Forbidden("backups.velero.io is forbidden")

        it.completed("before")
        await it.store(policy(late_seconds=600.0))
        listed, it.runs._watch._backups = it.runs._watch._backups, refuse
        assert it.row().unseen == "nobody has looked since the engine began"
        await it.look()
        assert "backups.velero.io is forbidden" in it.row().trouble
        assert it.row().unseen == it.row().trouble
        await it.after(15)
        [told] = [one for one in await it.engine.journal.events_of(OVERDUE)]
        [notice] = read(Source(told))
        assert (notice.policy, "backups.velero.io is forbidden" in notice.text) == ("shop", True)
        assert notice.title == "Should have run and did not: shop"
        it.runs._watch._backups = listed
        await it.look(2)
        assert (it.row().trouble, it.row().overdue, it.row().unseen) == ("", "", "")
        [back] = [one for one in await it.engine.journal.events_of(CAUGHT_UP)]
        assert [one.key for one in read(Source(back))] == [notice.key], "it resolves what was told"


async def test_what_cannot_be_planned_is_tried_for_minutes_then_refused_and_overdue() -> None:
    async with proofs() as it:
        await it.store(policy())
        it.refusing = "there is no usable point"
        it.completed("first")
        await it.look(4)
        assert it.told() == ["first waiting: it cannot be planned: there is no usable point"]
        await it.after(6)
        assert it.told() == ["first refused: there is no usable point; look at it"]
        assert it.row().overdue.endswith("could not be planned: there is no usable point; look at it")
        enable = it.calls.methods["proof-policy.enable"][1]
        await enable(None, EnableParams(CONTEXT, "shop", enabled=False))
        assert (it.row().overdue, [one["why"] for one in await it.events(CAUGHT_UP)]) == (
            "",
            ["the policy was disabled"],
        )
        await enable(None, EnableParams(CONTEXT, "shop"))
        it.refusing = ""
        it.completed("second")
        await it.look(8)
        assert (it.told()[1], it.row().overdue) == ("second done: found PASSED", "")


async def test_what_was_refused_of_one_workload_is_overdue_whatever_became_of_another() -> None:
    async with proofs() as it:
        await it.store(policy(workloads=(Selector(namespace="shop"), Selector(namespace="mail")), at_once=2))
        it.completed("first")
        it.refusing = "there is no usable point"
        await it.look(4)
        await it.after(6)
        assert it.row().overdue.startswith("the proof of shop from first could not be planned")
        it.refusing = ""
        it.completed("letters", namespace="mail")
        await it.look(8)
        assert it.told()[1] == "letters done: found PASSED"
        assert it.row().overdue.startswith("the proof of shop from first could not be planned")
        assert await it.events(CAUGHT_UP) == []
        it.completed("second")
        await it.look(8)
        assert (it.row().overdue, len(await it.events(OVERDUE)), len(await it.events(CAUGHT_UP))) == ("", 1, 1)


async def test_an_engine_that_starts_anew_before_a_cluster_that_is_away_gives_no_all_clear() -> None:
    async with proofs() as it:
        await it.store(policy(late_seconds=600.0))
        it.away = True
        await it.look()
        await it.after(15)
        assert len(await it.events(OVERDUE)) == 1
        await it.dies()
        it.away = True
        await it.look(3)
        assert "nothing of it can be looked at" in it.row().overdue
        assert (len(await it.events(OVERDUE)), await it.events(CAUGHT_UP)) == (1, [])
        it.away = False
        await it.look(2)
        assert (it.row().overdue, len(await it.events(CAUGHT_UP))) == ("", 1)


async def test_one_policy_that_cannot_be_looked_at_keeps_neither_the_others_nor_its_own_alarm_waiting() -> None:
    async with proofs() as it:

        def spoiled(context: str) -> Any:
            raise ValueError("not a time")

        await it.store(policy(late_seconds=600.0))
        await it.store(nightly(name="nights"))
        it.runs._watch._backups = spoiled
        it.completed("first")
        await until(it, 3)
        await it.look(8)
        assert it.ran == ["first"], "the other one is proven by the clock"
        await it.after(15)
        assert "something unexpected" in it.row().overdue


# --- windows


async def test_a_proof_waits_for_its_window_and_for_the_end_of_a_blackout() -> None:
    async with proofs() as it:
        await until(it, 12)
        await it.store(policy(windows=(Blackout("0 22 * * *", 4 * 3600.0),), late_seconds=86400.0))
        await it.store(policy(name="dark", blackout=(Blackout("0 12 * * *", 3600.0),), in_blackout="defer"))
        await it.store(policy(name="out", blackout=(Blackout("0 12 * * *", 3600.0),), in_blackout="skip"))
        it.completed("noon")
        await it.look(4)
        assert {one.policy: one.waiting or one.words for one in it.entries()} == {
            "shop": f"it waits for a maintenance window of its policy: {it.world.clock.now():%Y-%m-%d} 22:00 UTC",
            "dark": f"no proof begins in a blackout, which ends at {it.world.clock.now():%Y-%m-%d} 13:00 UTC",
            "out": "it completed in a blackout (inBlackout: skip)",
        }
        await it.after(62)
        assert [one.policy for one in it.entries() if one.state is State.DONE] == ["dark"]
        await it.after(9 * 60)
        assert [one.policy for one in it.entries() if one.state is State.DONE] == ["shop", "dark"]


@pytest.mark.parametrize(
    "closed",
    [
        {"blackout": (Blackout("0 1 * * *", 6 * 3600.0),), "in_blackout": "defer"},
        {"windows": (Blackout("0 7 * * *", 18 * 3600.0),)},
    ],
)
async def test_a_closed_time_longer_than_a_proof_may_wait_alarms_nobody_and_the_time_after_it_counts(
    closed: dict[str, Any],
) -> None:
    async with proofs() as it:
        await until(it, 1, 30)
        await it.store(policy(late_seconds=3600.0, **closed))
        it.completed("night")
        await it.look(3)
        await it.world.clock.advance(5.3 * 3600)
        await it.look()
        assert (it.entries()[0].state, await it.events(OVERDUE)) == (State.WAITING, [])
        it.away = True
        await it.world.clock.advance(0.9 * 3600)
        await it.look()
        assert await it.events(OVERDUE) == [], "ten minutes were before the end of it"
        await it.world.clock.advance(0.4 * 3600)
        await it.look()
        [told] = await it.events(OVERDUE)
        assert told["why"].startswith("the proof of shop from night did not begin: ")


async def test_what_waits_for_too_long_is_told_once_though_what_it_waits_for_and_which_is_the_oldest_changes() -> None:
    async with proofs() as it:
        await it.store(policy(late_seconds=60.0, at_once=1))
        it.seconds = 90.0
        for n in range(4):
            it.completed(f"b{n}")
        await it.look(12)
        it.away = True
        await it.look(3)
        it.away = False
        await it.look(45)
        assert it.ran == ["b0", "b1", "b2", "b3"]
        assert (len(await it.events(OVERDUE)), len(await it.events(CAUGHT_UP))) == (1, 1)


async def test_a_policy_that_was_stored_by_a_clock_far_ahead_proves_what_completes_now() -> None:
    async with proofs() as it:
        stored = await it.store(policy())
        stored.completed_since += timedelta(days=400)
        it.completed("first", ago=60.0)
        await it.look()
        await it.world.clock.advance(60.0)
        it.completed("second")
        await it.look(8)
        assert it.ran == ["second"]
