"""The journal keeps what it acknowledged, notices what was changed, and never deletes anything."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from lazarus_tui.journal import Journal, JournalError, JournalFull, JournalInUse, JournalNewer, chain
from lazarus_tui.journal.lock import refuse_network
from lazarus_tui.journal.records import MAX_LINE, MAX_LINES, Transaction, log_line
from lazarus_tui.model.clock import SystemClock
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.paths import UnsafePath
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.model.topics import LogLine
from lazarus_tui.sandbox.clock import VirtualClock
from tests.engine.world import fast_folder, seeded

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


def put(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


async def reopened(folder: Path) -> Journal:
    journal = await open_in(folder)
    await journal.close()
    return journal


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


async def test_a_program_that_has_the_file_open_is_named_too(folder: Path) -> None:
    await filled(folder)
    other = sqlite3.connect(folder / "engine.db", isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(JournalInUse, match="another program has"):
            await open_in(folder)
    finally:
        other.close()
    assert (await reopened(folder)).findings == ()


async def test_a_newer_journal_is_refused_and_untouched(folder: Path) -> None:
    await filled(folder)
    with sqlite3.connect(folder / "engine.db") as db:
        db.execute("PRAGMA user_version=2")
    db.close()
    before = (folder / "engine.db").read_bytes()
    with pytest.raises(JournalNewer, match="format 2"):
        await open_in(folder)
    assert (folder / "engine.db").read_bytes() == before


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine(x)")
    db.close()


DAMAGES = {
    "foreign": foreign,
    "text": lambda path: path.write_text("hello, I am not a database at all"),
    "empty": lambda path: path.write_bytes(b""),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "odd": lambda path: os.truncate(path, path.stat().st_size - 100),
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_damaged_journal_is_moved_aside_and_reported(folder: Path, name: str) -> None:
    path = folder / "engine.db"
    if name != "foreign":
        await filled(folder)
    DAMAGES[name](path)
    path.chmod(0o600)
    damaged = path.read_bytes()
    journal = await open_in(folder)
    assert [f.severity for f in journal.findings] == ["error"]
    assert await journal.operations() == []
    await journal.append("x", ("works", {}))
    await journal.close()
    (aside,) = folder.glob("engine.db.corrupt-*")
    assert aside.read_bytes() == damaged
    again = await open_in(folder)
    assert [f.severity for f in again.findings] == ["warning"], "it is told until somebody has taken care"
    assert [e.kind for e in await again.events_of("journal.replaced")] == ["journal.replaced"]
    await again.close()


async def test_each_damaged_journal_keeps_its_own_name(folder: Path) -> None:
    for n in range(3):
        (folder / "engine.db").write_text(f"junk {n}")
        (folder / "engine.db").chmod(0o600)
        await reopened(folder)
    assert sorted(p.read_text() for p in folder.glob("engine.db.corrupt-*")) == ["junk 0", "junk 1", "junk 2"]


async def test_remains_of_a_lost_journal_never_get_into_a_new_one(folder: Path) -> None:
    (folder / "engine.db-journal").write_bytes(b"remains")
    journal = await open_in(folder)
    assert "the file was gone" in journal.findings[0].what
    await journal.close()
    assert [p.read_bytes() for p in folder.glob("engine.db.corrupt-*-journal")] == [b"remains"]


def content(path: Path) -> list[list[tuple[object, ...]]]:
    """Events, and operations but for the column that only helps to notice a cut tail."""
    db = sqlite3.connect(path)
    try:
        columns = "id, kind, context, cluster_uid, target, state, started, plan, plan_sha, record, record_sha"
        return [db.execute(f"SELECT {what}").fetchall() for what in ("* FROM event", f"{columns} FROM op")]
    finally:
        db.close()


async def test_flipped_bytes_are_noticed_or_harmless(folder: Path) -> None:
    """Whatever a flipped byte or a cut does, the events and operations that come back are those that were written."""
    path = folder / "engine.db"
    await filled(folder)
    whole, wanted = path.read_bytes(), content(path)
    rng, noticed = seeded(11), 0
    for _ in range(int(os.environ.get("LAZARUS_FLIPS", "300"))):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 1, 1, 2, 8))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        put(path, data[: rng.randrange(len(data))] if rng.random() < 0.1 else data)
        try:
            journal = await open_in(folder)
        except JournalNewer:
            noticed += 1
        else:
            await journal.close()
            if journal.findings:
                noticed += 1
            else:
                found = content(path)
                assert (found[0][:-1], found[1]) == (wanted[0], wanted[1])
        for leftover in folder.glob("engine.db*"):
            leftover.unlink()
    assert noticed > 60


async def test_every_edited_event_is_noticed(folder: Path) -> None:
    path = folder / "engine.db"
    await filled(folder)
    whole = path.read_bytes()
    edits = [
        "UPDATE event SET body=X'7b7d' WHERE seq=3",
        "UPDATE event SET kind='op.done' WHERE seq=2",
        "UPDATE event SET at='2020-01-01T00:00:00Z' WHERE seq=4",
        "UPDATE event SET op='other' WHERE seq=5",
        "DELETE FROM event WHERE seq=4",
        "DELETE FROM event WHERE seq=(SELECT max(seq) FROM event)",
        "UPDATE event SET seq=seq+1000 WHERE seq=(SELECT max(seq) FROM event)",
        "UPDATE op SET state='parked' WHERE id='0000000000000001'",
        "UPDATE op SET record=CAST(replace(record, 'done', 'gone') AS BLOB)",
        "UPDATE op SET head=head+100",
    ]
    for sql in edits:
        put(path, whole)
        db = sqlite3.connect(path, isolation_level=None)
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type='trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        db.execute(sql)
        for _, text in triggers:
            db.execute(text)
        db.close()
        journal = await reopened(folder)
        assert journal.findings, sql
        for leftover in folder.glob("engine.db*"):
            leftover.unlink()


def test_the_chain_names_the_first_bad_event() -> None:
    rows, prev = [], chain.GENESIS
    for seq in range(1, 6):
        found = chain.link(prev, seq, "op", "at", 1, "me", "k", b"{}")
        rows.append((seq, "op", "at", 1, "me", "k", b"{}", prev, found))
        prev = found
    assert chain.verify(rows) == (5, prev)
    with pytest.raises(ValueError, match="event 3 was changed"):
        chain.verify([*rows[:2], (3, "op", "at", 1, "me", "X", b"{}", rows[2][7], rows[2][8]), *rows[3:]])
    with pytest.raises(ValueError, match="event 2 is missing"):
        chain.verify([rows[0], *rows[2:]])


async def test_a_planted_or_open_file_is_refused(folder: Path) -> None:
    await filled(folder)
    (folder / "engine.db").chmod(0o644)
    with pytest.raises(UnsafePath, match="open to others"):
        await open_in(folder)
    (folder / "engine.db").chmod(0o600)
    folder.chmod(0o755)
    with pytest.raises(UnsafePath, match="open to others"):
        await open_in(folder)
    folder.chmod(0o700)
    await reopened(folder)


def test_network_file_systems_are_refused(tmp_path: Path) -> None:
    info = tmp_path / "mountinfo"
    info.write_text(
        f"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:40 / {os.path.realpath(tmp_path)} rw - nfs4 server:/home rw\n"
    )
    with pytest.raises(JournalError, match="network file system"):
        refuse_network(tmp_path, info)
    info.write_text(f"22 1 8:1 / / rw - nfs /srv rw\n30 22 0:40 / {os.path.realpath(tmp_path)} rw - ext4 /dev/sdb rw\n")
    refuse_network(tmp_path, info)
    refuse_network(tmp_path, tmp_path / "absent")


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
