"""Proofs as rows, ladders, waterfalls and cards: never greener than the record, and red explained to its next step."""

from __future__ import annotations

import unicodedata

import msgspec
import pytest

from lazarus_tui.model.operation import OpState, Phase, StepState, StepView
from lazarus_tui.model.proofs import RUNGS, Trouble, located
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.posture.proofs import proofs_of
from lazarus_tui.view import (
    gathering,
    ladder,
    operations,
    overview,
    plans,
    proof_card,
    proof_run,
    proofs,
    snapshots,
    trend,
    waterfall,
)
from lazarus_tui.view.source import TopicState
from lazarus_tui.view.text import Tone, plain
from tests.console import proofs as world
from tests.console import worlds
from tests.console.moment import ago
from tests.view.payloads import PAYLOADS


def gathered(*operations):
    found = operations or tuple(world.history().values())
    return gathering.gather(world.views(*found).values(), worlds.overview().values())


def cells(found):
    shown = proofs.SHEET.cells(found, worlds.NOW)
    return dict(zip([column.id for column in proofs.COLUMNS], [each.text for each in shown], strict=True))


def body(operation, width=79):
    return "\n".join(map(plain, proof_run.body(operation, worlds.NOW, width)))


def test_a_row_says_how_far_it_was_proven_when_how_long_and_what_the_control_said():
    found = gathered()
    assert cells(found[world.ORDERS]) == {
        "workload": "shop/orders", "proof": "✗ FAILED 2h", "reached": "✓✓✓✓✗○○ restores", "rta": "unknown",
        "control": "✓ 2d", "runs": "✓✓✓✓✗", "rpa": "-", "target": "1m00s", "point": "ka-03-hourly-20261120080000",
    }  # fmt: skip
    web = cells(found["shop/Deployment/web"])
    assert (web["proof"], web["reached"], web["rta"], web["control"]) == (
        "✓ PASSED 1d", "✓✓✓✓✓○○ healthy", "37s ✓", "○ never",
    )  # fmt: skip


def test_a_workload_without_a_proof_is_a_row_that_claims_nothing():
    row = cells(gathered()["intranet/StatefulSet/wiki"])
    assert (row["proof"], row["reached"], row["runs"]) == ("○ NOT TESTED", "○○○○○○○ nothing", "-")


def test_while_the_proofs_are_not_known_no_row_claims_that_nothing_was_proven():
    gather, overview = gathering.Gathered(), TopicState(1, "ready", records=worlds.overview())
    assert gather(overview, TopicState(1, "loading")).records == {}
    assert gather(overview, TopicState(1, "loading")).state == "loading"
    failed = gather(overview, TopicState(2, "failed", reason="no"))
    assert (failed.state, failed.reason, failed.records) == ("failed", "no", {})
    known = TopicState(3, "ready", records=world.views(*world.history().values()))
    assert gather(overview, known).records[world.ORDERS].last is not None
    lost = gather(TopicState(2, "failed", reason="gone"), known)
    assert (lost.state, lost.records[world.ORDERS].last is not None) == ("ready", True)


def test_a_control_that_passed_does_not_prove_its_point():
    noticed = world.proof("c0" * 8, 1.0, world.ladder(world.ORDERS, 6), control="withhold")
    found = gathered(noticed)[world.ORDERS]
    assert (found.last, found.control.verdict) == (None, Verdict.PASSED)
    assert cells(found)["proof"] == "○ NOT TESTED"
    assert "control withhold" in [part.text for part in proofs.run_cells(found.runs[0], worlds.NOW)]


