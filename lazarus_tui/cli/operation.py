"""``lazarus operation list|show|close`` and the verbs that act on one: watch, undo, resume, park."""

from __future__ import annotations

import sys

import click

from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.running import emit_operation, followed, operation_text
from lazarus_tui.cli.session import Session, say
from lazarus_tui.model.operation import Operation, OpState


@click.group()
def operation() -> None:
    """Durable runs of plans: they survive crashes and hang-ups."""


@operation.command("list")
@output_option
@click.pass_obj
def list_operations(session: Session, output: str) -> None:
    """List operations, newest first."""
    found: list[Operation] = sorted(session.records("operations").values(), key=lambda o: o.started, reverse=True)
    # A verdict is the end's: while an operation is open, what it has checked so far says nothing yet.
    rows = [
        (o.id, o.kind, o.state, o.target, "-" if o.state.open else o.verdict, o.started, f"{o.seconds:.0f}s")
        for o in found
    ]
    header = ["ID", "KIND", "STATE", "TARGET", "VERDICT", "STARTED", "TOOK"]
    emit(found, output, names=[o.id for o in found], table=lambda: grid(header, rows))


@operation.command("show")
@click.argument("id")
@output_option
@click.pass_obj
def show_operation(session: Session, id: str, output: str) -> int:
    """Show one operation with its steps, checks and figures."""
    found = session.call("operation.get", {"id": id}, Operation)
    emit(found, output, names=[found.id], table=lambda: _whole(found))
    return 0


def _whole(found: Operation) -> str:
    rows = [(s.state, s.title, f"{s.seconds:.1f}s", s.detail) for s in found.steps]
    return operation_text(found) + "\n" + grid(["STATE", "STEP", "TOOK", "DETAIL"], rows)


@operation.command("close")
@click.argument("id")
@click.option("--confirm", metavar="NAME", help="The target's name, instead of typing it at a prompt.")
@click.option("--reason", metavar="TEXT", default="", help="Why, for the journal.")
@output_option
@click.pass_obj
def close_operation(session: Session, id: str, confirm: str | None, reason: str, output: str) -> int:
    """End parked operation ID as it stands; what it changed stays, and its target is free again.

    For one that can neither go on nor be taken back. The exit code is the operation's own: 3 when something may be
    left behind, else 2.
    """
    found = session.call("operation.get", {"id": id}, Operation)
    if found.state is OpState.PARKED:
        confirm = _typed(found, confirm, "it is parked; closing it leaves everything as it is")
    params = {"id": found.id, "confirm": confirm or "", "reason": reason}
    found = session.call("operation.close", params, Operation)
    emit_operation(found, output)
    return found.exit_code or 0


def at_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()


def _typed(found: Operation, confirm: str | None, means: str) -> str | None:
    """The name that was given, else typed at a terminal after saying what it ``means``; the engine compares it."""
    if confirm is not None or not at_terminal():
        return confirm
    from lazarus_tui.view.sanitise import LINE_LIMIT, clean

    say(clean(f"{found.title}: {means}", LINE_LIMIT))
    prompt = clean(f"Type the name {found.target} to go on")
    return str(click.prompt(prompt, default="", show_default=False, err=True))


@click.command()
@click.argument("id")
@output_option
@click.pass_obj
def watch(session: Session, id: str, output: str) -> int:
    """Follow operation ID until it ends; the exit code is the operation's own."""
    found = session.call("operation.get", {"id": id}, Operation)
    return followed(session, found.id, output)


@click.command()
@click.argument("id")
@click.option("--confirm", metavar="NAME", help="The target's name; needed unless the operation still runs.")
@output_option
@click.pass_obj
def undo(session: Session, id: str, confirm: str | None, output: str) -> int:
    """Take operation ID back, where its plan says that this is possible; 0 when all of it is."""
    found = session.call("operation.get", {"id": id}, Operation)
    if found.can_undo and found.state not in (OpState.RUNNING, OpState.UNDOING):
        means = found.undo or "what its steps changed is changed back, newest step first"
        confirm = _typed(found, confirm, f"it is {found.state.value}; taking it back means: {means}")
    session.call("operation.undo", {"id": found.id, "confirm": confirm or ""}, Operation)
    code = followed(session, found.id, output, before=found)
    return 0 if session.call("operation.get", {"id": found.id}, Operation).state is OpState.UNDONE else code or 5


@click.command()
@click.argument("id")
@click.option("--confirm", metavar="NAME", help="The target's name; needed to take over from another Lazarus.")
@output_option
@click.pass_obj
def resume(session: Session, id: str, confirm: str | None, output: str) -> int:
    """Go on with parked operation ID: observe first, then decide."""
    found = session.call("operation.get", {"id": id}, Operation)
    if found.foreign:
        confirm = _typed(found, confirm, f"it was {found.foreign}; going on takes it over")
    session.call("operation.resume", {"id": found.id, "confirm": confirm or ""}, Operation)
    return followed(session, found.id, output, before=found)


@click.command()
@click.argument("id")
@output_option
@click.pass_obj
def park(session: Session, id: str, output: str) -> int:
    """Stop operation ID at its next safe step; resume or undo it later."""
    found = session.call("operation.park", {"id": id}, Operation)
    emit_operation(found, output)
    return 0
