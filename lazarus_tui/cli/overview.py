"""``lazarus overview``: the console's first pane as a command."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.session import Session
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.durations import human
from lazarus_tui.model.topics import WorkloadRow


@click.command()
@output_option
@click.pass_obj
def overview(session: Session, output: str) -> None:
    """Show, per workload, what would be lost now and whether it can come back."""
    found: list[WorkloadRow] = list(session.records("overview").values())
    found.sort(key=lambda row: (row.namespace, row.kind, row.name))
    header = ["WORKLOAD", "READY", "NEWEST USABLE POINT", "EXPOSURE", "NEXT RUN", "LAST VERDICT", "FINDINGS"]
    emit(
        found,
        output,
        names=[f"{r.namespace}/{r.kind}/{r.name}" for r in found],
        table=lambda: grid(header, [_row(row) for row in found]),
    )


def _row(row: WorkloadRow) -> tuple[str, ...]:
    exposure = "unknown"
    if row.newest is not None:
        exposure = human((datetime.now(UTC) - parse_rfc3339(row.newest.start)).total_seconds())
    return (
        f"{row.namespace}/{row.kind}/{row.name}", f"{row.ready}/{row.desired}",
        row.newest.name if row.newest else "none" if row.listed("backups") else "not known", exposure,
        row.next_run or "-", row.last_verdict,
        "; ".join(finding.what for finding in row.findings)[:100],
    )  # fmt: skip
