"""From an event of the journal to what is told of it. Pure: the same event always gives the same notices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lazarus_tui.journal import Event
from lazarus_tui.model.clock import moment, parse_rfc3339
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.proofs import RECORD, REQUIRED, ProofRecord, ProofView, fell_short, record_of
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.notify.answering import rungs
from lazarus_tui.notify.notice import Action, Notice, Severity, Told, commands, made, one_line

PROOF = "prove.run"
# A schedule says so when a run did not take place, and when one did again: {context, policy, subject, due, why}.
OVERDUE, CAUGHT_UP = "run.overdue", "run.caught-up"
# What the journal says of stored snapshot policies (engine.policies).
POLICY, TAKEN = "policy", "taken"
# Ends of a run that are told as overdue; one that is parked is told by its operation.
_NO_RUN = ("refused", "failed")
_BLACKOUT = "blackout"  # runs that were left out as planned
_LATE = "Should have run and did not"

ENDED, CLOSED = ENDS = ("op.ended", "op.closed")
# The evidence of a proof was written after its end (engine.late_evidence): what that kept from green is over.
LATE = "evidence.late"
KINDS = (ENDED, LATE, "op.parked", "op.resumed", "op.undoing", CLOSED, POLICY, OVERDUE, CAUGHT_UP)


@dataclass(frozen=True)
class Source:
    """An event with what belongs to it: the operation's record as it is now, parameters and cluster of its plan, the
    proofs of its context that are known, and whether it is the ``first`` end of the operation: what a proof found is
    told at that one, and a later one takes away the copy that was kept."""

    event: Event
    operation: Operation | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    sandbox: bool = False
    cluster_uid: str = ""
    proofs: Sequence[ProofView] = ()
    first: bool = True

    @property
    def policy(self) -> str:
        """A ProofPolicy by its name, a snapshot policy by ``namespace/name``."""
        schedule = self.params.get("schedule")
        return f"{self.params.get('namespace')}/{schedule}" if schedule else str(self.params.get("policy") or "")


def read(source: Source) -> list[Notice]:
    """What is told of an event. Acknowledging and resolving is told only where something was told before."""
    event, operation = source.event, source.operation
    if event.kind == POLICY:
        return _policy(source)
    if event.kind in (OVERDUE, CAUGHT_UP):
        return [_run(source, dict(event.body), over=event.kind == OVERDUE)]
    return _OPERATIONS[event.kind](source, operation) if operation is not None else []


def _made(
    source: Source, told: Told, action: Action, severity: Severity, key: str, title: str, text: str, **more: Any
) -> Notice:
    event = source.event
    return made(told, action, severity, key, event.at, title, text, origin=str(event.seq), **more)


# --- operations


def _about(source: Source, operation: Operation, *verbs: str) -> dict[str, Any]:
    lines = [[*verb.split(), operation.id[:8]] for verb in ("operation show", *verbs)]
    return {
        "context": operation.context, "subject": operation.target, "operation": operation.id,
        "policy": source.policy,
        "commands": commands(operation.context, *lines, sandbox=source.sandbox),
    }  # fmt: skip


def operation_key(operation: Operation) -> str:
    return f"operation/{operation.context}/{operation.id}"


def _parked(source: Source, operation: Operation) -> list[Notice]:
    title = f"Waits for a person: {operation.title}"
    text = str(source.event.body.get("message") or operation.message)
    verbs = ("resume", "undo") if operation.can_undo else ("resume",)
    more = _about(source, operation, *verbs)
    key = operation_key(operation)
    return [_made(source, Told.PARKED, Action.TRIGGER, Severity.ERROR, key, title, text, **more)]


def _taken_up(source: Source, operation: Operation) -> list[Notice]:
    """Somebody asked for it; an undo that a failure began says why and is not this."""
    if not source.event.body.get("by"):
        return []
    verb = "is taken back" if source.event.kind == "op.undoing" else "goes on"
    title, more = f"Taken up: {operation.title}", _about(source, operation, "watch")
    text, key = f"Operation {operation.id[:8]} {verb}.", operation_key(operation)
    return [_made(source, Told.TAKEN_UP, Action.ACKNOWLEDGE, Severity.INFO, key, title, text, **more)]


def _closed(source: Source, operation: Operation) -> list[Notice]:
    found = [_settled(source, operation, f"Closed by hand: {operation.title}", operation.message)]
    state = str(source.event.body.get("state") or "")
    # Of what another Lazarus ended, that one tells.
    if _judged(operation) and source.first and state in (OpState.FAILED, OpState.LEFT_CHANGED):
        found.append(_proof(source, operation, state, operation.message))
    return found


def _judged(operation: Operation) -> bool:
    return operation.kind == PROOF and bool(operation.facts.get(RECORD))


def _settled(source: Source, operation: Operation, title: str, text: str) -> Notice:
    more = _about(source, operation)
    key = operation_key(operation)
    return _made(source, Told.SETTLED, Action.RESOLVE, Severity.INFO, key, title, text, **more)


def _ended(source: Source, operation: Operation) -> list[Notice]:
    body = source.event.body
    state, message = str(body.get("state") or ""), str(body.get("message") or "")
    found: list[Notice] = []
    if state == OpState.LEFT_CHANGED or body.get("exit_code") == 3:
        verbs = ("undo",) if operation.can_undo else ()
        more, key = _about(source, operation, *verbs), operation_key(operation)
        title = f"Left something changed: {operation.title}"
        found.append(_made(source, Told.LEFT_CHANGED, Action.TRIGGER, Severity.ERROR, key, title, message, **more))
    else:
        found.append(_settled(source, operation, f"Ended, {state}: {operation.title}", message))
    # What was judged was told when the proof ended; that its copy, which was kept, is taken away now is nothing new.
    # What was judged of one that is taken back before its end is told now.
    if operation.kind == PROOF and (source.first or not _judged(operation)):
        found.append(_proof(source, operation, state, message))
    return found


# --- proofs


def _late(source: Source, operation: Operation) -> list[Notice]:
    """Only what is green now is news; what is not was told when it ended."""
    found = _proof(source, operation, operation.state.value, "")
    return [found] if found.action is Action.RESOLVE else []


def _proof(source: Source, operation: Operation, state: str, message: str) -> Notice:
    record = _record(source, operation, state, message)
    subject = f"{record.namespace}/{record.workload}" if record.workload else record.namespace
    told, severity = _proof_told(record)
    passed = record.verdict is Verdict.PASSED
    what = "Negative control" if record.control else "Proof"
    where = f"{operation.context}@{source.cluster_uid[:8]}" if source.cluster_uid else operation.context
    key = f"control/{where}/{subject}/{record.control}" if record.control else f"proof/{where}/{subject}"
    outcome = ("not red" if not passed else "red, as it must be") if record.control else str(record.verdict)
    if record.control and record.verdict not in (Verdict.PASSED, Verdict.FAILED):
        outcome = str(record.verdict)
    newer = "" if passed or record.control else _newer(source.proofs, record)
    title = f"{what} {outcome}: {subject}" + (f" from {record.point}" if record.point else "")
    more = {**_about(source, operation), "subject": subject}
    if not record.control:
        more["policy_hash"] = str(source.params.get("policy_hash") or "")
        more |= {"point": record.point, "point_at": moment(record.point_start), "rungs": rungs(record)}
    action = Action.RESOLVE if passed else Action.TRIGGER
    title += "; a newer point is proven" if newer else ""
    return _made(source, told, action, severity, key, title, _proof_text(record, newer), **more)


def _record(source: Source, operation: Operation, state: str, message: str) -> ProofRecord:
    """What was judged; green is only what came to its end as well."""
    record = record_of(operation.facts)
    if record is None:  # it was not judged, or that cannot be read: told all the same, as no verdict
        return _no_record(source, operation, message)
    if record.verdict is Verdict.PASSED and fell_short(operation, state):
        why = f"it did not come to its end: {message or state}"
        return msgspec.structs.replace(record, verdict=Verdict.INCONCLUSIVE, words=why)
    return record


def _newer(proofs: Sequence[ProofView], record: ProofRecord) -> str:
    """The newest point of the same workload that passed and is newer than the one of ``record``, in words."""
    began = moment(record.point_start)
    found = [
        one.record
        for one in proofs
        if one.record is not None and one.ended and one.record.proves and one.record.verdict is Verdict.PASSED
        and (one.record.namespace, one.record.workload) == (record.namespace, record.workload)
        and one.record.cluster_uid == record.cluster_uid and moment(one.record.point_start)
    ]  # fmt: skip
    newest = max(found, key=lambda one: parse_rfc3339(one.point_start), default=None)
    if not began or newest is None or parse_rfc3339(newest.point_start) <= parse_rfc3339(began):
        return ""
    return f"{newest.point} of {newest.point_start} is newer, and it is proven"


def _no_record(source: Source, operation: Operation, message: str) -> ProofRecord:
    """A proof that did not come to its judgement."""
    params = source.params
    return ProofRecord(
        operation=operation.id, source=str(params.get("source") or ""), point=str(params.get("point") or ""),
        namespace=str(params.get("namespace") or operation.target), workload=str(params.get("workload") or ""),
        verdict=Verdict.INCONCLUSIVE, words=message or "it ended before it was judged",
        control=str(params.get("control") or ""), point_start=str(params.get("point_start") or ""),
        required=tuple(map(str, params.get("require") or REQUIRED)), cluster_uid=source.cluster_uid,
    )  # fmt: skip


def _proof_told(record: ProofRecord) -> tuple[Told, Severity]:
    if record.verdict is Verdict.PASSED:
        return (Told.CONTROL_RED if record.control else Told.PROOF_PASSED), Severity.INFO
    if record.verdict is Verdict.FAILED:
        return (Told.CONTROL_NOT_RED, Severity.CRITICAL) if record.control else (Told.PROOF_FAILED, Severity.ERROR)
    return Told.PROOF_INCONCLUSIVE, Severity.WARNING


def _proof_text(record: ProofRecord, newer: str) -> str:
    began = moment(record.point_start)
    lines = [record.words, f"point: {record.point or 'unknown'}" + (f" of {began}" if began else ""), newer]
    lines += [
        f"{one.workload}: " + ", ".join(f"{rung.name} {rung.verdict}" for rung in one.rungs) for one in record.ladders
    ]
    lines += [f"{one.where}: {one.seen}" + (f" → {one.advice}" if one.advice else "") for one in record.troubles[:3]]
    lines += [f"left behind: {one}" for one in record.left[:3]]
    return "\n".join(one_line(line, 500) for line in lines if line)


# --- schedules


def _policy(source: Source) -> list[Notice]:
    body = source.event.body
    why = str(body.get("why") or "")
    run = {"context": body.get("context"), "policy": body.get("key"), "subject": body.get("key"), "why": why,
           "due": body.get("nominal"), "operation": body.get("operation")}  # fmt: skip
    if body.get("what") == "settled" and body.get("outcome") == TAKEN:
        return [_run(source, run, over=False)]
    refused = body.get("what") == "settled" and body.get("outcome") in _NO_RUN
    missed = body.get("what") == "missed" and bool(body.get("missed")) and _BLACKOUT not in why
    if body.get("what") == "removed":
        late = f"{_LATE}: {body.get('key')}"
        return [_run(source, {**run, "why": "the policy was removed", "title": late}, over=False)]
    return [_run(source, run, over=True)] if refused or missed else []


def _run(source: Source, body: Mapping[str, Any], *, over: bool) -> Notice:
    context, policy = str(body.get("context") or ""), str(body.get("policy") or "")
    op, due = str(body.get("operation") or ""), str(body.get("due") or "")
    words = [["operation", "show", op[:8]]] if op else [["operation", "list"]]
    more = {
        "context": context, "policy": policy, "subject": str(body.get("subject") or policy),
        "operation": op, "commands": commands(context, *words, sandbox=source.sandbox),
    }  # fmt: skip
    about = f"/{body['about']}" if body.get("about") else ""  # one of several troubles of a policy
    why, key = str(body.get("why") or ""), f"overdue/{context}/{policy}{about}"
    if over:
        title = str(body.get("title") or f"{_LATE}: {policy}")
        text = f"{why}\ndue: {due or 'unknown'}"
        return _made(source, Told.OVERDUE, Action.TRIGGER, Severity.ERROR, key, title, text, **more)
    title = f"Over: {body['title']}" if body.get("title") else f"Runs again: {policy}"
    return _made(source, Told.CAUGHT_UP, Action.RESOLVE, Severity.INFO, key, title, why, **more)


_OPERATIONS: Mapping[str, Callable[[Source, Operation], list[Notice]]] = {
    ENDED: _ended, LATE: _late, "op.parked": _parked, "op.resumed": _taken_up, "op.undoing": _taken_up,
    CLOSED: _closed,
}  # fmt: skip
