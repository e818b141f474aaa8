"""The gate: intent first, preconditions always, an unknown outcome is a value, and nothing passes a closed gate."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

import lazarus_tui
from lazarus_tui.engine.connection import Meter, for_operation
from lazarus_tui.engine.errors import GateClosed, RightMissing
from lazarus_tui.engine.failpoint import parse
from lazarus_tui.engine.gate import Gate
from lazarus_tui.engine.resume import written
from lazarus_tui.journal import JournalError
from lazarus_tui.journal.records import Transaction
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.model.steps import Outcome, StepStopped, Write, WriteResult
from tests.engine.world import Engine, World, laboratory, plan_for

OP = "aabbccdd00112233"
MAKE = Write("create", CONFIGMAPS, "shop", "thing", {"metadata": {"name": "thing", "labels": {"mine": "1"}}})

Fault = Callable[[HttpRequest], Awaitable[HttpResponse | None]]


@asynccontextmanager
async def gated(**options: Any) -> AsyncIterator[tuple[World, Engine, Gate]]:
    async with laboratory() as (world, engine):
        yield world, engine, gate_of(world, engine, **options)


def gate_of(world: World, engine: Engine, **options: Any) -> Gate:
    plan = options.pop("plan", None) or plan_for(world)
    cluster = for_operation(engine.cluster, OP, world.clock, Meter(world.clock))
    approved = options.pop("approved", plan.digest())
    gate = Gate(
        cluster, engine.journal, OP, plan, approved=approved, clock=world.clock, rng=lambda: 0.5, **options
    )  # fmt: skip
    gate.step = "make"
    return gate


async def events(engine: Engine) -> list[tuple[str, str]]:
    return [(e.kind, e.body.get("outcome", "")) for e in await engine.journal.events(OP)]


def once(fault: Fault) -> Fault:
    """Only the first write meets the fault."""
    left = [1]

    async def first(request: HttpRequest) -> HttpResponse | None:
        if request.method == "GET" or not left:
            return None
        left.clear()
        return await fault(request)

    return first


def answer(status: int, message: str = "no", **headers: str) -> Fault:
    async def fault(request: HttpRequest) -> HttpResponse | None:
        body = {"kind": "Status", "status": "Failure", "message": message, "reason": "Because", "code": status}
        given = {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}}
        return HttpResponse(status, given, msgspec.json.encode(body))

    return fault


async def test_the_intent_is_durable_before_the_request_leaves() -> None:
    async with gated() as (world, engine, gate):
        result = await gate.write(MAKE)
        assert result.outcome is Outcome.APPLIED
        assert result.object["metadata"]["labels"]["mine"] == "1"
        (intent, end) = await engine.journal.events(OP)
        assert world.sent[0].seq == intent.seq < end.seq
        assert intent.body["verb"] == "create"
        assert end.body["uid"] == result.object["metadata"]["uid"]


async def test_a_journal_without_room_means_no_change() -> None:
    async with gated() as (world, engine, gate):

        async def cap(transaction: Transaction) -> None:
            pages = next(iter(await transaction.db.execute_fetchall("PRAGMA page_count")))[0]
            await transaction.db.execute(f"PRAGMA max_page_count={pages}")

        async def fill() -> None:
            for n in range(100):
                await engine.journal.append("filler", ("k", {"n": n, "text": "x" * 200}))

        await engine.journal.run(cap)
        with pytest.raises(JournalError, match="full"):
            await fill()
        with pytest.raises(GateClosed, match="full") as closed:
            await gate.write(Write("create", CONFIGMAPS, "shop", "big", {"metadata": {"name": "big"}}, undo="y" * 4000))
        assert closed.value.park
        assert world.sent == []
        assert world.config("big") is None


async def test_a_change_without_a_uid_is_refused() -> None:
    async with gated() as (world, _, gate):
        for verb in ("merge-patch", "json-patch", "delete"):
            with pytest.raises(StepStopped, match="without knowing its uid"):
                await gate.write(Write(verb, CONFIGMAPS, "shop", "thing", {}))
        assert world.sent == []


async def test_another_object_of_the_same_name_is_never_touched() -> None:
    async with gated() as (world, _, gate):
        first = await gate.write(MAKE)
        uid = str(first.object["metadata"]["uid"])
        world.api.delete(CONFIGMAPS, "thing", "shop")
        world.api.create(CONFIGMAPS, {"metadata": {"name": "thing"}, "data": {"precious": "yes"}}, "shop")
        before = world.config("thing")
        for write in (
            Write("delete", CONFIGMAPS, "shop", "thing", uid=uid),
            Write("merge-patch", CONFIGMAPS, "shop", "thing", {"data": {"precious": "no"}}, uid=uid),
            Write("json-patch", CONFIGMAPS, "shop", "thing", [{"op": "remove", "path": "/data"}], uid=uid),
        ):
            assert (await gate.write(write)).outcome is Outcome.CONFLICT
        assert world.config("thing") == before


@pytest.mark.parametrize("verb", ["create", "merge-patch", "json-patch", "delete"])
@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("how", ["reset", "timeout", "502"])
async def test_a_lost_answer_is_ambiguous_and_never_resent(verb: str, applied: bool, how: str) -> None:
    async with gated() as (world, engine, gate):
        world.api.create(CONFIGMAPS, {"metadata": {"name": "old"}, "data": {"n": "0"}}, "shop")
        uid = world.config("old")["metadata"]["uid"]  # type: ignore[index]

        async def lost(request: HttpRequest) -> HttpResponse | None:
            if applied:
                world.faults.clear()
                await world.server.handle(request)
                world.sent.pop()
            if how == "502":
                return HttpResponse(502, {"content-type": "text/html"}, b"<html>bad gateway</html>")
            raise ConnectionResetError if how == "reset" else TimeoutError

        world.faults.append(once(lost))
        writes = {
            "create": MAKE,
            "merge-patch": Write(verb, CONFIGMAPS, "shop", "old", {"data": {"n": "1"}}, uid=uid),
            "json-patch": Write(
                verb, CONFIGMAPS, "shop", "old", [{"op": "replace", "path": "/data/n", "value": "1"}], uid=uid
            ),
            "delete": Write(verb, CONFIGMAPS, "shop", "old", uid=uid),
        }
        result = await gate.write(writes[verb])
        assert result.outcome is Outcome.AMBIGUOUS
        assert len(world.sent) == 1, "sent once"
        old = world.config("old")
        effect = {
            "create": world.config("thing") is not None,
            "delete": old is None,
        }.get(verb, old is not None and old["data"] == {"n": "1"})
        assert effect is applied
        assert await events(engine) == [("gate.intent", ""), ("gate.result", "ambiguous")]
        assert written(await engine.journal.events(OP)) == {"make"}


@pytest.mark.parametrize("fault", [answer(429), answer(503, retry_after="7"), answer(429, retry_after="2")])
async def test_a_pushback_is_waited_for_and_sent_again(fault: Fault) -> None:
    async with gated() as (world, engine, gate):
        world.faults.append(once(fault))
        result = await engine.passing(gate.write(MAKE))
        assert result.outcome is Outcome.APPLIED
        assert len(world.sent) == 2
        assert world.clock.monotonic() > 0.4
        assert await events(engine) == [("gate.intent", ""), ("gate.result", "applied")]


async def test_a_server_that_cannot_be_reached_is_tried_for_ten_minutes() -> None:
    async def refused(request: HttpRequest) -> HttpResponse | None:
        if request.method == "GET":
            return None
        raise ConnectionRefusedError("refused")

    waits: list[str] = []
    async with gated(on_wait=waits.append) as (world, engine, gate):
        world.faults.append(refused)
        result = await engine.passing(gate.write(MAKE))
        assert result.outcome is Outcome.NOT_SENT
        assert 500 < world.clock.monotonic() <= 600
        assert waits
        assert written(await engine.journal.events(OP)) == set()


async def test_a_false_403_is_asked_three_times_before_it_counts() -> None:
    async with gated() as (world, engine, gate):
        world.faults.append(once(answer(403, "not yet")))
        assert (await engine.passing(gate.write(MAKE))).outcome is Outcome.APPLIED
        world.faults.append(answer(403, "user x may not"))
        uid = world.config("thing")["metadata"]["uid"]  # type: ignore[index]
        with pytest.raises(RightMissing, match="missing right: delete configmaps in namespace shop"):
            await engine.passing(gate.write(Write("delete", CONFIGMAPS, "shop", "thing", uid=uid)))
        assert len(world.sent) == 5


@pytest.mark.parametrize(
    ("status", "outcome"), [(409, Outcome.CONFLICT), (422, Outcome.PERMANENT), (404, Outcome.GONE)]
)
async def test_final_answers_come_back_as_values(status: int, outcome: Outcome) -> None:
    async with gated() as (world, engine, gate):
        world.faults.append(once(answer(status)))
        result: WriteResult = await gate.write(MAKE)
        assert result.outcome is outcome
        assert result.reason
        assert written(await engine.journal.events(OP)) == set()


@pytest.mark.parametrize(
    ("options", "word"),
    [({"approved": "0" * 64}, "approved"), ({"permitted": lambda: False}, "read-only")],
)
async def test_a_closed_gate_lets_nothing_through(options: dict[str, Any], word: str) -> None:
    async with gated(**options) as (world, engine, gate):
        with pytest.raises(GateClosed, match=word):
            await gate.write(MAKE)
        assert world.sent == []
        assert await events(engine) == []


async def test_frozen_cancelled_or_another_cluster() -> None:
    async with laboratory() as (world, engine):
        frozen, cancelled = gate_of(world, engine), gate_of(world, engine)
        frozen.freeze("the lease was lost")
        cancelled.cancelled = True
        other = gate_of(world, engine, plan=plan_for(world, cluster_uid="elsewhere"))
        for gate, word in ((frozen, "lease was lost"), (cancelled, "on request"), (other, "another cluster")):
            with pytest.raises(GateClosed, match=word):
                await gate.write(MAKE)
        assert world.sent == []


async def test_what_changes_during_the_commit_is_seen_before_sending() -> None:
    async with laboratory() as (world, engine):
        asked = 0

        def permitted() -> bool:
            nonlocal asked
            asked += 1
            return asked == 1

        gate = gate_of(world, engine, permitted=permitted)
        with pytest.raises(GateClosed, match="read-only"):
            await gate.write(MAKE)
        assert world.sent == []
        assert await events(engine) == [("gate.intent", "")]


async def test_a_cancelled_write_is_an_open_question_for_the_next_run() -> None:
    async def hang(request: HttpRequest) -> HttpResponse | None:
        if request.method == "POST":
            await world.clock.sleep(1000)
        return None

    async with gated() as (world, engine, gate):
        world.faults.append(hang)
        task = asyncio.create_task(gate.write(MAKE))
        while not world.sent:
            await asyncio.sleep(0.0005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await events(engine) == [("gate.intent", "")]
        assert written(await engine.journal.events(OP)) == {"make"}


def test_nobody_else_calls_the_write_verbs() -> None:
    root = Path(lazarus_tui.__file__).parent
    verbs = re.compile(r"(?:cluster|reader)\.(?:create|merge_patch|json_patch|delete)\(")
    callers = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if not path.is_relative_to(root / "sandbox") and verbs.search(path.read_text(encoding="utf-8"))
    }
    assert callers == {"engine/gate.py"}


def test_failpoints_are_parsed_and_unknown_actions_refused() -> None:
    assert set(parse("gate.after_intent=kill9,runner.after_end=kill9@3")) == {"gate.after_intent", "runner.after_end"}
    with pytest.raises(ValueError, match="unknown failpoint action"):
        parse("gate.after_intent=sleep")
