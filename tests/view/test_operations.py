"""One operation as lines: nothing is asked of a verdict where there is none, nothing that matters is cut."""

from __future__ import annotations

import msgspec

from lazarus_tui.model.operation import CheckResult, Figures, OpState
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import chrome, operations
from lazarus_tui.view.text import plain
from tests.console import worlds


def shown(operation, width: int = 79) -> str:
    return "\n".join(map(plain, operations.body(operation, worlds.NOW, width)))


def test_what_a_check_saw_is_folded_below_its_name_instead_of_cut():
    why = "Completed, but 1 of 1 volumes have NO data in the backup: shop/data-orders-0 was skipped by Velero"
    check = CheckResult("volumes in the backup", "volumes", Verdict.FAILED, 0.129, why)
    text = shown(msgspec.structs.replace(worlds.finished_operation(), checks=(check,)))
    assert "0.13s  volumes in the backup" in text
    assert "".join(why.split()) in "".join(text.split())


def test_a_pause_has_no_verdict_and_no_recovery_time():
    done = msgspec.structs.replace(
        worlds.finished_operation(), kind="velero.pause-schedule", checks=(), figures=Figures(engine_seconds=0.04),
        verdict=Verdict.NOT_TESTED,
    )  # fmt: skip
    text = shown(done)
    assert "Verdict" not in text
    assert "recovery time" not in text
    assert "40ms   its own share" in text


def test_what_ended_with_a_bad_verdict_needs_a_look():
    done = msgspec.structs.replace(worlds.finished_operation(), state=OpState.DONE, verdict=Verdict.PASSED)
    assert not operations.SHEET.faulty(done)
    for verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE):
        assert operations.SHEET.faulty(msgspec.structs.replace(done, verdict=verdict))
    assert operations.SHEET.faulty(msgspec.structs.replace(done, state=OpState.PARKED))
    assert not operations.SHEET.faulty(worlds.running_operation())


def test_the_age_of_the_last_change_counts_whole_seconds():
    running = msgspec.structs.replace(worlds.running_operation(), changed="2026-11-20T10:42:09.115000Z")
    assert "last change 0s ago" in plain(operations.headline(running, worlds.NOW)[1])


def test_what_took_long_is_a_figure_only_when_it_is_over():
    running = worlds.running_operation()
    over = msgspec.structs.replace(running, state=OpState.DONE, seconds=4.24)
    assert operations.took(over, worlds.NOW) == "4.2s"
    assert "." not in operations.took(running, worlds.NOW)


def test_an_operation_of_another_context_says_which():
    found = worlds.finished_operation()
    assert f"in {found.context}" in plain(operations.headline(found, worlds.NOW, "prod-eu")[0])
    assert f"in {found.context}" not in plain(operations.headline(found, worlds.NOW, found.context)[0])


def test_a_parked_operation_says_first_what_it_waits_for():
    parked = msgspec.structs.replace(worlds.running_operation(), state=OpState.PARKED, can_undo=True)
    first = next(text for text in shown(parked).splitlines() if text.strip())
    assert first == " ▲ it waits for you: r lets it go on, u takes it back"
    assert plain(chrome.places("overview", (), 1, 80, 1)).rstrip().endswith("5 Oper ▲1 waits  6 Snap  7 Proo")
    assert "waits" not in plain(chrome.places("overview", (), 1, 80))
