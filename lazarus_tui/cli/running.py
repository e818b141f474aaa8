"""Commands that change something: plan, consent, start, follow. The engine does the work and outlives the command."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
import msgspec

from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.session import Refused, Session, say
from lazarus_tui.link.protocol import Fault, PullResult
from lazarus_tui.model.operation import Figures, Operation, OpState, StepState
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.model.topics import LogLine

_MARKS = {
    StepState.DONE: "✓ done",
    StepState.FAILED: "✗ FAILED",
    StepState.UNKNOWN: "? unknown",
    StepState.SKIPPED: "- skipped",
    StepState.UNDONE: "↶ undone",
}


@dataclass(frozen=True, slots=True)
class OperationOptions:
    """What ``operation_options`` were given; ``confirm`` is the target's name, typed beforehand."""

    output: str
    confirm: str | None
    dry_run: bool
    no_wait: bool


def operation_options(function: Callable[..., int]) -> Callable[..., int]:
    """``--confirm``, ``--dry-run``, ``--no-wait`` and ``-o``; the command gets them as one ``options``."""

    @functools.wraps(function)
    def command(*args: Any, output: str, confirm: str | None, dry_run: bool, no_wait: bool, **given: Any) -> int:
        return function(*args, options=OperationOptions(output, confirm, dry_run, no_wait), **given)

    command = output_option(command)
    for option in (
        click.option("--no-wait", is_flag=True, help="Return when the operation has started; follow it with watch."),
        click.option("--dry-run", is_flag=True, help="Show the plan and change nothing."),
        click.option("--confirm", metavar="NAME", help="The target's name, instead of typing it at a prompt."),
    ):
        command = option(command)
    return command


def plan_text(plan: Plan) -> str:
    """The plan for a person: effects, losses, warnings, undo, estimate."""
    lines = [plan.title, f"  context {plan.context}   cluster {plan.cluster_uid[:8]}   target {plan.target}"]
    effects = grid(["", "WHAT", "DETAIL"], [(e.verb, e.what, e.detail) for e in plan.effects])
    lines += [f"  {line}" for line in effects.splitlines()]
    lines += [f"  LOST: {loss}" for loss in plan.losses] + [f"  ! {warning}" for warning in plan.warnings]
    lines.append(f"  undo: {plan.undo or 'not possible'}")
    estimate = plan.estimate
    took = f"{estimate.low:.0f}-{estimate.high:.0f} s ({estimate.basis})" if estimate else "no basis"
    lines.append(f"  estimate: {took}")
    return "\n".join(lines)


def consent(plan: Plan, confirm: str | None) -> str:
    """The confirmation to send with the plan; asks at a terminal, refuses without one (exit code 5)."""
    if plan.danger is Danger.SAFE:
        return plan.target
    if confirm is not None:
        if confirm != plan.target:
            raise Refused(Fault("refused", f"--confirm {confirm!r} is not the target {plan.target!r}", plan.title))
        return confirm
    if not sys.stdin.isatty():
        hint = f"add --confirm {plan.target} after reading the plan (--dry-run shows it)"
        raise Refused(
            Fault("refused", "this needs a confirmation and there is no terminal to ask at", plan.title, hint)
        )
    say(plan_text(plan))
    if plan.danger is Danger.DESTROYS:
        typed = click.prompt(f"Type the name {plan.target} to go on", default="", show_default=False, err=True)
    else:
        typed = plan.target if click.confirm("Go on?", default=False, err=True) else ""
    if typed != plan.target:
        raise Refused(Fault("refused", "not confirmed; nothing was changed", plan.title))
    return str(typed)


def run(session: Session, kind: str, params: dict[str, Any], options: OperationOptions) -> int:
    """Plan, ask, start and follow one operation; prints it at the end and returns its exit code."""
    plan = session.call("plan.make", {"kind": kind, "context": session.context(), "params": params}, Plan)
    if options.dry_run:
        emit(plan, options.output, names=[plan.digest()], table=lambda: plan_text(plan))
        return 0
    typed = consent(plan, options.confirm)
    request = {"plan": msgspec.to_builtins(plan), "digest": plan.digest(), "confirm": typed}
    operation = session.call("operation.start", request, Operation)
    if options.no_wait:
        started = f"{operation.id} started: {operation.title}"
        emit(operation, options.output, names=[operation.id], table=lambda: started)
        return 0
    return followed(session, operation.id, options.output)


