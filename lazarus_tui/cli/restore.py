"""``lazarus restore``: list, describe, logs, errors, create, delete."""

from __future__ import annotations

import sys
from typing import Any

import click

from lazarus_tui.cli.artefact import show_artefact, show_object, show_results
from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.running import OperationOptions, operation_options, run
from lazarus_tui.cli.session import Session
from lazarus_tui.cli.snapshot import split_workload
from lazarus_tui.model.objects import Restore


@click.group()
def restore() -> None:
    """Velero restores: one runs at a time, the others wait."""


@restore.command("list")
@output_option
@click.pass_obj
def list_restores(session: Session, output: str) -> None:
    """List restores, newest first."""
    found: list[Restore] = list(session.records("restores").values())
    found.sort(key=lambda r: r.status.start_timestamp or r.metadata.creation_timestamp or "", reverse=True)
    rows = [
        (
            r.metadata.name,
            r.spec.backup_name or r.spec.schedule_name,
            r.status.phase or "New",
            str(r.status.errors),
            str(r.status.warnings),
            r.status.start_timestamp or "-",
            r.status.completion_timestamp or "-",
        )
        for r in found
    ]
    header = ["NAME", "BACKUP", "PHASE", "ERRORS", "WARNINGS", "STARTED", "COMPLETED"]
    emit(found, output, names=[r.metadata.name for r in found], table=lambda: grid(header, rows))


@restore.command("describe")
@click.argument("name")
@output_option
@click.pass_obj
def describe(session: Session, name: str, output: str) -> None:
    """Show the Restore object as the API has it."""
    show_object(session, "restores.velero.io", name, output)


@restore.command("logs")
@click.argument("name")
@click.pass_obj
def logs(session: Session, name: str) -> None:
    """Print the log Velero kept with the restore."""
    sys.stdout.write(show_artefact(session, "RestoreLog", name))


@restore.command("errors")
@click.argument("name")
@output_option
@click.pass_obj
def errors(session: Session, name: str, output: str) -> None:
    """Show errors and warnings grouped by where they happened."""
    show_results(session, "RestoreResults", name, output)


@restore.command("create")
@click.option("--from-backup", "backup", required=True, metavar="NAME")
@click.option("--name", metavar="NAME", help="The Restore object's name; else made from the backup's.")
@click.option("-n", "--include-namespaces", "namespaces", multiple=True, metavar="NS", help="Repeat for several.")
@click.option("--namespace-mapping", "mapping", multiple=True, metavar="FROM:TO", help="Restore beside the original.")
@click.option(
    "--existing-resource-policy", "policy", type=click.Choice(["none", "update"]), default="none", show_default=True
)
@click.option(
    "--no-restore-volumes",
    is_flag=True,
    help="Claims come back empty; pods whose volumes were copied by files are made anew.",
)
@operation_options
@click.pass_obj
def create(session: Session, /, backup: str, name: str | None, options: OperationOptions, **spec: Any) -> int:
    """Restore from a backup; the plan is shown first."""
    pairs = [pair.partition(":") for pair in spec["mapping"]]
    if any(not source or not target for source, _, target in pairs):
        raise click.BadParameter(
            "write it as FROM:TO, for example shop:shop-restored", param_hint="--namespace-mapping"
        )
    params: dict[str, Any] = {"backup": backup, "existing_policy": spec["policy"]}
    if name:
        params["name"] = name
    if spec["namespaces"]:
        params["namespaces"] = list(spec["namespaces"])
    if pairs:
        params["namespace_mapping"] = {source: target for source, _, target in pairs}
    if spec["no_restore_volumes"]:
        params["restore_volumes"] = False
    return run(session, "velero.restore", params, options)


@restore.command("statefulset")
@click.argument("workload", metavar="NAMESPACE/NAME")
@click.option("--from-set", "set_name", metavar="ID", help="A snapshot set; else the newest usable one.")
@click.option("--replica", type=click.IntRange(min=0), metavar="N", help="Only this replica.")
@click.option("--claim", metavar="NAME", help="Only this claim.")
@click.option("--replicas", type=click.IntRange(min=1), metavar="N", help="How many to start, when it is at 0 now.")
@click.option("--beside", is_flag=True, help="Into another namespace; what runs is not touched.")
@click.option("--into", metavar="NAMESPACE", help="That namespace; else one of its own is made.")
@click.option("--run", "run_copy", is_flag=True, help="With --beside: start a stripped copy on the claims.")
@click.option("--hold", is_flag=True, help="Agree that whoever would scale it up again is held meanwhile.")
@click.option(
    "--no-safety", is_flag=True, help="Take no safety snapshots first; the old volumes are kept all the same."
)
@click.option("--all-at-once", is_flag=True, help="Do not start the first replica alone before the others.")
@click.option("--class", "class_name", metavar="NAME", help="Snapshot class for the safety snapshots.")
@operation_options
@click.pass_obj
def statefulset(session: Session, /, workload: str, options: OperationOptions, **given: Any) -> int:
    """Bring a StatefulSet back to a snapshot set: in place, where undo brings the old volumes back, or beside it."""
    namespace, name = split_workload(workload)
    if given["beside"] or given["into"]:
        wanted = {
            "namespace": namespace, "statefulset": name, "set": given["set_name"], "into": given["into"],
            "run": given["run_copy"] or None, "replicas": given["replicas"],
        }  # fmt: skip
        return run(session, "snapshots.restore-beside", {k: v for k, v in wanted.items() if v is not None}, options)
    wanted = {
        "namespace": namespace, "statefulset": name, "set": given["set_name"], "ordinal": given["replica"],
        "claim": given["claim"], "replicas": given["replicas"], "class": given["class_name"],
        "hold": given["hold"] or None, "safety": False if given["no_safety"] else None,
        "first": False if given["all_at_once"] else None,
    }  # fmt: skip
    params = {key: value for key, value in wanted.items() if value is not None}
    return run(session, "snapshots.restore-in-place", params, options)


@restore.command("delete")
@click.argument("name")
@operation_options
@click.pass_obj
def delete(session: Session, name: str, options: OperationOptions) -> int:
    """Delete a restore's record; what it restored stays."""
    return run(session, "velero.delete-restore", {"restore": name}, options)
