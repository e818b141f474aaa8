"""A journal that was damaged, edited, planted or made by others is noticed, named and never deleted."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.journal import JournalError, JournalInUse, JournalNewer, chain, file
from lazarus_tui.journal.lock import refuse_network
from lazarus_tui.model.paths import UnsafePath
from tests.engine.world import seeded
from tests.journal.conftest import filled, open_in, put, reopened


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


@pytest.mark.parametrize("piece", [file.PIECE, 2])
async def test_every_edited_event_is_noticed(folder: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    monkeypatch.setattr(file, "PIECE", piece)
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
    for cut in range(len(rows)):
        before = chain.verify(rows[:cut])
        assert chain.verify(rows[cut:], *before) == (5, prev)
        with pytest.raises(ValueError, match=f"event {cut + 1} is missing"):
            chain.verify(rows[cut + 1 :] or [(7, *rows[0][1:])], *before)


async def test_a_long_journal_is_looked_at_in_pieces_that_hold_together(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await filled(folder, 40)
    verify, sizes = chain.verify, list[int]()

    def seen(rows: Iterable[chain.Row], *before: Any) -> tuple[int, bytes]:
        piece = list(rows)
        sizes.append(len(piece))
        return verify(piece, *before)

    monkeypatch.setattr(file, "PIECE", 7)
    monkeypatch.setattr(chain, "verify", seen)
    journal = await open_in(folder)
    last = journal.newest
    await journal.close()
    assert (journal.findings, max(sizes), sum(sizes)) == ((), 7, last - 1), "all but what it says when it is opened"


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
