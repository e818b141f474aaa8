"""A proof on its own screen: red is seen as it happens and explained where one looks first."""

from __future__ import annotations

import msgspec
import pytest

from lazarus_tui.model.operation import CheckResult
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import gathering, helping, ladder, proof_card, proof_run, proofs, sheet
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
    found = gathering.gather([msgspec.structs.replace(known, here=here)], worlds.overview().values())[world.ORDERS]
    text = " ".join("\n".join(plain(one) for one in proof_card.card(found, worlds.NOW, 80, 30)).split())
    assert "○ it was proven in another cluster, or in one that was not recorded; here no rung was: p proves" in text
    assert "Where the time went" not in text
    assert "not in a quarantine" not in text


def body(operation):
    return "\n".join(plain(one) for one in proof_run.body(operation, worlds.NOW, 79))


def rows(*operations):
    return gathering.gather(world.views(*operations).values(), worlds.overview().values())


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


def aged(lines, name):
    return next(plain(one) for one in lines if plain(one).split()[:1] == [name])


def test_a_rung_that_never_held_is_as_old_as_its_proof():
    climbed = world.ladder(world.ORDERS, 4, "0 of 1 replicas were ready")
    red = world.proof("ab" * 8, 2.0, climbed, verdict=Verdict.FAILED)
    for drawn in (proof_card.rungs(rows(red)[world.ORDERS], worlds.NOW, 79, whole=False),
                  proof_run.body(red, worlds.NOW, 79)):  # fmt: skip
        assert aged(drawn, "healthy").split()[:4] == ["healthy", "✗", "FAILED", "2h"]
        assert "2h" not in aged(drawn, "drilled")
        assert "2h" not in aged(drawn, "exists"), "what held is as old as it says, or of unknown age"


def test_above_the_runs_stands_why_and_what_to_do_next_at_every_size():
    found = rows(*world.history().values())[world.ORDERS]
    for width, room in ((80, 16), (100, 22), (200, 40)):
        lines = [plain(one) for one in proof_card.top(found, worlds.NOW, width, room)]
        text = "\n".join(lines)
        assert len(lines) <= room
        assert "its data is damaged" in text
        assert "→ this point cannot be trusted" in text
        assert "Back in: the last proofs" in text, "and the trend too"


def test_where_the_time_went_in_an_older_proof_says_how_old_it_is():
    found = rows(*world.history().values())[world.ORDERS]
    text = "\n".join(plain(one) for one in proof_card.card(found, worlds.NOW, 100, 60))
    assert "Where the time went in the proof 1d ago: 37s from" in text
    green = rows(world.proof("ab" * 8, 1.0))[world.ORDERS]
    text = "\n".join(plain(one) for one in proof_card.card(green, worlds.NOW, 100, 60))
    assert "Where the time went: 37s from" in text


def test_where_there_is_little_room_the_next_step_comes_before_what_was_seen():
    found = rows(*world.history().values())[world.ORDERS]
    lines = [plain(one) for one in proof_card.card(found, worlds.NOW, 80, 9)]
    assert "   ✗ its data is damaged: pod orders-0" in lines
    assert any(one.startswith("   → this point cannot be trusted") for one in lines)
    assert len(lines) <= 9
    assert "database disk image" in "".join(plain(one) for one in proof_card.card(found, worlds.NOW, 80, 30))


def test_what_was_left_behind_is_never_shortened_away():
    left = world.proof("ab" * 8, 1.0, world.ladder(world.ORDERS, 4, "x"), verdict=Verdict.FAILED,
                       left=("namespace lazarus-q-1",), troubles=(world.TROUBLE, world.TROUBLE))  # fmt: skip
    text = "\n".join(plain(one) for one in proof_card.card(rows(left)[world.ORDERS], worlds.NOW, 80, 9))
    assert "✗ LEFT BEHIND: namespace lazarus-q-1" in text
    assert "✗ its data is damaged: pod orders-0, and 1 more" in text


def test_the_age_of_a_verdict_is_never_cut_off():
    unclear = world.proof("ab" * 8, 26.0, verdict=Verdict.INCONCLUSIVE, words="x" * 90, point="p" * 60)
    cells = proofs.SHEET.cells(rows(unclear)[world.ORDERS], worlds.NOW)
    [at] = [n for n, column in enumerate(proofs.COLUMNS) if column.id == "proof"]
    assert cells[at].text == "▲ INCONCLUSIVE 1d"
    for width in range(76, 200):
        fitted = dict(sheet.fit(proofs.COLUMNS, [len(cell.text) for cell in cells], width).columns)
        assert fitted[at] >= len(cells[at].text), width


def test_what_to_do_about_the_step_where_it_stopped_stands_beside_the_workload_too():
    hint = "use a CNI that enforces NetworkPolicies"
    climbed = world.ladder(world.ORDERS, 3, "isolation not enforced", Verdict.INCONCLUSIVE)
    stopped = world.proof("ab" * 8, 1.0, climbed, verdict=Verdict.INCONCLUSIVE, deviations=("isolation not enforced",))
    stopped = msgspec.structs.replace(stopped, facts={**stopped.facts, "prove.stopped": {"hint": hint}})
    found = rows(stopped)[world.ORDERS]
    for lines in (proof_card.card(found, worlds.NOW, 80, 16), proof_card.top(found, worlds.NOW, 80, 24),
                  proof_run.body(stopped, worlds.NOW, 79)):  # fmt: skip
        assert f"   → {hint}" in [plain(one) for one in lines]


def test_a_red_proof_without_a_known_cause_says_where_else_to_look():
    climbed = world.ladder(world.ORDERS, 4, "orders: answered 404 instead of 200")
    red = world.proof("ab" * 8, 1.0, climbed, verdict=Verdict.FAILED)
    older = world.proof("cd" * 8, 30.0, point="ka-01-daily-20261119020000")
    for lines in (proof_card.card(rows(red)[world.ORDERS], worlds.NOW, 80, 20),
                  proof_card.top(rows(red)[world.ORDERS], worlds.NOW, 80, 24)):  # fmt: skip
        assert any(plain(one).startswith("   → prove an older point") for one in lines)
    known = card(red, older)
    assert "an older point stands proven: ka-01-daily-20261119020000" in known
    assert "→ prove an older point" not in known
    assert "→ prove an older point" not in card(world.proof("ab" * 8, 1.0)), "green needs no advice"


def test_while_a_proof_runs_the_ladder_says_whose_it_is():
    last = world.proof("ab" * 8, 3.0, point="ka-03-hourly-20261120080000")
    whose = "   the last proof  ✓ PASSED  3h ago, of ka-03-hourly-20261120080000"
    assert whose in card(world.running(), last).splitlines()
    assert whose not in card(last).splitlines()
    assert "the last proof" not in card(world.running())
