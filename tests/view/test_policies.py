"""Policies and the queue on screen: never greener than the policy says, and what waits says for what."""

from __future__ import annotations

import msgspec
import pytest

from lazarus_tui.model.proof_policies import Standing, State
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import actions, gathering, policies, queue, reasons
from lazarus_tui.view.source import TopicState
from lazarus_tui.view.text import Tone, plain
from tests.console import queueing as world
from tests.console import worlds
from tests.view.payloads import PAYLOADS

NOW = worlds.NOW


def stands():
    return policies.stands(world.rows().values(), world.queue().values())


def cells(found):
    shown = policies.SHEET.cells(found, NOW)
    return dict(zip([column.id for column in policies.COLUMNS], [one.text for one in shown], strict=True))


def topic(records, state="ready", **more):
    return TopicState(1, state, records=records, **more)


def summary(width=80, rows=None, entries=None):
    rows, entries = world.rows() if rows is None else rows, world.queue() if entries is None else entries
    return [plain(one) for one in queue.summary(topic(rows), topic(entries), NOW, width)]


def test_rows_say_how_a_workload_stands_what_comes_next_and_what_its_control_said():
    found = stands()
    assert cells(found["shop shop"]) == {
        "policy": "shop", "workload": "shop", "stands": "✓ PASSED 2h", "next": "each backup", "control": "✓ noticed 2d",
        "queue": "▶ 1 ○ 2", "point": "ka-04-daily-20261120020000",
    }  # fmt: skip
    wiki = cells(found["wiki intranet/StatefulSet/wiki"])
    assert (wiki["stands"], wiki["next"], wiki["control"]) == ("▲ not green 1d", "▲ OVERDUE", "✗ unnoticed 2d")
    audit = cells(found["audit shop/StatefulSet/orders"])
    assert (wiki["workload"], audit["workload"]) == ("intranet/wiki", "shop/orders")
    assert (audit["stands"], audit["next"], audit["control"]) == ("○ NOT TESTED", "○ not enabled", "-")


@pytest.mark.parametrize(
    ("verdict", "green", "control", "shown", "tone"),
    [
        (Verdict.PASSED, True, "due", "✓ PASSED", Tone.GOOD),
        (Verdict.PASSED, False, "stale", "▲ not green", Tone.WARN),
        (Verdict.PASSED, False, "inconclusive", "▲ not green", Tone.WARN),
        (Verdict.FAILED, False, "red", "✗ FAILED", Tone.BAD),
        (Verdict.INCONCLUSIVE, False, "", "▲ INCONCLUSIVE", Tone.WARN),
    ],
)
def test_only_what_the_policy_calls_green_is_green(verdict, green, control, shown, tone):
    found = policies.verdict(world.standing(verdict=verdict, green=green, control=control), NOW)
    assert (found.text.rpartition(" ")[0], found.tone) == (shown, tone)
    assert (policies.verdict(None, NOW).tone, policies.verdict(Standing(subject=world.SHOP), NOW).tone) == (
        Tone.MUTED, Tone.MUTED,
    )  # fmt: skip


def test_the_summary_counts_the_queue_says_what_the_first_waits_for_and_puts_the_bad_first():
    head, reason, stand = summary()
    assert reason.strip() == "shop: 1 of this policy at once (atOnce)"
    assert stand == " policies  ▲ 1 not green  ▲ 1 overdue  ✓ 1 green  ○ 1 not tested  ○ 1 off"
    assert head == " queue     ▶ 1 running  ○ 2 waiting, the first for 3m"
    assert summary(entries={})[0] == " queue     ○ empty"
    behind = world.entry(1, State.RUNNING, waiting=world.BEHIND)
    assert summary(entries={behind.id: behind})[1].strip() == f"shop: {world.BEHIND}"
    waits = world.entry(2, waiting=world.WINDOW)
    whole = " ".join(" ".join(summary(entries={waits.id: waits})[1:3]).split())
    assert whole == f"shop: {world.WINDOW}", "a time is never cut off"


def test_what_waits_for_hours_does_not_count_seconds():
    waits, young = world.entry(1, minutes=200.0), world.entry(2, minutes=0.5)
    running = world.entry(3, State.RUNNING, 200.0)
    ended = world.entry(4, State.DONE, 0.1)
    assert not queue.ticks(topic({"1": waits, "4": ended}), NOW)
    assert queue.ticks(topic({"1": waits, "2": young}), NOW)
    assert queue.ticks(topic({"1": waits, "3": running}), NOW)
    assert "waiting 3h" in plain(queue.entry(waits, NOW, 80)[0])


def test_what_is_not_known_is_not_called_empty():
    for known, waiting in ((topic({}, "loading"), topic({})), (topic({}), topic({}, "loading"))):
        assert "asking" in plain(queue.summary(known, waiting, NOW, 80)[0])
    [failed] = queue.summary(topic({}, "failed", reason="the engine has no topic policies/x"), topic({}), NOW, 80)
    assert plain(failed) == " ▲ queue and policies are not known: the engine has no topic policies/x"
    assert summary(rows={}, entries={}) == [" ○ nothing is proven by itself here   P policies"]
    gather = policies.Gathered()
    assert gather(topic({}, "loading"), topic(world.queue())).state == "loading"
    assert len(gather(topic(world.rows()), topic({}, "loading")).records) == 3


