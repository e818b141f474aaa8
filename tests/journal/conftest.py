"""A journal in a folder on fast storage, and a history to fill it with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from lazarus_tui.journal import Journal
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.model.topics import LogLine
from lazarus_tui.sandbox.clock import VirtualClock
from tests.engine.world import fast_folder

PLAN = Plan(
    kind="k", context="c", cluster_uid="u", target="t", title="T", danger=Danger.SAFE, params={"a": 1}, steps=()
)


def operation(n: int, state: OpState = OpState.RUNNING, **fields: object) -> Operation:
    base = Operation(
        id=f"{n:016x}", kind="k", context="c", target="t", title="T", state=state, plan_digest=PLAN.digest(),
        started=f"2026-01-01T00:00:{n:02d}Z",
    )  # fmt: skip
    return msgspec.structs.replace(base, **fields)


@pytest.fixture
def folder() -> AsyncIterator[Path]:
    with fast_folder() as found:
        yield found  # type: ignore[misc]


async def open_in(folder: Path) -> Journal:
    return await Journal.open(folder / "engine.db", clock=VirtualClock())


async def filled(folder: Path, count: int = 12) -> str:
    """A closed journal with a history; its head."""
    journal = await open_in(folder)
    for n in range(count // 4):
        await journal.begin(operation(n), PLAN, ("op.begun", {"n": n}))
        await journal.append(f"{n:016x}", ("facts", {"at": n}), ("facts", {"at": n, "long": "x" * 300}))
        await journal.save(operation(n, OpState.DONE), ("op.ended", {}), lines=[LogLine(1, "now", "a line")])
    head = journal.head
    await journal.close()
    return head


def put(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


async def reopened(folder: Path) -> Journal:
    journal = await open_in(folder)
    await journal.close()
    return journal
