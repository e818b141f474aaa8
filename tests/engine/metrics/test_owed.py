"""What policies and Schedules owe, as metrics tell it: what was told still stands, what nobody sees is not there."""

from __future__ import annotations

from lazarus_tui.engine.metrics.owed import Owed, together
from tests.engine.proofs import Proofs, policy, proofs
from tests.engine.world import CONTEXT

HOUR = 3600.0


def owed(it: Proofs) -> Owed:
    return it.runs.arrivals.owed(it.book.get(CONTEXT, "shop"))


async def test_a_point_that_is_late_stays_late_while_nobody_sees_and_is_gone_when_it_comes() -> None:
    async with proofs() as it:
        it.scheduled("0 * * * *")
        await it.store(policy(late_seconds=1800.0))
        assert owed(it) == Owed(), "nobody has looked yet"
        it.completed("first", schedule="nightly")
        await it.look(8)
        assert owed(it) == Owed(0, {}, 1, 0)
        it.completed("broken", "Failed", schedule="nightly")
        await it.world.clock.advance(1.6 * HOUR)
        await it.look(2)
        assert owed(it) == Owed(0, {"point": 1, "backup": 1}, 0, 0)
        it.away = True
        await it.look(2)
        assert owed(it) == Owed(0, {"point": 1, "backup": 1}), "what is expected is not known, what was told stands"
        await it.world.clock.advance(HOUR)
        await it.look(2)
        assert owed(it).overdue == 1
        it.away = False
        await it.dies()
        assert dict(owed(it).late) == {"point": 1, "backup": 1}, "the next engine knows it from the journal"
        it.completed("second", schedule="nightly")
        await it.look(8)
        assert owed(it) == Owed(0, {}, 1, 0)


async def test_what_nobody_expects_is_counted_and_what_is_not_there_too() -> None:
    async with proofs() as it:
        await it.store(policy(late_seconds=600.0))
        await it.look(3)
        assert (owed(it).late, owed(it).unknown) == ({}, 0)
        await it.world.clock.advance(HOUR)
        await it.look(2)
        assert dict(owed(it).late) == {"nothing": 1}, "no backup holds it"
        it.completed("first")
        await it.look(8)
        assert owed(it) == Owed(0, {}, 0, 1), "no Schedule says when the next one is due"


def test_several_together_are_their_sum_of_what_was_looked_at() -> None:
    found = together([Owed(1, {"point": 2}, 3, None), Owed(1, {"point": 1, "backup": 1}), Owed(0, {}, 1, 2)])
    assert (found.overdue, dict(found.late), found.expected, found.unknown) == (2, {"point": 3, "backup": 1}, 4, 2)
    assert together([Owed()]).expected is None
