"""One operation as lines: nothing is asked of a verdict where there is none, nothing that matters is cut."""

from __future__ import annotations

import msgspec
import pytest

from lazarus_tui.model.operation import CheckResult, Figures, OpState, StepState, StepView
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


WAITS = "2 of 3 replicas ready; Deployment lazarus-q-b409428f/web 0/1: ImagePullBackOff of lazarus.dev/web:1"


def at_work(state: StepState, detail: str = WAITS, width: int = 79) -> str:
    step = StepView("checks.ready", "Wait until the workloads are ready", state, detail=detail)
    return "\n".join(map(plain, operations.step_lines(step, worlds.NOW, width, 40)))


@pytest.mark.parametrize("state", [StepState.RUNNING, StepState.UNKNOWN, StepState.FAILED])
def test_what_a_step_waits_for_is_told_to_its_end_on_a_narrow_terminal(state):
    text = at_work(state)
    assert WAITS in " ".join(text.split())
    assert max(map(len, text.splitlines())) < 79
    assert len(at_work(state, width=200).splitlines()) == 1, "beside the step where there is room"
    assert len(at_work(state, "x" * 2000).splitlines()) <= 5, "the steps below it stay in sight"
    assert at_work(state, "x" * 2000).endswith("…")


def test_what_a_step_said_that_is_over_stays_one_line():
    assert len(at_work(StepState.DONE).splitlines()) == 1


def test_what_a_step_says_cannot_move_the_cursor():
    assert "\x1b" not in at_work(StepState.RUNNING, f"\x1b[2J {WAITS}")


def test_the_age_of_the_last_change_is_not_cut_by_what_an_estimate_rests_on():
    running = msgspec.structs.replace(
        worlds.running_operation(), estimate_seconds=12.7, recoveries=2,
        estimate_basis="median 13 s of the last run of proofs of shop", changed="2026-11-20T10:41:09Z",
    )  # fmt: skip
    second = plain(operations.headline(running, worlds.NOW)[1])
    assert "last change 1m01s ago   resumed 2×" in second[:60]
    assert second.endswith("expected 13s (median 13 s of the last run of proofs of shop)")


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