def test_a_control_that_nobody_noticed_is_worth_a_look_and_said():
    green = world.proof("aa" * 8, 1.0)
    words = "the copy was broken (withhold: …), and no check noticed"
    missed = world.proof("bb" * 8, 2.0, world.ladder(world.ORDERS, 6), control="withhold", verdict=Verdict.FAILED,
                         words=words)  # fmt: skip
    assert not proofs.worth_a_look(gathered(green)[world.ORDERS])
    found = gathered(green, missed)[world.ORDERS]
    assert proofs.worth_a_look(found)
    shown = proofs.proof(found, worlds.NOW)
    assert (shown.text, shown.tone) == ("▲ INCONCLUSIVE 1h", Tone.WARN)
    broken_off = world.proof("dd" * 8, 0.5, verdict=Verdict.INCONCLUSIVE, control="flip")
    assert proofs.proof(gathered(green, missed, broken_off)[world.ORDERS], worlds.NOW).tone is Tone.WARN
    noticed = world.proof("cc" * 8, 0.5, control="withhold")
    assert proofs.proof(gathered(green, missed, noticed)[world.ORDERS], worlds.NOW).tone is Tone.GOOD
    shown = "\n".join(map(plain, proof_card.card(found, worlds.NOW, 100, 30)))
    assert f"✗ negative control 2h00m ago: {words}" in shown


@pytest.mark.parametrize("noticed", [{"control": "flip"}, {"control": "withhold", "together": True}])
def test_a_control_that_nobody_noticed_stands_until_one_of_its_kind_and_of_this_workload_alone_is(noticed):
    both = (world.ladder(world.ORDERS, 6), world.ladder("shop/Deployment/web", 5))
    green = world.proof("aa" * 8, 0.5)
    words = "the copy was broken (withhold: …), and no check noticed"
    missed = world.proof("bb" * 8, 5.0, control="withhold", verdict=Verdict.FAILED, words=words)
    later = world.proof("cc" * 8, 1.0, *(both if noticed.get("together") else ()), control=noticed["control"])
    found = gathered(green, missed, later)[world.ORDERS]
    assert (cells(found)["proof"], cells(found)["control"]) == ("▲ INCONCLUSIVE 30m", "✗ 5h")
    assert proofs.worth_a_look(found)
    assert words in "\n".join(map(plain, proof_card.card(found, worlds.NOW, 100, 30)))
    views = world.views(green, missed, later).values()
    (told,) = [one for one in proofs_of(views) if one.about("shop", "StatefulSet/orders")]
    assert told.verdict is Verdict.INCONCLUSIVE, "the Overview says the same"
    alone = world.proof("dd" * 8, 0.2, control="withhold")
    assert not gathered(green, missed, later, alone)[world.ORDERS].unnoticed


def test_what_can_never_be_green_is_not_green_for_any_of_its_workloads():
    held_back = world.proof("ab" * 8, 1.0, verdict=Verdict.INCONCLUSIVE, not_green=("claim cache: no data",))
    assert cells(gathered(held_back)[world.ORDERS])["proof"] == "▲ INCONCLUSIVE 1h"


def test_a_proof_that_runs_is_seen_at_each_of_its_workloads_before_it_has_a_record():
    found = gathered(*world.history().values(), world.running())
    assert cells(found[world.ORDERS])["proof"] == "▶ running 41s"
    assert cells(found["shop/Deployment/writer"])["proof"] == "▶ running 41s"
    assert cells(found["intranet/StatefulSet/wiki"])["proof"] == "○ NOT TESTED"


def test_a_record_that_cannot_be_read_is_no_verdict():
    broken = world.proof("ab" * 8, 1.0)
    broken = msgspec.structs.replace(broken, facts={**broken.facts, "prove.record": {"verdict": "GREEN"}})
    assert gathered(broken)[world.ORDERS].last is None
    assert "it ended before anything was judged" in body(broken)


def test_a_missed_target_is_told_with_both_figures():
    slow = world.proof("ab" * 8, 1.0, rta=71.0)
    assert cells(gathered(slow)[world.ORDERS])["rta"] == "1m11s ✗"
    assert "✗ RTO missed: 1m11s, and 1m00s is the target" in body(slow)
    assert "✗ RTO 1m00s missed" in body(slow)


def test_a_failure_leads_from_what_was_seen_to_the_next_step():
    text = body(world.red())
    parts = ("✗ FAILED", "pod orders-0", "✗ its data is damaged", "database disk image",
             "→ this point cannot be trusted", " Ladder", " Checks", " Steps")  # fmt: skip
    order = [text.index(words) for words in parts]
    assert order == sorted(order)
    checks = text[text.index(" Checks") :]
    assert checks.index("orders-0: CrashLoopBackOff") < checks.index(" Measured")


