"""Closing: a person ends what can neither go on nor be taken back, and nobody forgets what it may have left."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from lazarus_tui.engine import person as persons
from lazarus_tui.engine.closing import MAX_NAMED, closed
from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.resume import left
from lazarus_tui.journal import Event
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.steps import StepContext, StepStopped
from lazarus_tui.model.verdict import Verdict
from tests.engine.world import Engine, Make, World, laboratory, plan_for, simple


class Stuck(Make):
    """Makes the object, then can neither go on nor take it back."""

    name = "stuck"

    async def observe(self, context: StepContext) -> object:  # type: ignore[override]
        found = await super().observe(context)
        if context.facts.get("uid") or found.facts:
            raise StepStopped("the two halves disagree", hint="ask its maker", park=True)
        return found

    async def undo(self, context: StepContext) -> None:
        raise StepStopped("it cannot be taken back now", park=True)


STUCK = simple("ask", steps=(Stuck,))


async def parked(world: World, engine: Engine) -> Operation:
    found = await engine.run(plan_for(world, STUCK))
    assert found.state is OpState.PARKED
    return found


async def test_what_may_be_left_is_said_and_the_target_is_free_again() -> None:
    async with laboratory(STUCK) as (world, engine):
        stuck = await parked(world, engine)
        with pytest.raises(Refused, match="works on shop"):
            await engine.runner.start(plan_for(world, STUCK), plan_for(world, STUCK).digest())
        sent = len(world.sent)
        ended = await engine.runner.close_operation(stuck.id[:6], "shop", "replaced\nby hand")
        assert (ended.state, ended.exit_code) == (OpState.LEFT_CHANGED, 3)
        assert "closed by hand by somebody: replaced by hand" in ended.message
        assert "may be left behind: created configmaps shop/thing-00000000" in ended.message
        assert "it was parked: the two halves disagree" in ended.message
        assert len(world.sent) == sent, "closing sends nothing"
        assert engine.runner.open == (), "an engine with nothing open may go idle"
        assert engine.published[-1] == ended
        await engine.runner.start(plan_for(world, STUCK), plan_for(world, STUCK).digest())


async def test_it_is_journalled_with_who_and_why_and_survives_the_engine() -> None:
    async with laboratory(STUCK) as (world, engine):
        stuck = await parked(world, engine)
        await engine.runner.close_operation(stuck.id, "shop", "token=supersecretvalue1")
        (event,) = await engine.journal.events(stuck.id, "op.closed")
        assert event.body["by"] == "somebody"
        assert "supersecretvalue1" not in event.body["reason"]
        assert event.body["left"] == ["created configmaps shop/thing-00000000"]
        await engine.close()
        again = await world.boot(STUCK)
        assert await again.runner.recover() == []
        assert (await again.runner.get(stuck.id)).state is OpState.LEFT_CHANGED


async def test_what_changed_nothing_has_failed() -> None:
    class Refusing(Make):
        async def act(self, context: StepContext) -> None:
            raise StepStopped("not today", park=True)

    kind = simple("ask", steps=(Refusing,))
    async with laboratory(kind) as (world, engine):
        stuck = await engine.run(plan_for(world, kind))
        ended = await engine.runner.close_operation(stuck.id, "shop")
        assert (ended.state, ended.exit_code, ended.hint) == (OpState.FAILED, 2, "")
        assert "nothing is left behind" in ended.message


async def test_only_what_is_parked_and_named_is_closed() -> None:
    async with laboratory(STUCK, simple(kind="other")) as (world, engine):
        stuck = await parked(world, engine)
        for name in ("", "Shop", stuck.id):
            with pytest.raises(Refused, match="needs the name 'shop'") as refused:
                await engine.runner.close_operation(stuck.id, name)
            assert "--confirm shop" in refused.value.hint
        running = plan_for(world, simple(kind="other"), target="else")
        begun = await engine.runner.start(running, running.digest())
        with pytest.raises(Refused, match="is running") as refused:
            await engine.runner.close_operation(begun.id, "else")
        assert refused.value.hint == f"park it first: lazarus park {begun.id[:8]}"
        done = await engine.finish(begun.id)
        with pytest.raises(Refused, match="has ended: it is done"):
            await engine.runner.close_operation(done.id, "else")
        assert (await engine.runner.get(stuck.id)).state is OpState.PARKED


async def test_one_decision_at_a_time() -> None:
    async with laboratory(STUCK) as (world, engine):
        stuck = await parked(world, engine)
        both = asyncio.gather(
            engine.runner.close_operation(stuck.id, "shop"),
            engine.runner.resume(stuck.id),
            engine.runner.close_operation(stuck.id, "shop"),
            return_exceptions=True,
        )
        ended = await engine.passing(both)
        assert sum(isinstance(answer, Refused) for answer in ended) == 2, ended
        await engine.settle()
        found = await engine.finish(stuck.id)
        events = [event.kind for event in await engine.journal.events(stuck.id)]
        assert events.count("op.closed") + events.count("op.resumed") == 1
        assert found.state in (OpState.LEFT_CHANGED, OpState.PARKED)


async def test_taking_back_what_stands_still_needs_the_name() -> None:
    async with laboratory(STUCK) as (world, engine):
        stuck = await parked(world, engine)
        for _ in range(2):  # parked, then left changed
            with pytest.raises(Refused, match=r"taking it back needs the name 'shop'") as refused:
                await engine.runner.undo(stuck.id)
            assert "--confirm shop" in refused.value.hint
            stuck = await engine.runner.close_operation(stuck.id, "shop") if stuck.state is OpState.PARKED else stuck
        assert stuck.state is OpState.LEFT_CHANGED
        await engine.runner.undo(stuck.id, "shop")
        assert (await engine.finish(stuck.id)).message == "it cannot be taken back now"


def test_words_are_short_and_a_part_that_passed_proves_nothing() -> None:
    operation = Operation(
        id="a" * 16, kind="k", context="c", target="t", title="T", state=OpState.PARKED, plan_digest="d",
        started="2026-01-01T00:00:00Z", verdict=Verdict.PASSED,
    )  # fmt: skip
    made = {"step": "s", "verb": "create", "resource": "pods", "namespace": "n"}
    events = [
        Event(seq, operation.id, "2026-01-01T00:00:00Z", 0, "engine", "gate.intent", {**made, "name": f"p{seq}"})
        for seq in range(1, 10)
    ]
    ended, body = closed(operation, events, "me@here", "x" * 2000, "2026-01-01T00:00:01Z")
    assert ended.verdict is Verdict.INCONCLUSIVE
    assert "perhaps created pods n/p1, " in ended.message
    assert f"and {9 - MAX_NAMED} more" in ended.message
    assert (len(body["reason"]) < 500, len(body["left"])) == (True, 9)
    assert msgspec.json.decode(msgspec.json.encode(body)) == body


def test_a_user_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(persons.getpass, "getuser", nameless)
    assert persons.person().startswith("uid")


@pytest.mark.parametrize(
    ("deleting", "expected"),
    [
        ("applied", ["created backups.velero.io velero/b"]),
        ("ambiguous", ["created downloadrequests.velero.io velero/d", "created backups.velero.io velero/b",
                       "perhaps deleted downloadrequests.velero.io velero/d"]),
    ],
)  # fmt: skip
def test_what_was_made_and_surely_deleted_again_is_not_left(deleting: str, expected: list[str]) -> None:
    def event(seq: int, kind: str, **body: Any) -> Event:
        return Event(seq=seq, op="o", at="", boot_ns=0, actor="", kind=kind, body={"step": "s", **body})

    def write(seq: int, verb: str, resource: str, name: str, outcome: str) -> list[Event]:
        intent = event(seq, "gate.intent", verb=verb, resource=resource, namespace="velero", name=name)
        return [intent, event(seq + 1, "gate.result", intent=seq, outcome=outcome)]

    events = [
        *write(1, "create", "downloadrequests.velero.io", "d", "applied"),
        *write(3, "create", "backups.velero.io", "b", "applied"),
        *write(5, "delete", "downloadrequests.velero.io", "d", deleting),
    ]
    assert left(events) == expected