def followed(session: Session, op: str, output: str, *, before: Operation | None = None) -> int:
    """Follow an operation to its end, print it and return its exit code. ``before``: what was known of it already."""
    ended = follow(session, op, before=before)
    emit_operation(ended, output)
    say_if_at_zero(session, ended)
    return ended.exit_code or 0


def say_if_at_zero(session: Session, operation: Operation) -> None:
    """The last line on stderr when a restore leaves its workload at zero, with what to type: never in silence."""
    from lazarus_tui.link.codec import LinkFault, LinkLost
    from lazarus_tui.view import downtime

    if not downtime.concerns(operation):
        return
    row = None
    if downtime.recorded(operation) is None or operation.state is OpState.LEFT_CHANGED:
        with contextlib.suppress(Refused, LinkFault, LinkLost):  # then the record alone decides
            row = downtime.row_of(operation, session.records("overview"))
    if words := downtime.last_line(operation, row, downtime.IN_SANDBOX if session.sandbox else downtime.LAZARUS):
        say(words)


def emit_operation(operation: Operation, output: str) -> None:
    """Print one operation as asked; a table is ``operation_text``."""
    emit(operation, output, names=[operation.id], table=lambda: operation_text(operation))


def follow(session: Session, op: str, *, before: Operation | None = None) -> Operation:
    """Stream an operation's steps and log to stderr until it is terminal or parked; returns it.

    What ``before`` says of its steps is not told again.
    """
    known = {"operations": 0, f"oplog/{op}": 0}
    told = {step.name: step.state for step in before.steps} if before is not None else {}
    current = session.call("operation.get", {"id": op}, Operation)
    while True:
        _tell_steps(current, told)
        if not current.state.open or current.state == "parked":
            return current
        result = session.call("pull", {"known": known, "wait": 10.0}, PullResult)
        for update in result.updates:
            known[update.topic] = update.version
            if update.topic == "operations":
                raw = dict(zip(update.keys, update.upserts, strict=True)).get(op)
                current = msgspec.json.decode(raw, type=Operation) if raw is not None else current
            else:
                for line in (msgspec.json.decode(raw, type=LogLine) for raw in update.upserts):
                    if before is None or line.n > before.log_lines:
                        _tell(f"    {line.text}")


def _tell_steps(operation: Operation, told: dict[str, StepState]) -> None:
    for step in operation.steps:
        if step.state is told.get(step.name) or step.state is StepState.PLANNED:
            continue
        told[step.name] = step.state
        if step.state is StepState.RUNNING:
            _tell(f"  … {step.title}")
        else:
            detail = f": {step.detail}" if step.detail else ""
            _tell(f"  {_MARKS[step.state]} {step.title} ({step.seconds:.1f} s){detail}")


def _tell(text: str) -> None:
    from lazarus_tui.view.sanitise import LINE_LIMIT, clean

    say(clean(text, LINE_LIMIT))


def operation_text(operation: Operation) -> str:
    """The end of an operation for a person: state, verdict, figures, what to do next."""
    lines = [f"{operation.id}  {operation.state.upper()}  {operation.title}"]
    if not operation.state.open and (operation.verdict != "NOT TESTED" or operation.checks):
        lines.append(f"verdict: {operation.verdict}")
    lines += [f"  {c.verdict:<12} {c.name}: {c.summary} ({c.seconds:.2f} s)" for c in operation.checks]
    if untested := operation.facts.get("checks.untested"):
        lines.append(f"  not tested: {', '.join(map(str, untested))}")
    figures = operation.figures
    if figures is not None and figures.measured:
        lines += recovery_text(figures)
        if figures.lost_definition:  # else nobody counts orders there
            lost = "unknown" if figures.orders_lost is None else str(figures.orders_lost)
            lines.append(f"orders lost            {lost:>9}  {figures.lost_definition.removeprefix('unknown: ')}")
        lines += [f"newest data restored   {figures.watermark}"] if figures.watermark else []
    lines += [operation.message] if operation.message else []
    lines += [f"next: {operation.hint}"] if operation.hint else []
    return "\n".join(lines)


def recovery_text(figures: Figures) -> list[str]:
    """How long it took to be back, phase by phase, and how old the data was."""
    rta = "unknown" if figures.rta_seconds is None else f"{figures.rta_seconds:.1f} s"
    rpa = "unknown" if figures.rpa_seconds is None else f"{figures.rpa_seconds:.1f} s"
    return [
        f"recovery time actual   {rta:>9}  {figures.rta_definition}",
        *(f"  {p.name:<12} {p.seconds:15.1f} s  {p.definition}" for p in figures.rta_phases),
        f"recovery point actual  {rpa:>9}  {figures.rpa_definition}",
    ]
