"""What is told of an event, and what is not; and that hostile text stays text in every sink."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from lazarus_tui.journal import Event
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.proofs import RUNGS, Ladder, ProofRecord, ProofView, Rung, Trouble
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.notify import pagerduty, slack, webhook
from lazarus_tui.notify.notice import MAX_TEXT, MAX_TITLE, Action, Notice, Severity, Told, commands, made
from lazarus_tui.notify.reading import KINDS, OVERDUE, Source, read
from tests.notify.office import notice, operation

ORDERS = "shop/StatefulSet/orders"


def event(kind: str, body: Mapping[str, Any] = {}, seq: int = 7) -> Event:
    return Event(seq, "1".zfill(16), "2026-01-01T03:00:00.000000Z", 0, "engine", kind, dict(body))


def told(kind: str, body: Mapping[str, Any], op: Operation | None = None, **params: Any) -> list[Notice]:
    return read(Source(event(kind, body), op, params))


def ended(verdict: Verdict, state: str = "done", code: int = 0, **fields: Any) -> list[Notice]:
    record = ProofRecord(
        operation="1", source="velero", point="nightly-1", namespace="shop", workload="StatefulSet/orders",
        verdict=verdict, words="count is 3 instead of 5",
    )  # fmt: skip
    facts = {"prove.record": msgspec.to_builtins(msgspec.structs.replace(record, **fields))}
    op = operation(1, OpState.DONE, facts=facts)
    return told("op.ended", {"state": state, "message": "", "exit_code": code}, op, policy="nightly")


@pytest.mark.parametrize(
    ("verdict", "control", "expected"),
    [
        (Verdict.PASSED, "", ("proof-passed", "resolve", "info", f"Proof PASSED: {ORDERS} from nightly-1")),
        (Verdict.FAILED, "", ("proof-failed", "trigger", "error", f"Proof FAILED: {ORDERS} from nightly-1")),
        (Verdict.INCONCLUSIVE, "",
         ("proof-inconclusive", "trigger", "warning", f"Proof INCONCLUSIVE: {ORDERS} from nightly-1")),
        (Verdict.NOT_TESTED, "",
         ("proof-inconclusive", "trigger", "warning", f"Proof NOT TESTED: {ORDERS} from nightly-1")),
        (Verdict.PASSED, "flip",
         ("control-red", "resolve", "info", f"Negative control red, as it must be: {ORDERS} from nightly-1")),
        (Verdict.FAILED, "flip",
         ("control-not-red", "trigger", "critical", f"Negative control not red: {ORDERS} from nightly-1")),
        (Verdict.INCONCLUSIVE, "flip",
         ("proof-inconclusive", "trigger", "warning", f"Negative control INCONCLUSIVE: {ORDERS} from nightly-1")),
    ],
)  # fmt: skip
def test_every_verdict_of_a_proof(verdict: Verdict, control: str, expected: tuple[str, ...]) -> None:
    found = ended(verdict, control=control)[-1]
    assert (found.told, found.action, found.severity, found.title) == expected
    assert found.key == (f"control/c/{ORDERS}/flip" if control else f"proof/c/{ORDERS}")
    assert (found.policy, found.operation, found.subject) == ("nightly", f"{1:016x}", ORDERS)
    assert "count is 3 instead of 5\npoint: nightly-1" in found.text
    assert found.commands == ("lazarus --context c operation show 00000000",)


PASSED_ALL = (Ladder(ORDERS, tuple(Rung(name, Verdict.PASSED) for name in RUNGS[:5])),)


def proven(point: str, start: str, verdict: Verdict = Verdict.PASSED, **fields: Any) -> ProofView:
    given = {
        "namespace": "shop",
        "workload": "StatefulSet/orders",
        "point_start": start,
        "ladders": PASSED_ALL,
        **fields,
    }
    record = ProofRecord(operation="2", source="velero", point=point, verdict=verdict, **given)
    return ProofView(
        id="2", state=OpState.DONE, started="", ended="2026-01-01T00:00:00Z", about=record.about, record=record
    )


def test_it_says_which_point_it_is_when_that_began_and_what_was_shown_or_is_owed() -> None:
    began = {"point_start": "2026-01-01T01:00:00Z"}
    failed, passed = ended(Verdict.FAILED, **began)[-1], ended(Verdict.PASSED, **began, ladders=PASSED_ALL)[-1]
    assert (failed.point, failed.point_at, failed.rungs) == ("nightly-1", "2026-01-01T01:00:00Z", RUNGS[:5])
    assert (passed.point, passed.rungs) == ("nightly-1", RUNGS[:5])
    assert "point: nightly-1 of 2026-01-01T01:00:00Z" in failed.text
    assert ended(Verdict.FAILED, point_start="yesterday")[-1].point_at == "", "a cluster's words are no time"
    assert ended(Verdict.FAILED, control="flip")[-1].rungs == (), "a control answers nothing about points"


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ([proven("nightly-9", "2026-01-09T01:00:00Z")], True),
        ([proven("nightly-0", "2025-12-31T01:00:00Z")], False),
        ([proven("nightly-9", "2026-01-09T01:00:00Z", Verdict.FAILED)], False),
        ([proven("nightly-9", "2026-01-09T01:00:00Z", control="flip")], False),
        ([proven("nightly-9", "2026-01-09T01:00:00Z", workload="Deployment/web")], False),
        ([proven("nightly-9", "2026-01-09T01:00:00Z", cluster_uid="another")], False),
        ([proven("nightly-9", "")], False),
    ],
)
def test_that_an_old_point_is_bad_does_not_hide_that_a_newer_one_is_proven(known: list[ProofView], said: bool) -> None:
    record = ProofRecord(
        operation="1", source="velero", point="random-1", namespace="shop", workload="StatefulSet/orders",
        verdict=Verdict.FAILED, point_start="2026-01-02T01:00:00Z",
    )  # fmt: skip
    op = operation(1, OpState.DONE, facts={"prove.record": msgspec.to_builtins(record)})
    found = read(Source(event("op.ended", {"state": "done"}), op, proofs=known))[-1]
    assert found.title.endswith("from random-1; a newer point is proven") is said
    assert ("nightly-9 of 2026-01-09T01:00:00Z is newer, and it is proven" in found.text) is said


@pytest.mark.parametrize("state", ["failed", "left changed"])
def test_what_was_judged_green_and_did_not_come_to_its_end_resolves_nothing(state: str) -> None:
    found = ended(Verdict.PASSED, state=state, code=2)[-1]
    assert (found.told, found.action) == (Told.PROOF_INCONCLUSIVE, Action.TRIGGER)
    assert "it did not come to its end" in found.text


def test_a_verdict_is_told_once_not_again_when_the_copy_that_was_kept_is_taken_away() -> None:
    record = ProofRecord(operation="1", source="velero", point="b", namespace="shop", verdict=Verdict.PASSED)
    for verdict in (Verdict.PASSED, Verdict.FAILED):
        facts = {"prove.record": msgspec.to_builtins(msgspec.structs.replace(record, verdict=verdict))}
        for state, said in (("undone", Told.SETTLED), ("left changed", Told.LEFT_CHANGED)):
            again = event("op.ended", {"state": state, "message": "", "exit_code": 3 if "left" in state else 2})
            assert [one.told for one in read(Source(again, operation(1, facts=facts), first=False))] == [said]
    op = operation(1, OpState.UNDONE)
    body = {"state": "undone", "message": "undone on request", "exit_code": 2}
    assert [one.told for one in told("op.ended", body, op)] == [Told.SETTLED, Told.PROOF_INCONCLUSIVE]


@pytest.mark.parametrize(
    ("verdict", "kept", "expected"),
    [
        (Verdict.FAILED, False, Told.PROOF_FAILED),
        (Verdict.INCONCLUSIVE, False, Told.PROOF_INCONCLUSIVE),
        (Verdict.PASSED, False, Told.PROOF_INCONCLUSIVE),
        (Verdict.PASSED, True, Told.PROOF_PASSED),
    ],
)
def test_what_was_judged_before_it_was_taken_back_is_told_where_it_had_not_ended(
    verdict: Verdict, kept: bool, expected: Told
) -> None:
    """Green only with the evidence (``kept``), as wherever proofs are counted."""
    record = ProofRecord(operation="1", source="velero", point="nightly-1", namespace="shop", verdict=verdict)
    facts = {"prove.record": msgspec.to_builtins(record), "evidence": "1-1" if kept else ""}
    op = operation(1, OpState.UNDONE, facts=facts)
    undone = event("op.ended", {"state": "undone", "message": "undone on request", "exit_code": 2})
    assert [one.told for one in read(Source(undone, op, first=True))] == [Told.SETTLED, expected]
    assert [one.told for one in read(Source(undone, op, first=False))] == [Told.SETTLED]


def test_what_was_judged_before_it_was_closed_by_hand_is_told_by_whoever_has_the_record() -> None:
    record = ProofRecord(operation="1", source="velero", point="b", namespace="shop", verdict=Verdict.FAILED)
    op = operation(1, OpState.LEFT_CHANGED, facts={"prove.record": msgspec.to_builtins(record)})

    def closed(op: Operation, state: str, first: bool = True) -> list[Told]:
        return [one.told for one in read(Source(event("op.closed", {"by": "ann", "state": state}), op, first=first))]

    assert closed(op, "left changed") == closed(op, "failed") == [Told.SETTLED, Told.PROOF_FAILED]
    assert closed(op, "left changed", first=False) == closed(op, "undone") == [Told.SETTLED]
    assert closed(operation(1, OpState.FAILED), "failed") == [Told.SETTLED], "nothing was judged"


def test_the_same_workload_of_another_cluster_is_another_matter() -> None:
    def key(uid: str) -> str:
        return read(Source(event("op.ended", {"state": "done"}), operation(1, OpState.DONE), cluster_uid=uid))[-1].key

    assert key("6b0c6f1f-2c1d") == "proof/c@6b0c6f1f/shop"
    assert len({key("6b0c6f1f-2c1d"), key("77777777-2c1d"), key("")}) == 3


def test_a_control_says_nothing_about_the_proof_of_the_same_workload() -> None:
    """A control that went red must never resolve a proof that failed."""
    assert ended(Verdict.PASSED, control="flip")[-1].key != ended(Verdict.FAILED)[-1].key


def test_a_control_of_one_kind_takes_back_no_alarm_of_another() -> None:
    assert ended(Verdict.PASSED, control="no-workload")[-1].key != ended(Verdict.FAILED, control="drop-table")[-1].key


def test_the_ladder_and_the_first_troubles_are_in_the_text() -> None:
    rungs = (Rung("exists", Verdict.PASSED), Rung("healthy", Verdict.FAILED, "orders-0 crashes"))
    troubles = tuple(Trouble(f"orders-{n}", "OOMKilled", advice="give it more memory") for n in range(9))
    text = ended(Verdict.FAILED, ladders=(Ladder(ORDERS, rungs),), troubles=troubles, left=("Namespace q",))[-1].text
    assert f"{ORDERS}: exists PASSED, healthy FAILED" in text
    assert "orders-2: OOMKilled → give it more memory" in text
    assert "orders-3" not in text
    assert "left behind: Namespace q" in text


def test_a_proof_that_never_came_to_its_judgement_is_inconclusive() -> None:
    op = operation(1, OpState.FAILED)
    body = {"state": "failed", "message": "missing right: create pods", "exit_code": 2}
    [settled, found] = told("op.ended", body, op, namespace="shop", workload="StatefulSet/orders", policy="nightly")
    assert settled.action is Action.RESOLVE
    assert (found.told, found.key) == (Told.PROOF_INCONCLUSIVE, f"proof/c/{ORDERS}")
    assert "missing right: create pods" in found.text


def test_a_proof_that_left_something_behind_says_both() -> None:
    found = ended(Verdict.PASSED, code=3)
    assert [one.told for one in found] == [Told.LEFT_CHANGED, Told.PROOF_PASSED]


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("op.parked", {"message": "m"}, ("operation-parked", "trigger", "error")),
        ("op.resumed", {"by": "request"}, ("operation-taken-up", "acknowledge", "info")),
        ("op.undoing", {"by": "request"}, ("operation-taken-up", "acknowledge", "info")),
        ("op.undoing", {"why": "a step failed"}, None),
        ("op.closed", {"by": "ann"}, ("operation-settled", "resolve", "info")),
        ("op.ended", {"state": "done", "exit_code": 0}, ("operation-settled", "resolve", "info")),
        ("op.ended", {"state": "undone", "exit_code": 2}, ("operation-settled", "resolve", "info")),
        ("op.ended", {"state": "left changed", "exit_code": 3}, ("operation-left-changed", "trigger", "error")),
    ],
)
def test_what_operations_tell(kind: str, body: dict[str, Any], expected: tuple[str, str, str] | None) -> None:
    op = operation(5, OpState.PARKED, kind="velero.restore", title="Restore shop", can_undo=True)
    found = told(kind, body, op)
    assert [(one.told, one.action, one.severity) for one in found] == ([expected] if expected else [])
    assert {one.key for one in found} <= {f"operation/c/{5:016x}"}
    if kind == "op.parked":
        assert [line.split()[3] for line in found[0].commands] == ["operation", "resume", "undo"]


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("policy", {"what": "settled", "outcome": "refused", "why": "missed: no answer"}, "overdue"),
        ("policy", {"what": "settled", "outcome": "failed", "operation": "9f3c12ab44d01e02"}, "overdue"),
        ("policy", {"what": "settled", "outcome": "taken"}, "caught-up"),
        ("policy", {"what": "settled", "outcome": "waits for a person"}, None),
        ("policy", {"what": "missed", "missed": 3, "why": "the engine did not run"}, "overdue"),
        ("policy", {"what": "missed", "missed": 3, "why": "left out, 3 of them because of a blackout"}, None),
        ("policy", {"what": "missed", "missed": 0, "why": "the clock went back"}, None),
        ("policy", {"what": "removed"}, "caught-up"),
        ("policy", {"what": "stored", "policy": {}}, None),
        ("run.overdue", {"policy": "shop/nightly", "why": "Velero was busy", "due": "2026-01-01T03:00:00Z"}, "overdue"),
        ("run.caught-up", {"policy": "shop/nightly"}, "caught-up"),
    ],
)  # fmt: skip
def test_what_schedules_tell(kind: str, body: dict[str, Any], expected: str | None) -> None:
    found = told(kind, {"context": "c", "key": "shop/nightly", "nominal": "2026-01-01T03:00:00Z", **body})
    assert [one.told for one in found] == ([expected] if expected else [])
    assert {(one.key, one.policy) for one in found} <= {("overdue/c/shop/nightly", "shop/nightly")}


def test_a_run_of_a_snapshot_policy_is_named_as_its_events_are() -> None:
    op = operation(5, OpState.PARKED, kind="snapshots.create")
    [parked] = told("op.parked", {}, op, schedule="nightly", namespace="shop")
    [late] = told("policy", {"what": "settled", "outcome": "failed", "context": "c", "key": "shop/nightly"})
    assert parked.policy == late.policy == "shop/nightly"
    assert told("op.parked", {}, op)[0].policy == ""


def test_an_operation_that_is_not_known_tells_nothing_and_every_kind_is_read() -> None:
    assert told("op.ended", {"state": "done"}) == []
    for kind in KINDS:
        told(kind, {}, operation())


def test_the_same_event_is_the_same_notice_and_another_is_not() -> None:
    source = Source(event("op.parked", {"message": "m"}), operation())
    assert read(source) == read(source)
    assert read(source)[0].id != read(Source(event("op.parked", {"message": "m"}, seq=8), operation()))[0].id


def test_commands_are_quoted_and_the_sandbox_needs_no_context() -> None:
    assert commands("prod; rm -rf", ["undo", "9f"]) == ("lazarus --context 'prod; rm -rf' undo 9f",)
    assert commands("x", ["undo", "9f"], sandbox=True) == ("lazarus --sandbox undo 9f",)
    found = read(Source(event("op.parked", {}), operation(), sandbox=True))
    assert found[0].commands[0].startswith("lazarus --sandbox ")


# --- hostile text

HOSTILE = [
    "<!channel> <@U1> <https://evil.example|login>", "&lt;!here&gt; & <!subteam^S1>", "*bold* _x_ `code` ~s~",
    "\x1b]0;owned\x07\x1b[2J", "\u202egnp.exe", "a\u200bb\u2066c\ufeffd", "line\r\nBcc: all", "\ud800 lone", "\x00",
    "x" * 100_000, "&" * 5000, "{{template}} ${jndi:ldap://x}", "</script>", "\u2028next", "é漢字🚀",
]  # fmt: skip


def hostile(text: str) -> Notice:
    return made(
        Told.PARKED, Action.TRIGGER, Severity.ERROR, f"operation/{text}", "2026-01-01T00:00:00Z", text, text,
        context=text, subject=text, commands=commands("prod", ["resume", "9f"]),
    )  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_text_everywhere(text: str) -> None:
    given = hostile(text)
    assert len(given.title) <= MAX_TITLE
    assert len(given.text) <= MAX_TEXT
    for sent in (
        slack.compose(given, "https://hooks.example").body,
        pagerduty.compose(given, "", "k").body,
        webhook.compose(given, "https://x.example", "k", 1).body,
    ):
        found = json.loads(sent)
        strings = list(_strings(found))
        assert all(c.isprintable() or c == "\n" for one in strings for c in one)
        assert len(sent) < 60_000


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_slack_makes_nothing_of_it(text: str) -> None:
    body = json.loads(slack.compose(hostile(text), "https://hooks.example").body)
    texts = [block["text"] for block in body["blocks"] if "text" in block]
    texts += [part for block in body["blocks"] for part in block.get("elements", [])]
    for part in [*texts, {"text": body["text"], "verbatim": True}]:
        assert "<" not in part["text"]
        assert ">" not in part["text"]
        rest = part["text"].replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
        assert "&" not in rest, "every & is one of the three entities, none cut in two"
        assert part["verbatim"] is True
        assert 0 < len(part["text"]) <= slack.MAX_BLOCK
    assert body["mrkdwn"] is False


def test_a_proof_whose_record_cannot_be_read_is_told_as_one_without_a_verdict() -> None:
    op = operation(1, OpState.DONE, facts={"prove.record": {"verdict": "PASSED", "point": 3}})
    body = {"state": "done", "message": "", "exit_code": 0}
    found = told("op.ended", body, msgspec.structs.replace(op, kind="prove.run"), namespace="shop")
    assert [one.told for one in found] == [Told.SETTLED, Told.PROOF_INCONCLUSIVE]


def test_a_proof_says_with_which_version_of_its_policy_it_was_asked_for() -> None:
    op = operation(1, OpState.DONE, facts={})
    body = {"state": "failed", "message": "no storage", "exit_code": 1}
    found = told("op.ended", body, msgspec.structs.replace(op, kind="prove.run"), policy="nightly", policy_hash="4f")
    assert [(one.policy, one.policy_hash) for one in found if one.told is Told.PROOF_INCONCLUSIVE] == [
        ("nightly", "4f")
    ]


def test_what_is_told_under_long_keys_is_not_taken_for_one_thing() -> None:
    lead = "overdue/" + "arn:aws:eks:eu-central-1:123456789012:cluster/" + "x" * 200

    def key(name: str) -> str:
        given = (
            Told.OVERDUE,
            Action.TRIGGER,
            Severity.ERROR,
            f"{lead}/{name}",
            "2026-01-01T03:00:00Z",
            "title",
            "text",
        )
        return made(*given).key

    assert key("orders") != key("invoices"), "or the end of one would end the other"
    assert key("orders") == key("orders")
    assert len(key("orders")) == 250
    assert key("orders").startswith(lead[:233])


def test_long_keys_are_cut_without_two_becoming_one() -> None:
    one, other = (pagerduty.dedup_key("k" * 400 + end) for end in "ab")
    assert one != other
    assert max(len(one), len(other)) <= pagerduty.MAX_KEY
    assert pagerduty.dedup_key("proof/c/shop") == "lazarus/proof/c/shop"


def test_secrets_in_what_a_cluster_said_do_not_leave() -> None:
    text = "pull failed: Authorization: Bearer c4n4ryc4n4ry, https://u:c4n4ry@x.example/y?sig=c4n4ry password=c4n4ry"
    for body in (
        slack.compose(hostile(text), "u").body, pagerduty.compose(hostile(text), "", "k").body,
        webhook.compose(hostile(text), "u", "k", 1).body,
    ):  # fmt: skip
        assert b"c4n4ry" not in body


def test_at_zero_carries_its_state() -> None:
    assert webhook.document(notice(told=Told.AT_ZERO))["state"] == "AT_ZERO"
    assert "state" not in webhook.document(notice(told=Told.BACK))


def test_a_resolved_slack_message_looks_resolved() -> None:
    body = json.loads(slack.compose(notice(action=Action.RESOLVE), "u").body)
    assert body["text"].startswith("✓ ")


def test_what_a_schedule_may_journal_is_a_name_of_this_module() -> None:
    assert OVERDUE in KINDS


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [one for part in parts for one in _strings(part)]
