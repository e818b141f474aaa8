"""``lazarus snapshot``: list, describe, create, hold, prune, and policies.

A set is all volumes of all replicas of one StatefulSet."""

from __future__ import annotations

from typing import Any

import click

from lazarus_tui.cli import snapshot_policy
from lazarus_tui.cli.hooks import hook_options, hook_params
from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.running import OperationOptions, operation_options, run
from lazarus_tui.cli.session import Refused, Session
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.durations import human
from lazarus_tui.model.quantities import size
from lazarus_tui.model.sets import SnapshotSet, sets


@click.group()
def snapshot() -> None:
    """Snapshot sets: all volumes of all replicas of a StatefulSet, under one id."""


snapshot.add_command(snapshot_policy.apply)
snapshot.add_command(snapshot_policy.check)
snapshot.add_command(snapshot_policy.policy)


def split_workload(text: str) -> tuple[str, str]:
    """``NAMESPACE/NAME`` in two; raises ``click.BadParameter``."""
    namespace, _, name = text.partition("/")
    if not namespace or not name or "/" in name:
        raise click.BadParameter("write it as NAMESPACE/NAME, for example shop/orders")
    return namespace, name


def _found(session: Session) -> list[SnapshotSet]:
    return sets(session.records("snapshots").values(), session.records("snapshot-contents").values())


def record_of(found: SnapshotSet) -> dict[str, Any]:
    """A set as plain JSON data; times RFC 3339, ``skew_seconds`` and ``bytes`` null where they are not known."""
    return {
        "id": found.id,
        "namespace": found.namespace,
        "workload": found.about.workload,
        "state": found.state.value,
        "usable": found.usable,
        "taken": rfc3339(found.taken) if found.taken else None,
        "skew_seconds": found.skew,
        "bytes": found.size,
        "method": found.about.method,
        "consistency": found.consistency,
        "role": found.role,
        "hold": found.hold,
        "missing": list(found.missing),
        "troubles": list(found.troubles),
        "members": [
            {
                "claim": claim,
                "snapshot": one.snapshot.metadata.name,
                "state": one.state.value,
                "kept": one.retained,
                "handle": one.handle,
                "trouble": one.trouble,
            }
            for claim, one in sorted(found.members.items())
        ],
    }


@snapshot.command("list")
@click.argument("workload", required=False, metavar="[NAMESPACE/NAME]")
@output_option
@click.pass_obj
def list_sets(session: Session, workload: str | None, output: str) -> None:
    """List snapshot sets, newest first."""
    every = _found(session)
    if workload:
        namespace, name = split_workload(workload)
        every = [one for one in every if (one.namespace, one.about.workload) == (namespace, f"StatefulSet/{name}")]
    header = ["SET", "WORKLOAD", "STATE", "VOLUMES", "TAKEN", "SKEW", "SIZE", "ROLE"]
    emit(
        [record_of(one) for one in every],
        output,
        names=[one.id for one in every],
        table=lambda: grid(header, [_row(one) for one in every]),
    )


def _row(found: SnapshotSet) -> tuple[str, ...]:
    return (
        found.id,
        f"{found.namespace}/{found.about.workload.rpartition('/')[2] or '?'}",
        found.state.upper(),
        f"{len(found.members)}/{len(found.about.claims)}",
        rfc3339(found.taken) if found.taken else "-",
        "unknown" if found.skew is None else human(found.skew),
        "unknown" if found.size is None else size(found.size),
        found.role,
    )


@snapshot.command("describe")
@click.argument("set_id", metavar="SET")
@output_option
@click.pass_obj
def describe(session: Session, set_id: str, output: str) -> None:
    """Show one set: its volumes, where each stands, and what keeps it from being used."""
    found = [one for one in _found(session) if one.id == set_id]
    if not found:
        raise Refused(Fault("not-found", f"there is no snapshot set {set_id}", hint="list them: lazarus snapshot list"))
    one = found[0]
    emit(record_of(one), output, names=[one.id], table=lambda: _text(one))


