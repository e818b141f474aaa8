"""The journal keeps what it acknowledged, notices what was changed, and never deletes anything."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lazarus_tui.journal import Journal, JournalError, JournalFull, JournalInUse
from lazarus_tui.journal.records import MAX_LINE, MAX_LINES, Transaction, log_line
from lazarus_tui.model.clock import SystemClock
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.topics import LogLine
from tests.engine.world import seeded
from tests.journal.conftest import PLAN, filled, open_in, operation, reopened


async def test_what_is_written_comes_back_newest_first(folder: Path) -> None:
    head = await filled(folder)
    journal = await open_in(folder)
    assert journal.findings == ()
    assert [o.id[-1] for o in await journal.operations()] == ["2", "1", "0"]
    assert await journal.plan(f"{1:016x}") == PLAN
    assert [e.kind for e in await journal.events(f"{1:016x}")] == ["op.begun", "facts", "facts", "op.ended"]
    assert [line.text for line in await journal.lines(f"{1:016x}")] == ["a line"]
    assert await journal.open_operations() == []
    assert journal.head != head, "opening is an event too"
    await journal.close()


async def test_open_operations_are_never_cut_off_by_the_limit(folder: Path) -> None:
    journal = await open_in(folder)
    await journal.begin(operation(0, OpState.PARKED), PLAN)
    for n in range(1, 8):
        await journal.begin(operation(n, OpState.DONE), PLAN)
    assert [o.id[-1] for o in await journal.operations(limit=3)] == ["7", "6", "0"]
    assert [o.id[-1] for o in await journal.open_operations()] == ["0"]
    await journal.close()


async def test_operations_of_one_kind_are_found_behind_any_number_of_others(folder: Path) -> None:
    journal = await open_in(folder)
    for n in range(8):
        await journal.begin(operation(n, OpState.DONE, kind="drill" if n in (1, 2, 4) else "k"), PLAN)
    assert [[o.id[-1] for o in page] async for page in journal.pages_of("drill", 2)] == [["1", "2"], ["4"]]
    assert [[o.id[-1] for o in page] async for page in journal.pages_of("k", 5)] == [["0", "3", "5", "6", "7"]]
    assert [page async for page in journal.pages_of("other")] == []
    await journal.close()


async def test_settings_are_in_force(folder: Path) -> None:
    journal = await open_in(folder)

    async def read(transaction: Transaction) -> list[object]:
        names = ("synchronous", "journal_mode", "locking_mode", "foreign_keys", "trusted_schema", "application_id")
        return [next(iter(await transaction.db.execute_fetchall(f"PRAGMA {name}")))[0] for name in names]

    assert await journal.run(read) == [3, "delete", "exclusive", 1, 0, 0x4C5A5253]
    assert {p.stat().st_mode & 0o777 for p in folder.iterdir()} == {0o600}
    await journal.close()


async def test_events_cannot_be_changed_even_by_our_own_code(folder: Path) -> None:
    journal = await open_in(folder)
    await journal.append("x", ("k", {}))
    for sql in ("UPDATE event SET kind='z'", "DELETE FROM event", "DELETE FROM op"):
        if sql.endswith("op"):
            await journal.begin(operation(1), PLAN)
        with pytest.raises(JournalError, match="append only"):
            await journal.run(lambda transaction, sql=sql: transaction.db.execute(sql))  # type: ignore[misc]
    with pytest.raises(JournalError, match="never changes"):
        await journal.run(lambda transaction: transaction.db.execute("UPDATE op SET plan_sha='x'"))
    await journal.close()


async def test_a_transaction_is_whole_or_not_at_all(folder: Path) -> None:
    journal = await open_in(folder)
    head = journal.head

    async def half(transaction: Transaction) -> None:
        await transaction.event("x", "first", {})
        raise ValueError("in the middle")

    with pytest.raises(ValueError, match="in the middle"):
        await journal.run(half)
    assert journal.head == head
    assert await journal.events("x") == []
    await journal.append("x", ("after", {}))
    await journal.close()
    assert (await reopened(folder)).findings == ()


async def test_cancelled_writers_are_complete_and_known(folder: Path) -> None:
    journal = await open_in(folder)
    rng = seeded(7)

    async def write(n: int) -> None:
        await journal.append("x", ("first", {"n": n}), ("second", {"n": n}))

    tasks = [asyncio.create_task(write(n)) for n in range(100)]
    for n, task in enumerate(tasks):
        if n % 2:
            await asyncio.sleep(rng.random() / 2000)
        task.cancel()
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not journal._running, "whoever was cancelled heard of it only after the end"
    events = await journal.events("x")
    assert len(events) % 2 == 0
    pairs = zip(events[::2], events[1::2], strict=True)
    assert all((a.kind, b.kind) == ("first", "second") and a.body == b.body for a, b in pairs)
    assert events, "some were under way already"
    await journal.close()
    assert (await reopened(folder)).findings == ()


async def test_a_full_disk_keeps_what_was_acknowledged(folder: Path) -> None:
    journal = await open_in(folder)
    await journal.append("x", ("kept", {}))

    async def cap(transaction: Transaction) -> None:
        pages = next(iter(await transaction.db.execute_fetchall("PRAGMA page_count")))[0]
        await transaction.db.execute(f"PRAGMA max_page_count={pages + 1}")

    await journal.run(cap)

    async def fill() -> None:
        for n in range(200):
            await journal.append("x", ("filler", {"n": n, "text": "y" * 400}))

    with pytest.raises(JournalFull, match="full") as full:
        await fill()
    assert "df " in full.value.hint
    kept = len(await journal.events("x"))
    assert kept >= 1
    await journal.run(lambda transaction: transaction.db.execute("PRAGMA max_page_count=1000000"))
    await journal.append("x", ("after", {}))
    await journal.close()
    journal = await open_in(folder)
    assert journal.findings == ()
    assert len(await journal.events("x")) == kept + 1
    await journal.close()


async def test_a_second_engine_gets_one_clear_sentence(folder: Path) -> None:
    journal = await open_in(folder)
    with pytest.raises(JournalInUse) as refused:
        await open_in(folder)
    assert refused.value.what == f"another engine (process {os.getpid()}) works with the journal {folder / 'engine.db'}"
    assert "lazarus engine stop" in refused.value.hint
    await journal.append("x", ("still", {}))
    await journal.close()
    await reopened(folder)


async def test_log_lines_are_capped_and_say_so(folder: Path) -> None:
    journal = await open_in(folder)
    await journal.begin(operation(1), PLAN)
    op = f"{1:016x}"
    for start in range(1, MAX_LINES + 200, 500):
        await journal.add_lines(op, [LogLine(n, "t", str(n)) for n in range(start, start + 500)])
    kept = await journal.lines(op)
    assert len(kept) == MAX_LINES
    assert kept[-1].text == str(kept[-1].n)
    await journal.close()
    line = log_line(1, "t", "z" * (MAX_LINE + 50))
    assert line.text.endswith("(50 more characters not kept)")
    assert "hunter2hunter2" not in log_line(1, "t", "password=hunter2hunter2").text


async def test_no_secret_reaches_the_file(folder: Path) -> None:
    canary = "Canary9zQ4LmXw7Kp2"
    journal = await open_in(folder)
    secret = {"kind": "Secret", "data": {"x": canary}, "metadata": {"managedFields": [canary]}}
    await journal.begin(operation(1, facts={"token": canary}, message=f"Bearer {canary}"), PLAN)
    await journal.append("x", ("gate.intent", {"undo": secret, "url": f"https://s3/x?X-Amz-Signature={canary}"}))
    await journal.close()
    assert canary.encode() not in (folder / "engine.db").read_bytes()


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from lazarus_tui.journal import Journal
from lazarus_tui.model.clock import SystemClock

async def main():
    journal = await Journal.open(Path(sys.argv[1]) / "engine.db", clock=SystemClock())
    for n in range(10_000):
        await journal.append("x", ("row", {"n": n}))
        os.write(1, b"%d\\n" % n)

asyncio.run(main())
"""


async def test_kill_9_loses_no_acknowledged_row(folder: Path) -> None:
    rng = seeded(3)
    acknowledged = 0
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        lines = 0
        for _ in range(rng.randrange(5, 60)):
            process.stdout.readline()
            lines += 1
        process.kill()
        lines += len(process.stdout.read().splitlines())
        process.stdout.close()
        process.wait()
        acknowledged += lines
        journal = await Journal.open(folder / "engine.db", clock=SystemClock())
        assert journal.findings == ()
        rows = len(await journal.events("x"))
        assert rows >= acknowledged
        acknowledged = rows
        await journal.close()


async def test_a_closed_journal_says_so(folder: Path) -> None:
    journal = await reopened(folder)
    with pytest.raises(JournalError, match="closed"):
        await journal.append("x", ("k", {}))
    await journal.close()
