"""``lazarus policy``: what is proven by itself, how it stands, and what waits in the queue."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.policy_file import MOST, file_option, meaning_text, next_runs, writes_option
from lazarus_tui.cli.prove_file import meaning
from lazarus_tui.cli.session import Refused, Session, say
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model.durations import human
from lazarus_tui.model.proof_policies import Entry, ProofPolicy, ProofPolicyRow, QueueRow, Standing, State

if TYPE_CHECKING:
    from lazarus_tui.prove.policies import ProofWish


@click.group()
def policy() -> None:
    """Proofs by themselves: which workloads, which points, when, and how it stands."""


# --- files


@policy.command("check")
@file_option
@click.option("--fix", is_flag=True, help="Write a corrected copy beside a file whose kind is misspelt.")
@output_option
def check(source: Any, fix: bool, output: str) -> int:
    """Say what a file means and when it would run next; no cluster is asked."""
    text = source.read(MOST)
    if fix and (made := _fixed(Path(source.name), text)) is not None:
        say(f"wrote {made[0]}: it says LazarusRestoreTest, and nothing else is changed")
        text = made[1]
    found = meaning(text)
    told = _told(found)
    emit(told, output, names=[found.name], table=lambda: meaning_text(told))
    return 0


def _fixed(path: Path, text: bytes) -> tuple[Path, bytes] | None:
    """Beside the file, never over it, nor over another one."""
    from lazarus_tui.prove.policies import repaired

    right = repaired(text)
    if right is None:
        return None
    beside = path.with_name(f"{path.stem}.fixed{path.suffix or '.yaml'}")
    if path.name in ("-", "<stdin>"):
        raise Refused(Fault("usage", "there is no file to write a copy beside", "--fix", "give it as -f FILE"))
    try:
        with beside.open("xb") as file:
            file.write(right)
    except OSError as error:
        what = f"{beside.name} is there already" if beside.exists() else f"{beside} cannot be written: {error.strerror}"
        raise Refused(Fault("refused", what, str(beside))) from None
    return beside, right


def _told(found: ProofPolicy | ProofWish) -> dict[str, Any]:
    from lazarus_tui.prove.policies import words

    if isinstance(found, ProofPolicy):
        told = {"kind": "ProofPolicy", "name": found.name, "means": words(found), "notes": []}
        return {**told, "next": next_runs(found)}
    what = found.namespace or "the namespace that it holds"
    checks = (found.prove.get("checks") or {}).get("checks") or []
    means = [f"proves {what} from backup {found.backup}, once; run it by: lazarus prove run -f FILE"]
    means += [f"asks {one['kind']} {one.get('name') or one.get('url') or ''}" for one in checks]
    return {"kind": "LazarusRestoreTest", "name": found.name, "means": means, "notes": list(found.notes), "next": []}


@policy.command("apply")
@file_option
@writes_option
@output_option
@click.pass_obj
def apply(session: Session, source: Any, writes: str | None, output: str) -> int:
    """Store a ProofPolicy, or run the LazarusRestoreTest of a file once."""
    text = source.read(MOST)
    found = meaning(text)
    if not isinstance(found, ProofPolicy):
        from lazarus_tui.cli.prove_file import wanted
        from lazarus_tui.cli.prove_run import prove

        return prove(session, wanted(session, text), output=output)
    request = {"context": session.context(), "text": text.decode(errors="replace"), "writes": writes or ""}
    _show(session.call("proof-policy.apply", request, ProofPolicyRow), output)
    return 0


# --- what is stored


@policy.command("list")
@output_option
@click.pass_obj
def list_policies(session: Session, output: str) -> None:
    """List policies with how each workload stands."""
    rows = session.call("proof-policy.list", {"context": session.context()}, list[ProofPolicyRow])
    header = ["POLICY", "WORKLOAD", "STANDS", "PROVEN", "CONTROL", "QUEUE", "NEXT", "TROUBLE"]
    cells = [line for row in rows for line in _cells(row)]
    emit(rows, output, names=[row.policy.name for row in rows], table=lambda: grid(header, cells))


def _cells(row: ProofPolicyRow) -> list[tuple[str, ...]]:
    queue = f"{row.running} run, {row.waiting} wait" if row.running or row.waiting else "-"
    end = (queue, row.next or "-", "; ".join((row.overdue or row.trouble, *row.unknown)).removeprefix("; ") or "-")
    found: list[tuple[str, ...]] = [
        (row.policy.name, str(one.subject), _stands(one), one.at or "-", one.control or "-", *end)
        for one in row.standings
    ]
    return found or [(row.policy.name, "-", "NOT TESTED", "-", "-", *end)]


def _stands(one: Standing) -> str:
    return str(one.verdict) if one.green or one.verdict != "PASSED" else f"not green ({one.words})"


@policy.command("describe")
@click.argument("name")
@output_option
@click.pass_obj
def describe(session: Session, name: str, output: str) -> None:
    """Show one policy: what it does, how its workloads stand, what keeps it."""
    from lazarus_tui.cli.prove_gate import row_of

    _show(row_of(session, name), output)


def _show(row: ProofPolicyRow, output: str) -> None:
    emit(row, output, names=[row.policy.name], table=lambda: _text(row))


def _text(row: ProofPolicyRow) -> str:
    lines = [f"{row.policy.name}  {'enabled' if row.enabled else 'not enabled'}"]
    lines += [f"  {sentence}" for sentence in row.means]
    lines.append(f"  next {row.next or 'by the clock: never'}; {row.running} run, {row.waiting} wait")
    for one in row.standings:
        at = f" at {one.at[:19]}Z from {one.point}" if one.at else ""
        control = f"; control {one.control}" if one.control else ""
        lines.append(f"  {one.subject}: {_stands(one)}{at}{control}")
    lines += [f"  {one}" for one in row.expects] + [f"  unknown: {one}" for one in row.unknown]
    lines += [f"  OVERDUE: {row.overdue}"] if row.overdue else []
    return "\n".join(lines + ([f"  ! {row.trouble}"] if row.trouble else []))


@policy.command("enable")
@click.argument("name")
@output_option
@click.pass_obj
def enable(session: Session, name: str, output: str) -> None:
    """Let a policy run by itself, also in a context nobody armed; `shop` comes along for the sandbox."""
    _set_enabled(session, name, output, enabled=True)


@policy.command("disable")
@click.argument("name")
@output_option
@click.pass_obj
def disable(session: Session, name: str, output: str) -> None:
    """Begin nothing more of a policy; what runs goes on."""
    _set_enabled(session, name, output, enabled=False)


def _set_enabled(session: Session, name: str, output: str, *, enabled: bool) -> None:
    request = {"context": session.context(), "name": name, "enabled": enabled}
    _show(session.call("proof-policy.enable", request, ProofPolicyRow), output)


@policy.command("delete")
@click.argument("name")
@output_option
@click.pass_obj
def delete(session: Session, name: str, output: str) -> None:
    """Forget a policy, with what waits of it; what it proved stays proven."""
    row = session.call("proof-policy.delete", {"context": session.context(), "name": name}, ProofPolicyRow)
    emit(row, output, names=[name], table=lambda: f"{name} is forgotten")


@policy.command("run")
@click.argument("name")
@click.option("--control", is_flag=True, help="Its negative control instead: break a copy, and see that it goes red.")
@output_option
@click.pass_obj
def run_now(session: Session, name: str, control: bool, output: str) -> None:
    """Put a proof of each workload of a policy into the queue now, also of a point that was proven already."""
    request = {"context": session.context(), "name": name, "control": control}
    made = session.call("proof-policy.run", request, list[Entry])
    lines = [f"{one.subject} from {one.point} is queued; see: lazarus policy queue" for one in made]
    emit(made, output, names=[one.id for one in made], table=lambda: "\n".join(lines) or "no workload has its labels")


@policy.command("queue")
@output_option
@click.pass_obj
def queue(session: Session, output: str) -> None:
    """Show the queue of proofs: what runs, what waits and for what, what ended or was left out and why."""
    found = session.call("proof.queue", {"context": session.context()}, QueueRow)
    header = ["PROOF", "POLICY", "WORKLOAD", "POINT", "STATE", "SINCE", "WHY"]
    now = datetime.now(UTC)
    rows = [_line(one, now) for one in found.entries]
    emit(found, output, names=[one.id for one in found.entries], table=lambda: grid(header, rows))


def _line(one: Entry, now: datetime) -> tuple[str, ...]:
    from lazarus_tui.model.clock import parse_rfc3339

    since = one.ended or one.begun or one.queued
    state = f"control {one.state}" if one.control else str(one.state)
    said = str(one.verdict) if one.state is State.DONE else state
    words = one.words or one.waiting or one.why
    age = human(now - parse_rfc3339(since))
    return (one.operation[:8] or "-", one.policy or "-", str(one.subject), one.point, said, age, words)
