"""``lazarus rehearse``: the main job on the sandbox, as an operation of the engine."""

from __future__ import annotations

from typing import Any

import click

from lazarus_tui.cli.output import emit, output_option
from lazarus_tui.cli.running import follow, operation_text
from lazarus_tui.cli.session import Session, say
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.plan import Plan

SCENARIOS = ["namespace-deleted"]


@click.command()
@click.option("--scenario", type=click.Choice(SCENARIOS), default=SCENARIOS[0], show_default=True)
@output_option
@click.pass_obj
def rehearse(session: Session, scenario: str, output: str) -> int:
    """Back the sandbox's shop up, lose it, restore it, check it, measure it.

    Ends 0 only when all of it really happened. A rehearsal that is still open is resumed.
    """
    session.sandbox, session.ephemeral = True, True
    started = open_rehearsal(session)
    if started is None:
        started = _start(session, scenario)
    elif started.state == "parked":
        say(f"resuming {started.id}")
        started = session.call("operation.resume", {"id": started.id}, Operation)
    else:
        say(f"rehearsal {started.id} is still open: following it")
    ended = follow(session, started.id)
    emit(record(ended), output, names=[ended.id], table=lambda: operation_text(ended))
    return 1 if ended.exit_code is None else ended.exit_code


def open_rehearsal(session: Session) -> Operation | None:
    found: list[Operation] = list(session.records("operations").values())
    return next((o for o in found if o.kind == "rehearse" and o.state.open), None)


def _start(session: Session, scenario: str) -> Operation:
    import msgspec

    request = {"kind": "rehearse", "context": session.context(), "params": {"scenario": scenario}}
    plan = session.call("plan.make", request, Plan, timeout=120.0)
    # The sandbox is there to be lost: starting a rehearsal is the consent to its plan.
    consent = {"plan": msgspec.to_builtins(plan), "digest": plan.digest(), "confirm": plan.target}
    return session.call("operation.start", consent, Operation)


def record(ended: Operation) -> dict[str, Any]:
    """The one object on stdout: the contract of ``lazarus rehearse -o json`` (design.md §11)."""
    figures = ended.figures
    phases = {phase.name: round(phase.seconds, 3) for phase in figures.rta_phases} if figures else {}
    return {
        "operation": ended.id,
        "state": ended.state,
        "point": ended.facts.get("point"),
        "orders": {
            "before": figures.orders_before if figures else None,
            "at_loss": figures.orders_at_loss if figures else None,
            "restored": figures.orders_restored if figures else None,
            "lost": figures.orders_lost if figures else None,
        },
        "rta": {"phases": phases, "total_seconds": figures.rta_seconds if figures else None},
        "rpa_seconds": figures.rpa_seconds if figures else None,
        "definitions": {
            "rta": figures.rta_definition if figures else "",
            "rpa": figures.rpa_definition if figures else "",
            "lost": figures.lost_definition if figures else "",
        },
        "verdict": None if ended.state.open else ended.verdict,  # a verdict is the end's
        "evidence": ended.facts.get("evidence"),
        "engine_seconds": figures.engine_seconds if figures else None,
        "message": ended.message,
    }
