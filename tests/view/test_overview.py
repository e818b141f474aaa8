"""The answers of the Overview when something is missing: three ways, and no contradiction."""

from __future__ import annotations

import msgspec

from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import overview, status
from lazarus_tui.view.source import TopicState
from lazarus_tui.view.text import plain
from tests.console import worlds


def words(lines) -> str:
    return "\n".join(map(plain, lines))


def test_storage_that_cannot_be_listed_is_not_called_absent():
    assert "asking" in words(overview.storage(TopicState(), worlds.NOW))
    refused = TopicState(1, "failed", reason="anna cannot list backupstoragelocations")
    assert "✗ not known: anna cannot list" in words(overview.storage(refused, worlds.NOW))
    assert "▲ no backup storage location" in words(overview.storage(TopicState(1, "ready"), worlds.NOW))


def test_a_proof_whose_point_is_gone_is_not_called_missing():
    row = next(each for each in worlds.overview().values() if each.newest_proven is not None)
    gone = msgspec.structs.replace(row, newest_proven=None, last_verdict=Verdict.PASSED)
    assert "but the point it was about is gone" in words(overview.card(gone, worlds.NOW, 80))
    failed = msgspec.structs.replace(gone, last_verdict=Verdict.FAILED)
    assert "no point of it stands proven" in words(overview.card(failed, worlds.NOW, 80))


def test_points_that_may_not_be_listed_are_not_called_lost():
    row = next(iter(worlds.overview().values()))
    hidden = msgspec.structs.replace(row, newest=None, next_run="", unlisted=("backups", "schedules"))
    shown = " ".join(cell.text for cell in overview.cells(hidden, worlds.NOW))
    assert shown.count("not known") == 3
    assert "ALL" not in shown
    card = words(overview.card(hidden, worlds.NOW, 80))
    assert "backups cannot be listed" in card
    assert "no usable point" not in card
    assert "no backup is due" not in card
    assert "? not known: schedules cannot be listed" in card
    proven = msgspec.structs.replace(hidden, newest_proven=None, last_verdict=Verdict.PASSED)
    card = words(overview.card(proven, worlds.NOW, 80))
    assert "whether its point is still there is not known" in card
    assert "is gone" not in card


def test_that_nothing_runs_is_said_only_when_it_is_known():
    assert "asking" in words(overview.running(TopicState(), worlds.NOW))
    failed = TopicState(1, "failed", reason="the engine's records are not understood")
    assert "? not known: the engine's records are not understood" in words(overview.running(failed, worlds.NOW))
    assert words(overview.running(TopicState(1, "ready"), worlds.NOW)) == " running   nothing"


def test_how_the_last_operation_ended_is_not_cut_off_by_its_title():
    last = msgspec.structs.replace(worlds.finished_operation(), title="Prove " + "x" * 120)
    shown = words(overview.running(TopicState(1, "ready", records={last.id: last}), worlds.NOW))
    ended = status.outcome(last.state, last.verdict).text
    assert shown[:60].startswith(f" running   nothing; last: {ended} ")
