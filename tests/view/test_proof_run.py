"""A proof on its own screen: red is seen as it happens and explained where one looks first."""

from __future__ import annotations

import msgspec
import pytest

from lazarus_tui.model.operation import CheckResult
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import helping, ladder, proof_card, proof_run, proofs
from lazarus_tui.view.text import Tone, plain
from tests.console import proofs as world
from tests.console import worlds


def check(verdict=Verdict.FAILED, **evidence):
    return CheckResult("web answers", "http", verdict, 0.1, "GET / → 503, not 200", evidence)


@pytest.mark.parametrize(
    ("step", "found", "red"),
    [
        ("prove.capture", check(rung="healthy"), "healthy"),
        ("prove.capture", check(), "healthy"),
        ("prove.capture", check(rung="data right"), "data right"),
        ("checks.run", check(rung="healthy"), ""),
        ("prove.capture", check(rung="healthy", needed=False), ""),
        ("prove.capture", check(Verdict.PASSED, rung="healthy"), ""),
    ],
)
def test_a_rung_goes_red_once_its_check_is_not_asked_again(step, found, red):
    running = msgspec.structs.replace(world.running(step), checks=(found,))
    bad = [part.text for part in ladder.live(running) if part.tone is Tone.BAD]
    assert bad == ([f"✗ {red}  "] if red else [])


def test_what_did_not_hold_and_where_else_to_look_come_before_the_ladders():
    text = "\n".join(plain(one) for one in proof_run.body(world.red(), worlds.NOW, 79))
    parts = ("What was wrong", "✗ web answers: GET / → 503, not 200", "→ prove an older point", " Ladder", " Checks")
    order = [text.index(words) for words in parts]
    assert order == sorted(order)
    green = "\n".join(plain(one) for one in proof_run.body(world.proof("ab" * 8, 1.0), worlds.NOW, 79))
    assert "What was wrong" not in green
    assert "older point" not in green


@pytest.mark.parametrize("here", [False, None])
def test_what_was_proven_in_another_cluster_is_no_ladder_and_no_figure_of_this_one(here):
    [known] = world.views(world.proof("ab" * 8, 1.0)).values()
    found = proofs.gather([msgspec.structs.replace(known, here=here)], worlds.overview().values())[world.ORDERS]
    text = " ".join("\n".join(plain(one) for one in proof_card.card(found, worlds.NOW, 80, 30)).split())
    assert "○ it was proven in another cluster, or in one that was not recorded; here no rung was: p proves" in text
    assert "Where the time went" not in text
    assert "not in a quarantine" not in text


def body(operation):
    return "\n".join(plain(one) for one in proof_run.body(operation, worlds.NOW, 79))


def rows(*operations):
    return proofs.gather(world.views(*operations).values(), worlds.overview().values())


def card(*operations):
    return "\n".join(plain(one) for one in proof_card.card(rows(*operations)[world.ORDERS], worlds.NOW, 80, 40))


def test_where_the_newest_point_is_red_the_newest_that_stands_proven_is_named():
    older, name = world.proof("ab" * 8, 26.0), "ka-04-daily-20261120020000"
    assert f"✓ an older point stands proven: {name}  1d" in card(world.red(), older)
    since = world.proof("cd" * 8, 3.0, world.ladder(world.ORDERS, 3, "gone"), verdict=Verdict.FAILED)
    assert "stands proven" not in card(world.red(), since, older), "the same point failed since"
    assert "stands proven" not in card(older), "it is green itself"
    unnoticed = world.proof("ef" * 8, 0.5, world.ladder(world.ORDERS, 6), control="flip", verdict=Verdict.FAILED)
    assert "stands proven" not in card(world.red(), older, unnoticed)


def test_while_a_proof_runs_its_own_point_stands_beside_it():
    assert "▶ running 41s  from ka-07-offsite-20261120093000" in card(world.red(), world.running())


@pytest.mark.parametrize("width", [80, 200])
def test_marks_of_the_help_stand_below_each_other(width):
    ends = {len(plain(one)) for one in helping.lines("overview", width) if plain(one).endswith(("changes", "destroys"))}
    assert len(ends) == 1


def test_a_control_that_runs_is_not_taken_for_a_proof_of_the_point():
    running = world.running("checks.run")
    known = running.facts["prove.about"]
    control = msgspec.structs.replace(running, facts={**running.facts, "prove.about": {**known, "control": "flip"}})
    for one, said in ((control, True), (running, False)):
        found = rows(one)[world.ORDERS]
        assert ("  control flip" in plain(proof_card.headline(found, worlds.NOW))) is said


def test_while_checks_are_asked_again_each_tells_once_what_it_saw():
    words = "newest order: the restored copy holds no data, and that is more than fits beside its step"
    seen = CheckResult("newest order", "watermark", Verdict.FAILED, 0.1, words.partition(": ")[2])
    running = world.running("checks.run")
    steps = tuple(msgspec.structs.replace(step, detail=words) if step.name == "checks.run" else step
                  for step in running.steps)  # fmt: skip
    text = body(msgspec.structs.replace(running, steps=steps, checks=(seen,)))
    assert text.count("beside its step") == 1
    assert body(msgspec.structs.replace(running, steps=steps, checks=())).count("beside its step") == 1
