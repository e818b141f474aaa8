"""``lazarus prove status``: the Proofs pane as a command: how far each workload was proven, how long it took."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.session import Session
from lazarus_tui.model.proofs import ProofView
from lazarus_tui.model.topics import WorkloadRow
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import gathering, proofs
from lazarus_tui.view.proofs import Proven, Run


@click.command("status")
@output_option
@click.pass_obj
def status(session: Session, output: str) -> None:
    """Show, per workload, how far it was proven, when, how long it took, and whether controls were noticed."""
    session.context()
    rows: list[WorkloadRow] = list(session.records("overview").values())
    views: list[ProofView] = list(session.records("proofs").values())
    found = sorted(gathering.gather(views, rows).values(), key=lambda one: one.title)
    emit([outcome(one) for one in found], output, names=[one.key for one in found], table=lambda: table(found))


def table(found: list[Proven]) -> str:
    """The pane's own columns and cells."""
    now = datetime.now(UTC)
    header = [column.title for column in proofs.COLUMNS]
    return grid(header, [[cell.text for cell in proofs.cells(one, now)] for one in found])


def outcome(found: Proven) -> dict[str, Any]:
    """One workload for a program; what was never proven or measured is null."""
    last, control, running = found.last, found.control, found.open
    rto, rpo = (last.target(name) if last else None for name in ("rto", "rpo"))
    return {
        "workload": found.key,
        "running": running.view.id if running else None,
        "proof": _judged(last),
        "proven_up_to": (last.ladder.reached or None) if last and last.ladder else None,
        "ladder": {rung.name: str(rung.verdict) for rung in last.ladder.rungs} if last and last.ladder else {},
        "rta_seconds": last.rta if last else None,
        "rto": {"seconds": rto.objective_seconds, "result": str(rto.result)} if rto else None,
        "rpa_seconds": last.rpa if last else None,
        "rpo": {"seconds": rpo.objective_seconds, "result": str(rpo.result)} if rpo else None,
        "control": _judged(control),
        "green": last is not None and last.verdict is Verdict.PASSED and not found.unnoticed,
        "worth_a_look": proofs.worth_a_look(found),
    }


def _judged(run: Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "operation": run.view.id, "verdict": str(run.verdict), "at": run.view.ended,
        "point": run.about.point, "source": run.about.source, "control": run.about.control or None,
    }  # fmt: skip
