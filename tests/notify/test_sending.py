"""In which order notices are sent, how often they are tried, and when they are given up."""

from __future__ import annotations

import asyncio

import pytest

from lazarus_tui.notify import desk as desks
from lazarus_tui.notify import outbox as boxes
from lazarus_tui.notify.notice import Action, Severity
from lazarus_tui.notify.outgoing import Answer, Outcome
from tests.notify.office import DELIVERED, LATER, Office, notice, sink

RESOLVE = Action.RESOLVE


async def test_tries_are_spaced_and_never_end_before_a_day(office: Office) -> None:
    office.post.script["siem"] = [LATER]
    await office.boot()
    await office.desk.tell([notice()])
    await office.settle()
    for n, gap in enumerate([5, 10, 20, 40, 80, 160, 300, 300], start=1):
        await office.pass_(gap - 1)
        assert len(office.post.handed) == n
        await office.pass_(1)
        assert len(office.post.handed) == n + 1
    office.post.script["siem"] = [DELIVERED]
    await office.pass_(300)
    assert [one.state for one in office.desk.outbox.parcels()] == ["sent"]


async def test_what_nobody_takes_for_a_day_is_given_up_and_says_so(office: Office) -> None:
    office.post.script["siem"] = [Answer(Outcome.REFUSED, "answered 404", hint="lazarus notify test siem")]
    await office.boot()
    await office.desk.tell([notice()])
    await office.pass_(2 * desks.LONG)
    assert len(office.post.handed) == 3, "every quarter of an hour"
    office.clock._elapsed = boxes.EXPIRES.total_seconds() - 60
    await office.pass_(60)
    assert [one.state for one in office.desk.outbox.parcels()] == ["waiting"]
    await office.pass_(2 * desks.LOOK)
    [parcel] = office.desk.outbox.parcels()
    assert (parcel.state, parcel.words) == ("given up", "not delivered within 24 h")
    assert [e.body["why"] for e in await office.journal.events_of(boxes.GIVEN_UP)] == ["not delivered within 24 h"]


async def test_what_will_never_be_taken_is_given_up_at_once_and_holds_up_nothing(office: Office) -> None:
    office.post.script["siem"] = [Answer(Outcome.NEVER, "answered 400: it does not understand the message"), DELIVERED]
    await office.boot()
    await office.desk.tell([notice()])
    await office.desk.tell([notice(action=RESOLVE)])
    await office.settle()
    states = {one.notice.id: (one.state, one.words) for one in office.desk.outbox.parcels()}
    assert states[notice().id] == ("given up", "answered 400: it does not understand the message")
    assert states[notice(action=RESOLVE).id][0] == "sent"


async def test_a_resolve_never_overtakes_its_trigger_and_other_keys_go_on(office: Office) -> None:
    office.post.script["siem"] = [LATER, DELIVERED]
    await office.boot()
    await office.desk.tell([notice()])
    await office.settle()
    await office.desk.tell([notice(action=RESOLVE), notice("operation/c/1", severity=Severity.WARNING)])
    await office.settle()
    assert [id for _, id in office.post.handed] == [notice().id, notice("operation/c/1").id]
    await office.pass_(5)
    assert [id for _, id in office.post.handed][2:] == [notice().id, notice(action=RESOLVE).id]


async def test_a_wait_that_was_asked_for_holds_for_the_whole_sink_and_no_other(office: Office) -> None:
    office.sinks = (sink(), sink("ops"))
    office.post.script["siem"] = [Answer(Outcome.LATER, "answered 429", 120.0), DELIVERED]
    await office.boot()
    await office.desk.tell([notice()])
    await office.settle()
    await office.desk.tell([notice("b", n=1)])
    await office.pass_(119)
    assert [name for name, _ in office.post.handed].count("ops") == 2
    assert [name for name, _ in office.post.handed].count("siem") == 1
    await office.pass_(1)
    assert [id for name, id in office.post.handed if name == "siem"][1:] == [notice().id, notice("b", n=1).id]


async def test_a_sink_that_hangs_holds_up_no_other(office: Office) -> None:
    office.sinks = (sink(), sink("ops"))
    office.post.script["siem"] = [asyncio.Event()]
    await office.boot()
    await office.desk.tell([notice(), notice("b")])
    await office.settle()
    assert [name for name, _ in office.post.handed].count("ops") == 2


async def test_of_what_waits_the_worst_goes_first(office: Office) -> None:
    hold = asyncio.Event()
    office.post.script["siem"] = [hold, DELIVERED]
    await office.boot()
    await office.desk.tell([notice("a", severity=Severity.WARNING)])
    await office.settle()
    more = [("b", Severity.WARNING), ("c", Severity.ERROR), ("d", Severity.CRITICAL), ("e", Severity.ERROR)]
    await office.desk.tell([notice(key, severity=severity) for key, severity in more])
    hold.set()
    await office.settle()
    assert [one.key for one in office.post.notices] == ["a", "d", "c", "e", "b"]


async def test_a_thousand_wait_and_the_least_grave_oldest_is_given_up(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boxes, "MOST", 5)
    office.post.script["siem"] = [LATER]
    await office.boot()
    await office.desk.tell([notice(f"k{n}", severity=Severity.WARNING if n < 3 else Severity.ERROR) for n in range(5)])
    await office.desk.tell([notice("grave", severity=Severity.CRITICAL), notice("k9")])
    assert [one.notice.key for one in office.desk.outbox.waiting] == ["k2", "k3", "k4", "grave", "k9"]
    lost = [one for one in office.desk.outbox.parcels() if one.state == "given up"]
    assert {one.words for one in lost} == {"more than 5 were waiting"}
    assert len(await office.journal.events_of(boxes.GIVEN_UP)) == 2
    assert boxes.EXPIRES.total_seconds() == 24 * 3600
