"""Operations and their logs on the hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace

from lazarus_tui.engine import oplogs
from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.hub import Hub
from lazarus_tui.engine.oplogs import OperationTopics
from lazarus_tui.journal import JournalError
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.topics import LogLine
from lazarus_tui.sandbox.clock import VirtualClock
from tests.engine.fakes import look


def operation(op: str, state: OpState = OpState.RUNNING) -> Operation:
    return Operation(
        id=op, kind="k", context="c", target="t", title="T", state=state, plan_digest="", started="2026-01-01T00:00:00Z"
    )


class Journalled:
    """What the journal knows, by operation."""

    def __init__(self, **logs: list[LogLine]) -> None:
        self.logs = logs

    async def get(self, prefix: str) -> Operation:
        found = [op for op in self.logs if op.startswith(prefix)]
        if not found:
            raise Refused("no operation")
        return operation(found[0], OpState.DONE)

    async def lines(self, op: str, after: int = 0) -> list[LogLine]:
        return [line for line in self.logs[op] if line.n > after]


def lines(first: int, last: int) -> list[LogLine]:
    return [LogLine(n, "2026-01-01T00:00:00Z", f"line {n}") for n in range(first, last + 1)]


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub = Hub(VirtualClock(), interval=0.0)
    yield hub
    await hub.stop()


async def shown(hub: Hub, op: str) -> list[int]:
    _, records = await look(hub, f"oplog/{op}")
    return sorted(int(key) for key in records)


async def test_old_operations_are_listed_and_new_ones_join(hub: Hub) -> None:
    topics = OperationTopics(hub)
    topics.listed([operation("new", OpState.DONE), operation("old", OpState.DONE)])
    topics.changed(operation("newest"))
    update, records = await look(hub, "operations")
    assert update.state == "ready"
    assert list(records) == ["new", "old", "newest"]
    assert [found.id for found in topics.known()] == ["old", "new", "newest"]


async def test_the_list_is_bounded_by_dropping_the_oldest(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oplogs, "MAX_OPERATIONS", 3)
    topics = OperationTopics(hub)
    for n in range(5):
        topics.changed(operation(f"op{n}", OpState.DONE))
    _, records = await look(hub, "operations")
    assert list(records) == ["op2", "op3", "op4"]


async def test_lines_are_shown_as_they_are_said(hub: Hub) -> None:
    topics = OperationTopics(hub)
    topics.said("a", lines(1, 2))
    topics.said("a", lines(3, 3))
    assert await shown(hub, "a") == [1, 2, 3]
    # Nothing is missing, so the journal (which may lag) is not asked.
    await topics.fetch(Journalled(a=[]), "a")  # type: ignore[arg-type]
    assert await shown(hub, "a") == [1, 2, 3]


async def test_a_recovered_operations_log_is_completed_from_the_journal(hub: Hub) -> None:
    topics = OperationTopics(hub)
    topics.said("a", lines(8, 9))
    await topics.fetch(Journalled(a=lines(1, 7)), "a")  # type: ignore[arg-type]
    assert await shown(hub, "a") == list(range(1, 10))


async def test_an_unknown_operation_stays_unknown(hub: Hub) -> None:
    topics = OperationTopics(hub)
    journal: Any = Journalled(abcdef=lines(1, 1))
    await topics.fetch(journal, "nothing")
    await topics.fetch(journal, "abc")  # a topic is named by the whole id
    assert not hub.has("oplog/nothing")
    assert not hub.has("oplog/abc")


async def test_logs_are_bounded_in_lines_and_in_number(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oplogs, "MAX_LINES", 10)
    monkeypatch.setattr(oplogs, "MAX_LOGS", 2)
    topics = OperationTopics(hub)
    for n in range(1, 40):
        topics.said("a", lines(n, n))
    assert len(await shown(hub, "a")) <= 12
    assert (await shown(hub, "a"))[-1] == 39
    topics.said("b", lines(1, 1))
    topics.said("c", lines(1, 1))
    assert not hub.has("oplog/a")
    assert hub.has("oplog/c")


async def test_an_open_operation_stays_listed_however_many_came_after_it(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oplogs, "MAX_OPERATIONS", 3)
    topics = OperationTopics(hub)
    topics.changed(operation("waits", OpState.PARKED))
    for n in range(5):
        topics.changed(operation(f"op{n}", OpState.DONE))
    _, records = await look(hub, "operations")
    assert list(records) == ["waits", "op3", "op4"]
    assert [one.id for one in topics.known()] == ["waits", "op3", "op4"]
    topics.changed(operation("waits", OpState.DONE))
    topics.changed(operation("op5", OpState.DONE))
    assert [one.id for one in topics.known()] == ["op3", "op4", "op5"], "once it has ended it goes like the others"


async def test_long_logs_make_room_for_newer_ones_and_come_back_when_asked_for(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oplogs, "MAX_TEXT", 100)
    topics = OperationTopics(hub)
    for op in ("a", "b", "c"):
        topics.said(op, lines(1, 8))
    assert not hub.has("oplog/a")
    assert hub.has("oplog/c")
    assert len(topics._text) == len(topics._newest) == len(topics._whole) == 2
    await topics.fetch(Journalled(a=lines(1, 8)), "a")  # type: ignore[arg-type]
    assert await shown(hub, "a") == list(range(1, 9))
    topics.said("d", lines(1, 1000))
    assert len(await shown(hub, "d")) == 1000, "the newest is whole, however long it is"


async def test_of_a_proof_that_has_ended_the_engine_keeps_the_record_and_consoles_get_all(hub: Hub) -> None:
    topics = OperationTopics(hub)
    facts = {"prove.record": {"point": "nightly"}, "prove.isolation": {"closed": True}}
    proof = replace(operation("a"), facts=facts)
    topics.changed(proof)
    assert topics.known()[0].facts == facts
    topics.changed(replace(proof, state=OpState.DONE))
    assert topics.known()[0].facts == {"prove.record": {"point": "nightly"}}
    other = OperationTopics(hub)
    other.listed([replace(proof, state=OpState.DONE)])
    assert other.known()[0].facts == {"prove.record": {"point": "nightly"}}
    _, records = await look(hub, "operations")
    assert records["a"]["facts"] == facts


async def test_a_log_that_nobody_waited_for_or_that_could_not_be_read_is_read_when_it_is_asked_for_again(
    hub: Hub,
) -> None:
    topics, stuck = OperationTopics(hub), asyncio.Event()

    class Slow(Journalled):
        async def lines(self, op: str, after: int = 0) -> list[LogLine]:
            await stuck.wait()
            raise JournalError("the journal cannot be read")

    asking = asyncio.create_task(topics.fetch(Slow(a=[]), "a"))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    stuck.set()
    with pytest.raises(JournalError):
        await topics.fetch(Slow(a=[]), "a")  # type: ignore[arg-type]
    await topics.fetch(Journalled(a=lines(1, 3)), "a")  # type: ignore[arg-type]
    assert await shown(hub, "a") == [1, 2, 3]
