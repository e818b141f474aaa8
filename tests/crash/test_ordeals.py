"""The quick part of the ordeals: a full disk, somebody's edits and a right taken away, at moments that hurt most."""

from __future__ import annotations

import pytest

from tests.crash import disk, edits, reads

# Nothing is begun; the old claims are going; an undo is under way and cannot even note that it waits.
FULL = [("restore", 1, False, "done"), ("one replica", 33, True, "done"), ("undo", 32, False, "undone")]
EDITED = [
    ("restore", "has the old volume deleted when it is free", ("drain", "begins"), "done"),
    ("restore", "labels a claim", ("remove", "writes"), "done"),
    ("undo", "scales", ("start", "writes"), "undone"),
]
REFUSED = [("one replica", ("bind", "get", "persistentvolumeclaims"), 403, "done"),
           ("undo", ("create", "list", "volumeattachments"), 401, "undone")]  # fmt: skip


@pytest.mark.parametrize(("name", "n", "reborn", "end"), FULL)
async def test_a_full_disk_stops_everything_and_with_room_it_goes_on(name: str, n: int, reborn: bool, end: str) -> None:
    _, told = await disk.case(name, n, reborn=reborn)
    assert told.breaches == []
    assert (told.state, told.parked + told.refused) == (end, 1)


@pytest.mark.parametrize(("name", "edit", "moment", "end"), EDITED)
async def test_what_somebody_changes_meanwhile_is_neither_lost_nor_forced(
    name: str, edit: str, moment: edits.Moment, end: str
) -> None:
    told = await edits.case(name, edits.EDITS[edit](moment))
    assert told.breaches == []
    assert (told.hits, told.parked, told.state) == (1, 1, end)


@pytest.mark.parametrize(("name", "read", "code", "end"), REFUSED)
async def test_a_right_that_is_taken_away_is_named_and_given_back_it_goes_on(
    name: str, read: reads.Read, code: int, end: str
) -> None:
    told = await reads.case(name, reads.Rights(read, code))
    assert told.breaches == []
    assert (told.parked, told.state) == (1, end)
