"""``lazarus context``: clusters of the kubeconfig; arming writes."""

from __future__ import annotations

import click

from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.session import Session
from lazarus_tui.model.topics import ContextRow


@click.group()
def context() -> None:
    """Clusters of the kubeconfig; every one but the sandbox starts read-only."""


@context.command("list")
@output_option
@click.pass_obj
def list_contexts(session: Session, output: str) -> None:
    """List contexts as the kubeconfig names them."""
    found: list[ContextRow] = list(session.records("contexts").values())
    header = ["", "NAME", "CLUSTER", "SERVER", "STATE", "VELERO", "WRITES", "REASON"]
    rows = [
        (
            "*" if r.current else "",
            r.name,
            r.cluster,
            r.server,
            r.state,
            r.velero_namespace or "-",
            _writes(r),
            r.reason,
        )
        for r in found
    ]
    emit(found, output, names=[r.name for r in found], table=lambda: grid(header, rows))


def _writes(row: ContextRow) -> str:
    if row.write_until == "always":
        return "allowed"
    return f"until {row.write_until}" if row.write_until else "read-only"


@context.command("arm")
@click.option("--minutes", type=click.IntRange(1, 60), default=15, show_default=True)
@output_option
@click.pass_obj
def arm(session: Session, minutes: int, output: str) -> None:
    """Allow writes to the context for some minutes."""
    _set(session, minutes, output)


@context.command("disarm")
@output_option
@click.pass_obj
def disarm(session: Session, output: str) -> None:
    """Make the context read-only again."""
    _set(session, 0, output)


def _set(session: Session, minutes: int, output: str) -> None:
    row = session.call("context.arm", {"context": session.context(), "minutes": minutes}, ContextRow)
    emit(row, output, names=[row.name], table=lambda: f"{row.name}: {_writes(row)}")