def test_a_policy_reads_from_what_is_wrong_to_what_it_does():
    text = "\n".join(plain(one) for one in queue.page(stands()["wiki intranet/StatefulSet/wiki"], NOW, 79))
    assert text.index("▲ OVERDUE: the proof of") < text.index("control failed: broken") < text.index("What it does")
    busy = "\n".join(plain(one) for one in queue.page(stands()["shop shop"], NOW, 79))
    assert "▶ running 41s  shop from ka-07-offsite-20261120093000  feed0123" in busy
    assert busy.index("running 41s") < busy.index("waiting 3m") < busy.index("waiting 1m")
    assert "- skipped 1h ago  shop from ka-03-hourly-20261120090000" in busy
    assert "it is Failed: nothing to prove" in busy
    waits = policies.Stand(world.row(unknown=("hot: its schedule is not known",), expects=("a point by 11:00",)))
    told = "\n".join(plain(one) for one in queue.page(waits, NOW, 79))
    assert told.index("? hot: its schedule is not known") < told.index("What it does") < told.index("a point by 11:00")
    off = queue.page(stands()["audit shop/StatefulSet/orders"], NOW, 79, sandbox=True)
    assert "not enabled: lazarus --sandbox policy enable audit" in "\n".join(plain(one) for one in off)
    assert not any(part.tone in (Tone.BAD, Tone.WARN) for one in off for part in one), "asleep is not wrong"


@pytest.mark.parametrize("width", [80, 200])
def test_cards_stay_in_their_room_and_say_how_much_more_there_is(width):
    for found in stands().values():
        for room in range(2, 20):
            lines = queue.card(found, NOW, width, room)
            assert len(lines) <= room
            assert all(len(plain(one)) <= width for one in lines)
    assert "more lines: enter shows all" in plain(queue.card(stands()["shop shop"], NOW, 80, 6)[-1])


def test_what_waits_of_a_workload_stands_in_its_card_and_what_waits_of_others_does_not():
    rows = gathering.gather((), worlds.overview().values())
    waiting = topic(world.queue())
    shown = queue.of_row(rows["shop/StatefulSet/orders"], waiting, NOW, 80)
    assert plain(shown[0]) == "   ○ waiting 3m  shop from ka-03-hourly-20261120100000"
    assert queue.of_row(rows["intranet/StatefulSet/wiki"], waiting, NOW, 80) == []
    web = world.entry(9, subject=world.ORDERS)
    assert queue.of_row(rows["shop/Deployment/web"], topic({web.id: web}), NOW, 80) == []


@pytest.mark.parametrize("width", [80, 200])
def test_no_name_is_so_long_that_it_hides_how_its_workload_stands(width):
    long = world.row("w" * 63, world.standing(subject=world.ORDERS))
    one = msgspec.structs.replace(world.entry(1, State.DONE, verdict=Verdict.PASSED, control="withhold"),
                                  policy="w" * 63, point="before-upgrade-20261121203338-of-every-day")  # fmt: skip
    found = next(iter(policies.stands([long], [one]).values()))
    lines = [plain(each) for each in queue.page(found, NOW, width)]
    assert max(map(len, lines)) <= width
    text = " ".join(" ".join(lines).split())
    assert f"{'w' * 63} {found.workload} {cells(found)['stands']} next each backup" in text
    assert "of-every-day control withhold" in " ".join(" ".join(map(plain, queue.entry(one, NOW, width))).split())


def test_keys_of_a_policy_say_why_they_are_grey():
    def why(action, found, sandbox=False):
        situation = reasons.Situation("policies", NOW, worlds.context(sandbox=sandbox), True, found)
        return actions.BY_ID[action].disabled_reason(situation)

    found = stands()
    assert why("queue_proof", found["shop shop"]) is None
    off = found["audit shop/StatefulSet/orders"]
    assert why("queue_proof", off) == "the policy is not enabled: lazarus policy enable audit"
    assert why("queue_proof", off, sandbox=True) == "the policy is not enabled: lazarus --sandbox policy enable audit"
    plainly = policies.Stand(world.row(policy={"control": ""}))
    assert "no negative control" in why("queue_control", plainly)
    assert why("queue_proof", None) == "nothing is selected"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_words_come_out_as_text(payload):
    one = world.entry(1, words=payload, waiting=payload, point=payload)
    row = world.row(f"p{payload}", world.standing(words=payload), overdue=payload, trouble="", waiting=1)
    found = next(iter(policies.stands([row], [msgspec.structs.replace(one, policy=row.policy.name)]).values()))
    lines = [*queue.page(found, NOW, 79), *queue.summary(topic({"p": row}), topic({"e": one}), NOW, 79)]
    text = "".join(plain(one) for one in lines)
    assert not any(ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char in "‮⁦" for char in text)
