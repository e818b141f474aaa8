"""Evidence: what was written can be shown to be what was written."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from lazarus_tui.evidence import EvidenceStore
from lazarus_tui.journal import Journal
from lazarus_tui.model.plan import canonical
from lazarus_tui.sandbox.clock import VirtualClock
from tests.engine.world import fast_folder


@pytest.fixture
async def place() -> AsyncIterator[tuple[Path, Journal, EvidenceStore]]:
    with fast_folder() as folder:
        journal = await Journal.open(folder / "engine.db", clock=VirtualClock())
        yield folder / "evidence", journal, EvidenceStore(folder / "evidence", journal, VirtualClock())
        await journal.close()


Place = tuple[Path, Journal, EvidenceStore]


async def test_records_are_canonical_private_and_chained(place: Place) -> None:
    folder, journal, store = place
    head = journal.head
    first = await store.write("op1", {"verdict": "PASSED", "b": 1, "a": [1, 2]})
    second = await store.write("op1", {"verdict": "FAILED"})
    other = await store.write("op2", {})
    assert [row.id for row in await store.list()] == ["op1-1", "op1-2", "op2-1"]
    assert second.previous == first.sha256
    assert other.previous == second.sha256
    data = store.path(first).read_bytes()
    assert data == canonical(msgspec.json.decode(data)) + b"\n"
    assert store.path(first).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    record = await store.get("op1-1")
    assert (record["verdict"], record["previous"], record["journal_head"]) == ("PASSED", "0" * 64, head)
    assert (await store.get("op1"))["verdict"] == "FAILED", "the newest of several"
    assert list(await store.verify()) == []


async def test_a_record_cannot_claim_another_past(place: Place) -> None:
    _, _, store = place
    await store.write("op1", {"previous": "f" * 64, "id": "forged", "journal_head": "x", "written": "1999"})
    record = await store.get("op1")
    assert (record["previous"], record["id"]) == ("0" * 64, "op1-1")
    assert record["journal_head"] != "x"


async def test_changed_missing_and_swapped_records_are_found(place: Place) -> None:
    _, _, store = place
    rows = [await store.write("op", {"n": n}) for n in range(4)]
    paths = [store.path(row) for row in rows]
    paths[0].write_bytes(paths[0].read_bytes().replace(b'"n":0', b'"n":9'))
    paths[1].unlink()
    a, b = paths[2].read_bytes(), paths[3].read_bytes()
    paths[2].write_bytes(b)
    paths[3].write_bytes(a)
    assert [line.split(" ")[1] for line in await store.verify()] == ["op-1", "op-2", "op-3", "op-4"]
    with pytest.raises(ValueError, match="was changed"):
        await store.get("op-1")
    with pytest.raises(ValueError, match="is missing"):
        await store.get("op-2")
    with pytest.raises(LookupError, match="no evidence"):
        await store.get("zz")


async def test_a_record_whose_journal_row_was_lost_is_replaced(place: Place) -> None:
    """A crash between the file and the row: the step runs again and writes the same name."""
    folder, _, store = place
    await store.write("op", {"n": 1})
    (folder / "op-2.json").write_text("half of it")
    again = await store.write("op", {"n": 2})
    assert again.id == "op-2"
    assert (await store.get("op-2"))["n"] == 2
    assert list(await store.verify()) == []


async def test_no_secret_gets_into_a_record(place: Place) -> None:
    _, _, store = place
    canary = "Canary9zQ4LmXw7Kp2"
    row = await store.write(
        "op",
        {"secret": {"kind": "Secret", "data": {"a": canary}}, "log": [f"token={canary}"], "env": {"password": canary}},
    )
    assert canary not in store.path(row).read_text()


async def test_what_a_step_says_once_is_found_again_as_it_was_said(place: Place) -> None:
    _, _, store = place
    part = {"type": "proof", "verdict": "PASSED", "figures": {"rta": 1.5, "at": (1, 2)}, "login": {"password": "p"}}
    assert await store.said("op1", part) is None
    first = await store.write("op1", {**part, "facts": {"n": 1}})
    await store.write("op2", part)
    assert await store.said("op1", part) == first, "whatever else stands in the record"
    assert await store.said("op1", {**part, "verdict": "FAILED"}) is None, "it says something else"
    assert await store.said("op3", part) is None
    second = await store.write("op1", part)
    assert await store.said("op1", part) == second
    store.path(second).write_bytes(b"{}")
    assert await store.said("op1", part) == first, "what was changed says nothing"
