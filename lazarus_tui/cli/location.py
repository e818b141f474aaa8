"""``lazarus location``: backup storage locations."""

from __future__ import annotations

import click

from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.session import Session
from lazarus_tui.model.objects import Location


@click.group()
def location() -> None:
    """Where backups are kept."""


@location.command("list")
@output_option
@click.pass_obj
def list_locations(session: Session, output: str) -> None:
    """List storage locations and whether they answer."""
    found: list[Location] = sorted(session.records("locations").values(), key=lambda x: x.metadata.name)
    header = ["NAME", "PROVIDER", "BUCKET", "PHASE", "ACCESS", "DEFAULT", "VALIDATED", "MESSAGE"]
    emit(found, output, names=[x.metadata.name for x in found], table=lambda: grid(header, [_row(x) for x in found]))


def _row(found: Location) -> tuple[str, ...]:
    store = found.spec.object_storage
    return (
        found.metadata.name, found.spec.provider, "/".join(part for part in (store.bucket, store.prefix) if part),
        found.status.phase or "Unknown", found.spec.access_mode or "ReadWrite", "yes" if found.spec.default else "no",
        found.status.last_validation_time or "-", found.status.message[:80],
    )  # fmt: skip