def test_what_a_step_wanted_and_what_is_left_is_loud():
    left = world.proof("ab" * 8, 1.0, verdict=Verdict.INCONCLUSIVE, left=("Namespace lazarus-q-abab: terminating",),
                       deviations=("Make the quarantine: missing right: create pods",))  # fmt: skip
    hint = {"prove.stopped": {"step": "quarantine", "hint": "have it granted"}}
    text = body(msgspec.structs.replace(left, facts={**left.facts, **hint}))
    assert "✗ LEFT BEHIND: Namespace lazarus-q-abab: terminating" in text
    assert "▲ Make the quarantine: missing right: create pods" in text
    assert "→ have it granted" in text


def test_a_control_says_what_its_verdict_means():
    red = world.proof("ab" * 8, 1.0, control="flip", verdict=Verdict.FAILED, words="no check noticed")
    assert "nothing went red: greens of these checks mean nothing" in " ".join(body(red).split())
    assert " Measured" not in body(red)


def test_a_proof_of_a_broken_copy_is_not_taken_for_one_of_its_point():
    noticed = world.proof("ab" * 8, 1.0, control="flip")
    shown = "Prove namespace shop from ka-04-daily-20261120020000, control flip"
    assert operations.cells(noticed, worlds.NOW)[0].text == shown
    assert shown in plain(operations.headline(noticed, worlds.NOW)[0])
    last = TopicState(1, "ready", records={noticed.id: noticed})
    assert plain(overview.running(last, worlds.NOW)[0]).endswith(f"✓ PASSED 1h00m ago  {shown}")
    about = {**world.running().facts["prove.about"], "control": "flip"}
    (said, line) = map(plain, proof_run.standing(world.running(**{"prove.about": about}), 79))
    assert said == " ▲ negative control flip: the copy is broken on purpose, a check must go red"
    assert line.startswith(" ladder ")
    assert "control" not in operations.title(world.running())


# Live


def test_a_running_proof_ticks_and_gives_no_verdict():
    operation = world.running()
    assert plain(ladder.live(operation)) == (
        " ladder  ● exists  ● complete  ● intact  ● restores  ▶ healthy  ▶ data right  "
    )
    lines = [plain(part) for part in proof_run.body(operation, worlds.NOW, 79)]
    at = proof_run.at_work(operation, worlds.NOW, 79)
    assert "GET / → 200" in lines[at]
    assert "Verdict" not in "\n".join(lines)
    assert max(map(len, lines)) <= 79


def test_probes_fill_under_the_step_that_tries_them_and_a_leak_is_named():
    leaking = world.running("isolation", **{"prove.isolation": world.isolation(closed=False)})
    text = body(leaking)
    assert "✗ shop/orders: OPEN" in text
    assert "✓ the internet" in text
    parts = [part for line in proof_run.probes(leaking, "prove.isolation", 79) for part in line]
    assert [part.tone for part in parts if "OPEN" in part.text] == [Tone.BAD]
    assert "✓ the other probe (has to be open)" in text
    assert "· kubelet of its own node: open" in text


def test_a_step_that_fell_is_red_in_the_live_ladder():
    operation = world.running("prove.compare")
    steps = tuple(
        msgspec.structs.replace(step, state=StepState.FAILED) if step.name == "prove.identity" else step
        for step in operation.steps
    )
    fallen = msgspec.structs.replace(operation, steps=steps)
    assert "✗ intact" in plain(ladder.live(fallen))


