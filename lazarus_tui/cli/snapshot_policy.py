"""``lazarus snapshot apply|check|policy``: files that say when sets are taken, of what, and what is kept."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.policy_file import MOST, file_option, meaning_text, next_runs, understood, writes_option
from lazarus_tui.cli.running import OperationOptions, operation_options, plan_text, run
from lazarus_tui.cli.session import Refused, Session, say
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model.policies import PolicyRow, SnapshotPolicy
from lazarus_tui.model.sets import sets

if TYPE_CHECKING:
    from lazarus_tui.snapshots.policies import RestoreWish


def _meaning(text: bytes) -> SnapshotPolicy | RestoreWish:
    from lazarus_tui.snapshots.policies import read

    return understood(read, text)


# --- what a file means


@click.command()
@file_option
@output_option
def check(source: Any, output: str) -> None:
    """Say what a policy file means and when it would run next; no cluster is asked."""
    found = _meaning(source.read(MOST))
    told = _told(found)
    emit(told, output, names=[told["name"]], table=lambda: meaning_text(told))


def _told(found: SnapshotPolicy | RestoreWish) -> dict[str, Any]:
    if not isinstance(found, SnapshotPolicy):
        target = f"{found.namespace}/{found.statefulset}"
        means = [f"restores {target} in place from {_which(found)}; applying it shows the plan and asks"]
        return {"kind": "StatefulSetRestore", "name": found.name, "target": target, "means": means,
                "notes": list(found.notes), "next": []}  # fmt: skip
    from lazarus_tui.snapshots.policies import words

    return {"kind": found.kind, "name": found.name, "target": found.target, "means": words(found),
            "notes": list(found.notes), "next": next_runs(found)}  # fmt: skip


def _which(wish: RestoreWish) -> str:
    if wish.snapshots:
        return f"the set with the snapshots {', '.join(wish.snapshots)}"
    return f"the newest usable set of {wish.backup}" if wish.backup else "the newest usable set"


# --- carrying it out


@click.command()
@file_option
@writes_option
@click.option("--hold", is_flag=True, help="For a restore: agree that whoever would scale it up again is held.")
@operation_options
@click.pass_obj
def apply(session: Session, /, source: Any, writes: str | None, hold: bool, options: OperationOptions) -> int:
    """Take the one set, store the schedule, or plan the restore that a file asks for."""
    text = source.read(MOST)
    found = _meaning(text)
    for note in found.notes:
        say(f"note: {note}")
    if not isinstance(found, SnapshotPolicy):
        params = {"namespace": found.namespace, "statefulset": found.statefulset, **_chosen(session, found)}
        params |= {"hold": True} if hold else {}
        # An object that a cluster gave is told how its restore goes, and is never restored a second time.
        params |= {"object": found.uid} if found.uid else {}
        return run(session, "snapshots.restore-in-place", params, options)
    if found.schedule:
        return _store(session, text, found, writes, options)
    code = run(session, "snapshots.create", found.taking(), options)
    if code == 0 and found.retention and not options.dry_run and not options.no_wait:
        _tell_retention(session, found)
    return code


def _store(session: Session, text: bytes, found: SnapshotPolicy, writes: str | None, options: OperationOptions) -> int:
    if options.dry_run:
        told = _told(found)
        emit(told, options.output, names=[found.key], table=lambda: meaning_text(told))
        return 0
    request = {"context": session.context(), "text": text.decode(errors="replace"), "writes": writes or ""}
    row = session.call("policy.apply", request, PolicyRow)
    emit(row, options.output, names=[f"{row.namespace}/{row.name}"], table=lambda: _text(row))
    return 0


def _tell_retention(session: Session, found: SnapshotPolicy) -> None:
    """What the file's retention would remove now; a set that was asked for once removes nothing by itself."""
    from lazarus_tui.link.client import LinkFault
    from lazarus_tui.model.plan import Plan

    request = {"kind": "snapshots.prune", "context": session.context(), "params": found.pruning()}
    try:
        plan = session.call("plan.make", request, Plan)
    except LinkFault as error:
        if error.fault.code != "nothing":
            say(f"its retention was not looked at: {error.fault.what}")
        return
    keeps = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in found.retention.items()
                     if name.startswith("keep_"))  # fmt: skip
    say(plan_text(plan))
    say(f"next: nothing was removed; to do it: lazarus snapshot prune {found.target} --policy {found.name} {keeps}")


def _chosen(session: Session, wish: RestoreWish) -> dict[str, Any]:
    """Parameters that name the set, and narrow the restore where only one claim is asked for."""
    from lazarus_tui.model.plan import PlanRefused
    from lazarus_tui.snapshots.policies import chosen

    if wish.latest:
        return {}
    every = sets(session.records("snapshots").values(), session.records("snapshot-contents").values())
    try:
        return chosen(every, wish)
    except PlanRefused as error:
        raise Refused(Fault(error.code, error.what, error.where, error.hint)) from None


# --- what is stored


@click.group()
def policy() -> None:
    """Stored schedules of snapshot sets, and the cluster's own StatefulSetBackup objects."""