def _text(found: SnapshotSet) -> str:
    lines = [
        f"{found.id}  {found.state.upper()}  {found.namespace}/{found.about.workload}",
        f"  taken {rfc3339(found.taken) if found.taken else 'not yet'}, "
        + ("together" if found.about.method == "group" else "one by one")
        + (f", {human(found.skew)} apart" if found.skew else "")
        + f"; consistency: {found.consistency}",
    ]
    header = ["CLAIM", "SNAPSHOT", "STATE", "KEPT", "HANDLE"]
    rows = [
        (claim, one.snapshot.metadata.name, one.state.upper(), "yes" if one.retained else "NO", one.handle or "-")
        for claim, one in sorted(found.members.items())
    ]
    lines += [f"  {line}" for line in grid(header, rows).splitlines()]
    lines += [f"  ! {trouble}" for trouble in found.troubles]
    lines += [f"  legal hold: {found.hold}"] if found.hold else []
    return "\n".join(lines)


@snapshot.command("create")
@click.argument("workload", metavar="NAMESPACE/NAME")
@click.option("--name", metavar="ID", help="The id of the set; else made from the workload and the time.")
@click.option("--class", "class_name", metavar="NAME", help="Snapshot class; else the driver's default.")
@click.option("--together/--one-by-one", default=None, help="Demand, or do without, one instant for all volumes.")
@hook_options
@operation_options
@click.pass_obj
def create(session: Session, /, workload: str, options: OperationOptions, **given: Any) -> int:
    """Take a set now, and keep it when its namespace goes."""
    namespace, name = split_workload(workload)
    together = {None: None, True: "group", False: "each"}[given["together"]]
    wanted = {
        "namespace": namespace, "statefulset": name, "name": given["name"], "class": given["class_name"],
        "together": together, **hook_params(given),
    }  # fmt: skip
    return run(session, "snapshots.create", {key: value for key, value in wanted.items() if value}, options)


@snapshot.command("prune")
@click.argument("workload", metavar="NAMESPACE/NAME")
@click.option("--keep-last", type=int, metavar="N", help="Complete sets to keep, newest first.")
@click.option("--keep-hourly", type=int, metavar="N", help="The newest of each of N hours with a set.")
@click.option("--keep-daily", type=int, metavar="N", help="The newest of each of N days with a set.")
@click.option("--keep-weekly", type=int, metavar="N")
@click.option("--keep-monthly", type=int, metavar="N")
@click.option("--keep-yearly", type=int, metavar="N")
@click.option("--keep-within", metavar="DURATION", help="Everything younger than this, like 48h.")
@click.option("--policy", "schedule", metavar="NAME", help="Only the sets that this policy took count and go.")
@click.option("--all", "every", is_flag=True, help="Remove more sets in one run than is usual.")
@operation_options
@click.pass_obj
def prune(session: Session, /, workload: str, every: bool, options: OperationOptions, **keeps: Any) -> int:
    """Remove sets that no rule keeps; the newest good and the newest proven one always stay (--dry-run shows why)."""
    namespace, name = split_workload(workload)
    given = {key: value for key, value in keeps.items() if value is not None}
    params = {"namespace": namespace, "statefulset": name, **given, **({"all": True} if every else {})}
    return run(session, "snapshots.prune", params, options)


_reason = click.option("--reason", required=True, metavar="TEXT", help="Why; it is kept with the set.")


@snapshot.command("hold")
@click.argument("set_id", metavar="[NAMESPACE/]SET")
@_reason
@operation_options
@click.pass_obj
def hold(session: Session, set_id: str, reason: str, options: OperationOptions) -> int:
    """Put a set on legal hold: no rule removes it until somebody gives a reason to let it go."""
    return run(session, "snapshots.hold", _held(set_id, reason), options)


@snapshot.command("unhold")
@click.argument("set_id", metavar="[NAMESPACE/]SET")
@_reason
@operation_options
@click.pass_obj
def unhold(session: Session, set_id: str, reason: str, options: OperationOptions) -> int:
    """Take the legal hold off a set."""
    return run(session, "snapshots.unhold", _held(set_id, reason), options)


def _held(text: str, reason: str) -> dict[str, Any]:
    namespace, _, name = text.rpartition("/")
    return {"namespace": namespace, "set": name, "reason": reason}


@click.command()
@click.argument("id")
@operation_options
@click.pass_obj
def release(session: Session, id: str, options: OperationOptions) -> int:
    """Delete the old volumes that restore ID kept; after that it cannot be undone."""
    return run(session, "snapshots.release", {"operation": id}, options)
