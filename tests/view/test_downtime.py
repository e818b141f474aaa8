"""A workload that a restore has at zero is never silent, and one that runs is never called down."""

from __future__ import annotations

import msgspec
import pytest

from lazarus_tui.model.operation import OpState, StageProgress, StepState
from lazarus_tui.view import downtime
from lazarus_tui.view.text import plain
from tests.console import sets, worlds
from tests.console.moment import CONTEXT


def warned(operation, rows=None, here: str = CONTEXT, width: int = 80) -> str:
    return "\n".join(map(plain, downtime.banner([operation], rows or {}, here, worlds.NOW, width)))


@pytest.mark.parametrize(
    ("at", "count"),
    [("retain", 3), ("stop", 3), ("drain", 0), ("safety", 0), ("create", 0), ("gate", 0), ("close", 3)],
)
def test_the_record_knows_how_many_replicas_there_are(at, count):
    running = sets.restore(at, OpState.RUNNING)
    assert downtime.recorded(running) == count
    assert downtime.count_words(running, None) == f"prod/db is at {count} of 3 replicas"
    assert bool(warned(running)) is (count == 0)


def test_what_a_step_counted_goes_before_its_place_in_the_plan():
    running = sets.restore("drain", OpState.RUNNING)
    seen = (StageProgress("replicas", 2, 3, "replicas"),)
    steps = tuple(msgspec.structs.replace(s, progress=seen) if s.name == "drain" else s for s in running.steps)
    assert downtime.recorded(msgspec.structs.replace(running, steps=steps)) == 2


def test_a_parked_restore_says_what_to_type_and_what_to_press():
    text = warned(sets.restore(), width=100)
    assert text.startswith(" ▲ prod/db IS AT 0 OF 3 REPLICAS since 10:37:58: its restore waits for you  step 10/15")
    assert "step" not in warned(sets.restore(), width=80), "half a word says nothing"
    assert "→ lazarus resume 9f3c12ab or lazarus undo 9f3c12ab; here: 5, then r or u" in text
    assert max(map(len, warned(sets.restore(), width=40).splitlines()[1:])) <= 40


def test_one_found_by_its_capsule_is_judged_by_the_cluster():
    adopted = sets.restore("", facts={"set": "db-0400", "replicas": 3})
    assert "IS AT 0 OF 3 REPLICAS: its restore waits for you" in warned(adopted, sets.row(0, 0))
    assert warned(adopted, sets.row(3, 3)) == ""
    assert "is not known here; it had 3" in downtime.count_words(adopted, None)
    assert downtime.last_line(adopted, sets.row(0, 0)["prod/StatefulSet/db"]).endswith("run: lazarus resume 9f3c12ab")
    assert downtime.last_line(adopted, None) == ""


def test_what_a_person_did_by_hand_meanwhile_is_seen():
    assert warned(sets.restore(), sets.row(3, 3)) == ""
    assert warned(sets.restore(), sets.row(0, 0))


@pytest.mark.parametrize(("state", "words"), [
    (OpState.RUNNING, "it goes on by itself; to go back: lazarus undo 9f3c12ab"),
    (OpState.UNDOING, "its restore is being taken back"),
])  # fmt: skip
def test_one_that_moves_says_so(state, words):
    assert words in warned(sets.restore(state=state))


def test_one_that_was_left_changed_warns_as_long_as_the_cluster_shows_it():
    left = sets.restore(state=OpState.LEFT_CHANGED)
    assert "lazarus operation show 9f3c12ab" in warned(left, sets.row(0, 0))
    assert warned(left, sets.row(3, 3)) == ""
    for over in (OpState.DONE, OpState.UNDONE, OpState.FAILED):
        assert warned(sets.restore("close", over), sets.row(0, 0)) == ""


def test_another_context_is_named_and_its_rows_are_not_those_of_here():
    text = warned(sets.restore(), sets.row(3, 3), here="prod-eu")
    assert f"REPLICAS in {CONTEXT} since" in text


def test_while_it_is_taken_back_the_count_follows_the_steps():
    undoing = sets.restore("close", OpState.UNDOING)
    names = {"start", "first", "remove", "create"}
    at_zero = tuple(
        msgspec.structs.replace(s, state=StepState.UNDONE if s.name in names else StepState.DONE) for s in undoing.steps
    )
    assert downtime.recorded(msgspec.structs.replace(undoing, steps=at_zero)) == 0
    back = tuple(msgspec.structs.replace(s, state=StepState.UNDONE) for s in undoing.steps)
    assert downtime.recorded(msgspec.structs.replace(undoing, steps=back)) == 3


def test_one_of_another_lazarus_is_not_said_to_wait_for_you():
    foreign = sets.restore("", facts={"set": "db-0400", "replicas": 3}, foreign="begun by another Lazarus")
    text = warned(foreign, sets.row(0, 0), width=100)
    assert "REPLICAS, restore begun 10:3" in text
    assert "another Lazarus restores it" in text
    assert "→ if that one is gone: lazarus resume 9f3c12ab" in text


def test_of_one_workload_the_newest_restore_is_named():
    old = sets.restore("", id="4688b5a2-0", started=worlds.ago(hours=1), facts={"replicas": 3}, foreign="found")
    lines = downtime.banner([sets.restore(), old], sets.row(0, 0), CONTEXT, worlds.NOW, 100)
    assert [("9f3c12ab" in plain(each), "4688b5a2" in plain(each)) for each in lines[1:]] == [(True, False)]


def test_more_than_two_are_counted():
    many = [sets.restore(target=f"prod/db{n}") for n in range(4)]
    lines = downtime.banner(many, {}, CONTEXT, worlds.NOW, 80)
    assert plain(lines[-1]) == " ▲ and 2 more workloads are at 0: 5 shows them"


def test_the_last_line_of_a_command_is_plain_ascii():
    assert downtime.last_line(sets.restore()) == (
        "LAZARUS: prod/db IS AT 0 REPLICAS (wanted 3), op 9f3c12ab, step create, run: lazarus resume 9f3c12ab"
    )
    assert downtime.last_line(sets.restore("retain")) == ""
    assert downtime.last_line(sets.restore(state=OpState.RUNNING)) == "", "it goes on by itself"
    assert downtime.last_line(sets.restore(target="prod/dß")).isascii()


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_the_warning_of_another_ones_restore_is_never_cut_in_the_middle(width):
    adopted = sets.restore("", facts={"set": "db-0400", "replicas": 3}, foreign="begun by another Lazarus")
    told = warned(adopted, sets.row(0, 0), width=width)
    assert max(map(len, told.splitlines())) <= width
    assert "▲ prod/db IS AT 0 OF 3 REPLICAS, restore begun 10:" in " ".join(told.split())
    assert ": another Lazarus restores it" in " ".join(told.split())


def test_a_restore_that_has_only_begun_does_not_call_a_workload_that_runs_down():
    begun = sets.restore("capsule", OpState.RUNNING, facts={})
    [shown] = downtime.count_line(begun, sets.row(2, 2)["prod/StatefulSet/db"])
    assert plain(shown) == " prod/db is at 2 replicas"
    [shown] = downtime.count_line(begun, sets.row(0, 2)["prod/StatefulSet/db"])
    assert plain(shown).startswith(" ▲ prod/db is at 0")