def _rows(session: Session) -> list[PolicyRow]:
    return session.call("policy.list", {"context": session.context()}, list[PolicyRow])


@policy.command("list")
@output_option
@click.pass_obj
def list_policies(session: Session, output: str) -> None:
    """List policies: what the engine runs, and what stands in the cluster."""
    found = _rows(session)
    header = ["POLICY", "WORKLOAD", "SOURCE", "MEANS", "NEXT", "LAST", "OUTCOME", "MISSED", "TROUBLE"]
    names = [f"{row.namespace}/{row.name}" for row in found]
    emit(found, output, names=names, table=lambda: grid(header, [_cells(row) for row in found]))


def _cells(row: PolicyRow) -> tuple[str, ...]:
    return (
        f"{row.namespace}/{row.name}", row.policy.target if row.policy else "?", row.source, row.means or "-",
        row.next or "-", row.last or "-", row.last_outcome or "-", str(row.missed), row.trouble or "-",
    )  # fmt: skip


def _one(session: Session, name: str) -> PolicyRow:
    """By ``NAMESPACE/NAME``, or a name that is the only one; what the engine runs comes before a cluster's object."""
    found = [row for row in _rows(session) if name in (row.name, f"{row.namespace}/{row.name}")]
    ours = [row for row in found if row.source == "engine"] or found
    if len(ours) != 1:
        what = f"several policies are called {name}" if ours else f"there is no policy {name}"
        hint = ", ".join(f"{row.namespace}/{row.name}" for row in ours) or "lazarus snapshot policy list"
        raise Refused(Fault("not-found", what, hint=hint))
    return ours[0]


@policy.command("describe")
@click.argument("name")
@output_option
@click.pass_obj
def describe(session: Session, name: str, output: str) -> None:
    """Show one policy: what it does, how its runs ended, and what its retention waits for."""
    row = _one(session, name)
    emit(row, output, names=[f"{row.namespace}/{row.name}"], table=lambda: _text(row))


def _text(row: PolicyRow) -> str:
    lines = [f"{row.namespace}/{row.name}  {row.source}"]
    if row.policy is not None:
        told = _told(row.policy)
        lines += [f"  {sentence}" for sentence in told["means"]] + [f"  ! {note}" for note in told["notes"]]
    elif row.means:
        lines.append(f"  {row.means}{f': {row.last_outcome}' if row.last_outcome else ''}")
    if row.source == "engine":
        lines.append(f"  next {row.next or 'never'}; last {row.last or 'none'} {row.last_outcome}".rstrip())
        lines.append(f"  missed {row.missed}, failed in a row {row.failures}")
        lines.append(f"  retention: {row.kept_by}")
    lines += [f"  would remove: {name}" for name in row.would_remove]
    return "\n".join([*lines, *([f"  ! {row.trouble}"] if row.trouble else [])])


@policy.command("delete")
@click.argument("name")
@output_option
@click.pass_obj
def delete(session: Session, name: str, output: str) -> None:
    """Forget a stored policy; its sets stay."""
    row = session.call("policy.delete", {"context": session.context(), "name": name}, PolicyRow)
    emit(row, output, names=[f"{row.namespace}/{row.name}"], table=lambda: f"{row.namespace}/{row.name} is forgotten")


@policy.command("run")
@click.argument("name")
@operation_options
@click.pass_obj
def run_now(session: Session, name: str, options: OperationOptions) -> int:
    """Take a set by a policy now, beside its schedule."""
    row = _one(session, name)
    if row.policy is None:
        what = f"{name} is no policy: it {row.means}" if row.means else f"{name} cannot be read: {row.trouble}"
        raise Refused(Fault("refused", what))
    return run(session, "snapshots.create", row.policy.taking(), options)


@policy.command("accept")
@click.argument("name")
@click.option("--confirm", metavar="NAME", help="The policy's NAMESPACE/NAME, instead of typing it at a prompt.")
@output_option
@click.pass_obj
def accept(session: Session, name: str, confirm: str | None, output: str) -> None:
    """Agree to what a retention would remove; from then on it is applied after each run."""
    row = _one(session, name)
    key = f"{row.namespace}/{row.name}"
    if not row.dry_run:
        raise Refused(Fault("refused", f"nothing waits for an agreement: {row.kept_by or 'it is not run here'}", key))
    say(_text(row))
    typed = confirm
    if typed is None:
        if not sys.stdin.isatty():
            hint = f"add --confirm {key} after reading what would be removed"
            raise Refused(Fault("refused", "this needs a confirmation and there is no terminal to ask at", key, hint))
        typed = str(click.prompt(f"Type {key} to go on", default="", show_default=False, err=True))
    if typed != key:
        raise Refused(Fault("refused", "not confirmed; nothing was changed", key))
    request = {"context": session.context(), "name": key, "dry_run": row.dry_run}
    agreed = session.call("policy.accept", request, PolicyRow)
    emit(agreed, output, names=[key], table=lambda: f"{key}: {agreed.kept_by}")