def test_a_step_that_the_proof_outlives_hides_neither_the_one_at_work_nor_a_rung():
    operation = world.running("restore.volumes")
    silence = StepView("prove.silence", "Silence alerts", StepState.FAILED)
    going = msgspec.structs.replace(operation, steps=(silence, *operation.steps))
    assert operations.step_words(going) == "8/18 Restore the volumes"
    assert "▶ restores" in plain(ladder.live(going))
    lines = [plain(part) for part in proof_run.body(going, worlds.NOW, 79)]
    assert "Restore the volumes" in lines[proof_run.at_work(going, worlds.NOW, 79)]
    done = tuple(
        msgspec.structs.replace(step, state=StepState.DONE) if step.state is StepState.RUNNING else step
        for step in going.steps
    )
    between = msgspec.structs.replace(going, steps=done)
    assert operations.current(between) is None
    assert proof_run.at_work(between, worlds.NOW, 79) == 7, "between two steps nothing jumps to the top"
    ended = msgspec.structs.replace(going, state=OpState.DONE)
    assert operations.step_words(ended) == "1/18 Silence alerts", "of what is over it says what went wrong"
    stuck = msgspec.structs.replace(operation, state=OpState.PARKED, steps=(*operation.steps[:3], silence))
    assert operations.step_words(stuck) == "4/4 Silence alerts"


def test_what_stopped_it_stays_in_sight_while_it_cleans_up():
    stopped = {"title": "Make the quarantine", "words": "missing right: create pods", "hint": "ask for it"}
    operation = world.running("clean", **{"prove.stopped": stopped})
    assert [plain(part).strip() for part in proof_run.standing(operation, 79)[1:]] == [
        "✗ Make the quarantine: missing right: create pods", "→ ask for it",
    ]  # fmt: skip
    assert proof_run.standing(world.red(), 79) == []


def test_a_parked_proof_says_that_it_waits_and_nothing_is_judged():
    parked = msgspec.structs.replace(world.running(), state=OpState.PARKED)
    assert "▲ it waits for you" in body(parked)
    assert "nothing is judged yet" in body(parked)


# Drawings


def test_phases_of_a_waterfall_begin_where_the_one_before_ended():
    phases = (Phase("queue", 10.0, "a"), Phase("objects", 30.0, "b"), Phase("volumes", 60.0, "c"))
    found = [plain(part) for part in waterfall.lines(phases, 80)]
    ends = [text.rindex("━") for text in found]
    begins = [text.index("━") for text in found]
    assert begins[1:] == [end + 1 for end in ends[:-1]]
    assert [text.rstrip().rsplit(" ", 1)[1] for text in found] == ["10%", "30%", "60%"]
    assert max(map(len, found)) < 80
    assert waterfall.lines((), 80) == waterfall.lines((Phase("queue", 0.0, ""),), 80) == []


def test_a_trend_has_a_column_per_run_and_a_mark_for_what_was_not_measured():
    bars = [trend.Bar(30.0, Verdict.PASSED), trend.Bar(60.0, Verdict.PASSED), trend.Bar(None, Verdict.FAILED)]
    drawn = trend.plot(bars, 45.0, 40)
    found = [plain(part) for part in drawn]
    assert found[-1].split() == ["verdict", "✓", "✓", "✗"]
    assert [text[9:15:2] for text in found[:-1]] == [" █ ", "┄█┄", "██ ", "██ "]
    assert found[1].strip().startswith("45s ")
    tones = {part.text[0]: part.tone for part in drawn[0] if part.text.startswith("█")}
    assert tones == {"█": Tone.WARN}
    assert trend.plot([trend.Bar(None, Verdict.FAILED)], 45.0, 40) == []
    assert len(plain(trend.plot(bars * 100, None, 60)[-1]).rstrip()) <= 60


@pytest.mark.parametrize(("width", "room"), [(80, 15), (80, 6), (200, 40), (40, 9)])
def test_cards_keep_to_their_room(width, room):
    found = gathered()[world.ORDERS]
    assert len(proof_card.card(found, worlds.NOW, width, room)) <= room
    assert len(proof_card.top(found, worlds.NOW, width, room)) <= room
    drawn = [*proof_card.card(found, worlds.NOW, 200, 40), *proof_card.top(found, worlds.NOW, 200, 40)]
    assert max(len(plain(part)) for part in drawn) <= 200


def test_a_card_that_is_cut_says_where_the_rest_of_it_is():
    cut = plain(proof_card.card(gathered()[world.ORDERS], worlds.NOW, 80, 6)[-1])
    assert cut.endswith("more lines: enter, then enter on the proof, shows all")


def test_with_room_the_ladder_the_trend_and_the_waterfall_stand_together():
    text = "\n".join(map(plain, proof_card.top(gathered()[world.ORDERS], worlds.NOW, 200, 40)))
    assert all(words in text for words in ("healthy", "Back in: the last proofs, target 1m00s", "Where the time went"))


