"""Whatever breaks, in whatever order: everything arrives, once per id or more, and in its order."""

from __future__ import annotations

import pytest

from lazarus_tui.notify import desk as desks
from lazarus_tui.notify.notice import Action
from lazarus_tui.notify.outgoing import Answer, Outcome
from tests.engine.world import seeded
from tests.notify.office import DELIVERED, LATER, Office, notice, sink


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_breaks_everything_arrives_and_in_its_order(office: Office, seed: int) -> None:
    """Random troubles, answers and kills: at the end each notice was taken, each key's in the order of its events."""
    chance = seeded(seed)
    office.sinks = (sink(), sink("ops"))
    queued: list[str] = []
    await office.boot()
    for n in range(25):
        answers = chance.choices([DELIVERED, LATER, Answer(Outcome.LATER, "429", 7.0), RuntimeError("bug")], k=3)
        office.post.script = {"siem": [*answers, DELIVERED], "ops": [chance.choice(answers), DELIVERED]}
        key, stands = chance.choice("abc"), office.desk.outbox.standing
        given = notice(key, Action.RESOLVE if key in stands and chance.random() < 0.5 else Action.TRIGGER, n)
        await office.desk.tell([given])
        queued.append(given.id)
        if chance.random() < 0.4:
            await office.kill(lose=chance.random() < 0.5)
            await office.boot()
        await office.pass_(chance.choice([0, 1, 5, 30]))
    await office.pass_(desks.LAST * 2)
    assert office.desk.outbox.waiting == ()
    for name in ("siem", "ops"):
        first = list(dict.fromkeys(id for at, id in office.post.taken if at == name))
        assert sorted(first) == sorted(queued)
        for key in "abc":
            assert [id for id in first if id[0] == key] == [id for id in queued if id[0] == key]
