"""``lazarus evidence``: records of what was restored, checked and measured."""

from __future__ import annotations

from typing import Any

import click

from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.session import Session


@click.group()
def evidence() -> None:
    """Records of what was restored, checked and measured."""


@evidence.command("list")
@output_option
@click.pass_obj
def list_evidence(session: Session, output: str) -> None:
    """List evidence records, newest first."""
    found = session.call("evidence.list", {}, list[dict[str, Any]])
    header = ["ID", "KIND", "TARGET", "VERDICT", "AT"]
    rows = [tuple(str(r.get(key, "-")) for key in ("id", "kind", "target", "verdict", "at")) for r in found]
    emit(found, output, names=[str(r.get("id", "")) for r in found], table=lambda: grid(header, rows))


@evidence.command("show")
@click.argument("id")
@output_option
@click.pass_obj
def show_evidence(session: Session, id: str, output: str) -> None:
    """Show one evidence record."""
    record = session.call("evidence.get", {"id": id}, dict[str, Any])
    emit(record, "yaml" if output == "table" else output, names=[id], table=str)