# The plan


@pytest.mark.parametrize("at", range(2))
def test_nothing_a_cluster_says_reaches_the_screen_raw(at):
    text = " ".join(PAYLOADS[at::2]).encode("utf-8", "replace").decode()
    bad = world.proof(
        "ab" * 8, 1.0, world.ladder(world.ORDERS, 4, text), verdict=Verdict.FAILED, words=text, point=text,
        troubles=(Trouble(text, text, text, text),), not_green=(text,), left=(text,), deviations=(text,),
    )  # fmt: skip
    leak = {"closed": False, "words": text, "probes": [{"what": text, "expected": "closed", "seen": text}, text]}
    facts = {
        **bad.facts,
        "prove.isolation_after": leak,
        "prove.stopped": {"hint": text},
        "prove.cleaned": {"words": text},
    }
    bad = msgspec.structs.replace(bad, facts=facts)
    found = gathered(bad)[world.ORDERS]
    named = {"point": text, "require": [text], "volumes": [{"claim": text, "held": "absent", "reason": text}]}
    plan = msgspec.structs.replace(world.plan(), params={**world.plan().params, **named})
    spans = [*proofs.cells(found, worlds.NOW), *proofs.run_cells(found.runs[0], worlds.NOW)]
    for lines in (proof_run.body(bad, worlds.NOW, 79), proof_card.card(found, worlds.NOW, 79, 99),
                  proof_card.top(found, worlds.NOW, 200, 99), plans.card(plan, 79)):  # fmt: skip
        spans += [part for line in lines for part in line]
    raw = {hex(ord(char)) for part in spans for char in part.text if unicodedata.category(char) in ("Cc", "Cf", "Cs")}
    assert not raw


def test_ages_of_rungs_are_their_own():
    found = ladder.lines(world.ladder(world.ORDERS, 2, at=ago(days=3)), RUNGS[:5], worlds.NOW, 79)
    assert plain(found[0]).split()[:4] == ["exists", "✓", "PASSED", "3d"]
    assert plain(found[-1]).split()[:4] == ["drilled", "○", "NOT", "TESTED"]


@pytest.mark.parametrize(("cluster", "said"), [("another", "○ other cluster"), ("", "○ which cluster?")])
def test_what_was_proven_in_another_cluster_is_told_and_is_never_green_here(cluster, said):
    green = world.proof("aa" * 8, 2.0)
    views = {id: located(one, cluster) for id, one in world.views(green).items()}
    found = gathering.gather(views.values(), worlds.overview().values())[world.ORDERS]
    assert (found.last, proofs.measured_runs(found), proofs.worth_a_look(found)) == (None, [], True)
    shown = cells(found)
    assert (shown["proof"], shown["reached"], shown["runs"]) == (
        "○ not tested here",
        cells_of_nothing()["reached"],
        "-",
    )
    (run,) = found.runs
    assert proofs.run_cells(run, worlds.NOW)[1].text == said
    of_sets = {
        id: located(one, cluster) for id, one in world.views(world.proof("bb" * 8, 1, source="snapshots")).items()
    }
    assert snapshots.verdicts(of_sets.values()) == {}


def cells_of_nothing():
    return cells(gathering.gather([], worlds.overview().values())[world.ORDERS])


def test_an_older_point_that_passed_since_does_not_hide_that_the_newest_one_failed():
    def of(id, hours, start, verdict):
        record = world.proof(id, hours, verdict=verdict).facts["prove.record"]
        facts = {"prove.record": {**record, "point_start": start}}
        return msgspec.structs.replace(world.proof(id, hours, verdict=verdict), facts=facts)

    newest = of("aa" * 8, 5.0, "2026-11-19T02:00:00Z", Verdict.FAILED)
    older = of("bb" * 8, 1.0, "2026-11-01T02:00:00Z", Verdict.PASSED)
    last = gathered(newest, older)[world.ORDERS].last
    assert last is not None
    assert (last.view.id, last.record.verdict) == ("aa" * 8, Verdict.FAILED)
