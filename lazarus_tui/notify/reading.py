"""From an event of the journal to what is told of it. Pure: the same event always gives the same notices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lazarus_tui.journal import Event
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.proofs import ProofRecord
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.notify.notice import Action, Notice, Severity, Told, commands, made, one_line

PROOF = "prove.run"
# A schedule says so when a run did not take place, and when one did again: {context, policy, subject, due, why}.
OVERDUE, CAUGHT_UP = "run.overdue", "run.caught-up"
# What the journal says of stored snapshot policies (engine.policies).
POLICY, TAKEN = "policy", "taken"
# Ends of a run that are told as overdue; one that is parked is told by its operation.
_NO_RUN = ("refused", "failed")
_BLACKOUT = "blackout"  # runs that were left out as planned

KINDS = ("op.ended", "op.parked", "op.resumed", "op.undoing", "op.closed", POLICY, OVERDUE, CAUGHT_UP)


@dataclass(frozen=True)
class Source:
    """An event with what belongs to it: the operation's record as it is now, and the parameters of its plan."""

    event: Event
    operation: Operation | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    sandbox: bool = False

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
    return [_settled(source, operation, f"Closed by hand: {operation.title}", operation.message)]


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
    if operation.kind == PROOF:
        found.append(_proof(source, operation, message))
    return found


# --- proofs


def _proof(source: Source, operation: Operation, message: str) -> Notice:
    raw = operation.facts.get("prove.record")
    record = msgspec.convert(raw, ProofRecord) if raw else _no_record(source, operation, message)
    subject = f"{record.namespace}/{record.workload}" if record.workload else record.namespace
    told, severity = _proof_told(record)
    passed = record.verdict is Verdict.PASSED
    what = "Negative control" if record.control else "Proof"
    key = f"{'control' if record.control else 'proof'}/{operation.context}/{subject}"
    outcome = ("not red" if not passed else "red, as it must be") if record.control else str(record.verdict)
    if record.control and record.verdict not in (Verdict.PASSED, Verdict.FAILED):
        outcome = str(record.verdict)
    more = {**_about(source, operation), "subject": subject}
    action = Action.RESOLVE if passed else Action.TRIGGER
    return _made(source, told, action, severity, key, f"{what} {outcome}: {subject}", _proof_text(record), **more)


def _no_record(source: Source, operation: Operation, message: str) -> ProofRecord:
    """A proof that did not come to its judgement."""
    params = source.params
    return ProofRecord(
        operation=operation.id, source=str(params.get("source") or ""), point=str(params.get("point") or ""),
        namespace=str(params.get("namespace") or operation.target), workload=str(params.get("workload") or ""),
        verdict=Verdict.INCONCLUSIVE, words=message or "it ended before it was judged",
        control=str(params.get("control") or ""),
    )  # fmt: skip


def _proof_told(record: ProofRecord) -> tuple[Told, Severity]:
    if record.verdict is Verdict.PASSED:
        return (Told.CONTROL_RED if record.control else Told.PROOF_PASSED), Severity.INFO
    if record.verdict is Verdict.FAILED:
        return (Told.CONTROL_NOT_RED, Severity.CRITICAL) if record.control else (Told.PROOF_FAILED, Severity.ERROR)
    return Told.PROOF_INCONCLUSIVE, Severity.WARNING


def _proof_text(record: ProofRecord) -> str:
    lines = [record.words, f"point: {record.point or 'unknown'}"]
    lines += [
        f"{one.workload}: " + ", ".join(f"{rung.name} {rung.verdict}" for rung in one.rungs) for one in record.ladders
    ]
    lines += [f"{one.where}: {one.seen}" + (f" → {one.advice}" if one.advice else "") for one in record.troubles[:3]]
    lines += [f"left behind: {one}" for one in record.left[:3]]
    return "\n".join(one_line(line, 500) for line in lines)


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
        return [_run(source, {**run, "why": "the policy was removed"}, over=False)]
    return [_run(source, run, over=True)] if refused or missed else []


def _run(source: Source, body: Mapping[str, Any], *, over: bool) -> Notice:
    context, policy = str(body.get("context") or ""), str(body.get("policy") or "")
    op, due = str(body.get("operation") or ""), str(body.get("due") or "")
    words = [["operation", "show", op[:8]]] if op else [["operation", "list"]]
    more = {
        "context": context, "policy": policy, "subject": str(body.get("subject") or policy),
        "operation": op, "commands": commands(context, *words, sandbox=source.sandbox),
    }  # fmt: skip
    why, key = str(body.get("why") or ""), f"overdue/{context}/{policy}"
    if over:
        title, text = f"Should have run and did not: {policy}", f"{why}\ndue: {due or 'unknown'}"
        return _made(source, Told.OVERDUE, Action.TRIGGER, Severity.ERROR, key, title, text, **more)
    title = f"Runs again: {policy}"
    return _made(source, Told.CAUGHT_UP, Action.RESOLVE, Severity.INFO, key, title, why, **more)


_OPERATIONS: Mapping[str, Callable[[Source, Operation], list[Notice]]] = {
    "op.ended": _ended, "op.parked": _parked, "op.resumed": _taken_up, "op.undoing": _taken_up, "op.closed": _closed,
}  # fmt: skip
