"""``lazarus backup``: list, describe, logs, contents, volumes, errors, create, delete."""

from __future__ import annotations

import sys
from typing import Any

import click

from lazarus_tui.cli.artefact import mapping, show_artefact, show_object, show_results
from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.running import OperationOptions, operation_options, run
from lazarus_tui.cli.session import Session
from lazarus_tui.model.objects import Backup


@click.group()
def backup() -> None:
    """Velero backups: the recovery points most clusters have."""


@backup.command("list")
@click.option("-l", "--selector", default="", metavar="K=V", help="Only backups with these labels.")
@output_option
@click.pass_obj
def list_backups(session: Session, selector: str, output: str) -> None:
    """List backups, newest start first."""
    wanted = dict(part.partition("=")[::2] for part in selector.split(",") if part)
    found: list[Backup] = [
        b for b in session.records("backups").values() if all(b.metadata.label(k) == v for k, v in wanted.items())
    ]
    found.sort(key=lambda b: b.status.start_timestamp or "", reverse=True)
    header = ["NAME", "PHASE", "ERRORS", "WARNINGS", "STARTED", "EXPIRES", "LOCATION"]
    emit(found, output, names=[b.metadata.name for b in found], table=lambda: grid(header, [_row(b) for b in found]))


def _row(found: Backup) -> tuple[str, ...]:
    status = found.status
    return (
        found.metadata.name,
        status.phase or "New",
        str(status.errors),
        str(status.warnings),
        status.start_timestamp or "-",
        status.expiration or "-",
        found.spec.storage_location,
    )


@backup.command("describe")
@click.argument("name")
@output_option
@click.pass_obj
def describe(session: Session, name: str, output: str) -> None:
    """Show the Backup object as the API has it."""
    show_object(session, "backups.velero.io", name, output)


@backup.command("logs")
@click.argument("name")
@click.pass_obj
def logs(session: Session, name: str) -> None:
    """Print the log Velero kept with the backup."""
    sys.stdout.write(show_artefact(session, "BackupLog", name))


@backup.command("contents")
@click.argument("name")
@output_option
@click.pass_obj
def contents(session: Session, name: str, output: str) -> None:
    """List what the backup holds, by kind."""
    held: dict[str, list[str]] = mapping(session, "BackupResourceList", name)
    rows = [(kind, item) for kind, items in sorted(held.items()) for item in items]
    emit(held, output, names=[f"{kind}/{item}" for kind, item in rows], table=lambda: grid(["KIND", "OBJECT"], rows))


@backup.command("volumes")
@click.argument("name")
@output_option
@click.pass_obj
def volumes(session: Session, name: str, output: str) -> None:
    """List the volumes of the backup and whether their data was captured."""
    infos: list[dict[str, Any]] = show_artefact(session, "BackupVolumeInfos", name, as_text=False)
    rows = [
        (
            f"{i.get('pvcNamespace', '')}/{i.get('pvcName', '')}",
            i.get("backupMethod") or "none",
            "NO DATA" if i.get("skipped") else i.get("result") or "unknown",
            i.get("skippedReason", ""),
        )
        for i in infos
    ]
    header = ["CLAIM", "METHOD", "DATA", "REASON"]
    emit(infos, output, names=[row[0] for row in rows], table=lambda: grid(header, rows))


@backup.command("errors")
@click.argument("name")
@output_option
@click.pass_obj
def errors(session: Session, name: str, output: str) -> None:
    """Show errors and warnings grouped by where they happened."""
    show_results(session, "BackupResults", name, output)


@backup.command("create")
@click.argument("name", required=False)
@click.option("--from-schedule", metavar="NAME", help="Use a schedule's template.")
@click.option("-n", "--include-namespaces", "namespaces", multiple=True, metavar="NS", help="Repeat for several.")
@click.option("--exclude-namespaces", multiple=True, metavar="NS")
@click.option("--include-resources", multiple=True, metavar="PLURAL.GROUP")
@click.option("--storage-location", metavar="NAME")
@click.option("--ttl", metavar="DURATION", help="Like 720h0m0s.")
@click.option("--fs-backup/--no-fs-backup", default=None, help="Copy the volumes' files.")
@click.option("--snapshot-volumes/--no-snapshot-volumes", default=None)
@operation_options
@click.pass_obj
def create(session: Session, /, name: str | None, options: OperationOptions, **spec: Any) -> int:
    """Make a backup now and verify that it holds the volumes."""
    params = {
        "name": name,
        "from_schedule": spec["from_schedule"],
        "namespaces": list(spec["namespaces"]),
        "excluded_namespaces": list(spec["exclude_namespaces"]),
        "resources": list(spec["include_resources"]),
        "storage_location": spec["storage_location"],
        "ttl": spec["ttl"],
        "fs_backup": spec["fs_backup"],
        "snapshot_volumes": spec["snapshot_volumes"],
    }
    given = {key: value for key, value in params.items() if value not in (None, [])}
    return run(session, "velero.backup", given, options)


@backup.command("delete")
@click.argument("name")
@operation_options
@click.pass_obj
def delete(session: Session, name: str, options: OperationOptions) -> int:
    """Delete a backup with its data through a DeleteBackupRequest."""
    return run(session, "velero.delete-backup", {"backup": name}, options)
