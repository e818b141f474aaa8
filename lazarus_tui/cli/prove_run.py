"""``lazarus prove run|list|show``: prove a recovery point now, and what was proven; the gate for pipelines.

Exit codes (design.md §11): 0 PASSED · 2 FAILED · 3 left something behind · 4 INCONCLUSIVE or NOT TESTED · 5 no usable
point, or refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.policy_file import MOST
from lazarus_tui.cli.prove_file import wanted
from lazarus_tui.cli.prove_options import asking, chosen, subject
from lazarus_tui.cli.prove_report import junit, proof_text
from lazarus_tui.cli.running import follow
from lazarus_tui.cli.session import Refused, Session, say, say_error
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.proofs import KIND, REQUIRED, RUNGS, UNKEPT, ProofView, record_of, unknown_rungs, view
from lazarus_tui.model.verdict import Verdict

# Engines that may be lost under one proof before the command gives up.
_ENGINES = 3
CONTROLS = ("withhold", "flip", "drop-table", "no-workload")


@click.command("run")
@asking
@click.option("-f", "--file", type=click.File("rb"), help="Instead of a workload: a LazarusRestoreTest; - is stdin.")
@click.option("--require", multiple=True, metavar="PASSED|RUNG,…", help="Rungs that must pass; PASSED: the usual ones.")
@click.option("--backup-first", is_flag=True, help="Take a Velero backup now and prove exactly that one.")
@click.option("--control", type=click.Choice(CONTROLS), help="Break the copy on purpose: the checks must go red.")
@click.option("--keep", type=click.FloatRange(0, 1440), metavar="MIN", help="Keep the quarantine for a while.")
@click.option("--junit", "junit_file", type=click.Path(dir_okay=False), metavar="FILE", help="Write JUnit XML there.")
@click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml", "name", "junit"]), default="table", show_default=True,
    help="How to print the outcome.",
)  # fmt: skip
@click.pass_obj
def run(session: Session, /, backup_first: bool, junit_file: str | None, output: str, **given: Any) -> int:
    """Restore a point into a quarantine, check it, measure it, judge it, and remove it.

    Progress goes to stderr, the outcome to stdout. Nothing outside the quarantine is changed, so nothing is asked.
    """
    if backup_first and (given["point"] or given["file"] or given["source"] not in (None, "velero")):
        what = "it proves the backup that is taken now, so no other point can be asked for"
        raise Refused(Fault("usage", what, "--backup-first", "leave out --point, --source and -f, or --backup-first"))
    params = _params(session, given)
    if junit_file:
        _clear(Path(junit_file))
    if backup_first:
        params["point"] = _backed_up(session, str(params["namespace"]))
    return prove(session, params, junit_file, output)


def _clear(report: Path) -> None:
    """Known before the proof: that it can be written; and that of an earlier run does not stand there if this one is
    killed. Raises ``Refused``."""
    try:
        report.write_bytes(b"")
    except OSError as error:
        what = f"the report cannot be written: {error.strerror or error}"
        raise Refused(Fault("refused", what, str(report), "name a file in a folder that is there and yours")) from None


def prove(session: Session, params: dict[str, Any], junit_file: str | None = None, output: str = "table") -> int:
    """One proof with the planner's parameters, to its end; the exit code."""
    request = {"kind": KIND, "context": session.context(), "params": params}
    plan = session.call("plan.make", request, Plan, timeout=180.0)
    for warning in plan.warnings:
        _tell(f"! {warning}")
    consent = {"plan": msgspec.to_builtins(plan), "digest": plan.digest(), "confirm": plan.target}
    started = session.call("operation.start", consent, Operation)
    _tell(f"{started.title}, in {plan.target} (operation {started.id})")
    ended = _followed(session, started.id)
    _print(ended, output)
    if junit_file:
        try:
            Path(junit_file).write_text(junit(ended), encoding="utf-8")
        except OSError as error:
            say_error(f"the report was not written: {error.strerror or error} ({junit_file})")
            say_error(f"next: lazarus prove show {ended.id[:8]} -o junit")
            return code(ended) or 1
    return code(ended)


def _followed(session: Session, op: str) -> Operation:
    """To the end, also when the engine is killed on the way: the next one takes the proof up again."""
    from lazarus_tui.link.client import LinkLost

    for left in reversed(range(_ENGINES)):
        try:
            return follow(session, op)
        except LinkLost as lost:
            if not left:
                raise
            _tell(f"the engine went away ({lost}): starting another, which goes on with it")
            session.fresh_client()
            session.context()
    raise AssertionError("unreachable")


def _params(session: Session, given: dict[str, Any]) -> dict[str, Any]:
    """The planner's, from the workload or the file, and what was said beside it. Raises ``Refused``."""
    file, workload = given.pop("file"), given.pop("workload")
    if bool(file) == bool(workload):
        raise Refused(Fault("usage", "name either a workload or a file", "--workload", "--workload NS[/KIND/NAME]"))
    found = wanted(session, file.read(MOST)) if file else subject(str(workload))
    if given["require"]:
        found = {key: value for key, value in found.items() if key != "require"}  # PASSED: the usual rungs
    return {**found, **_chosen(given)}


def _chosen(given: dict[str, Any]) -> dict[str, Any]:
    """What was said beside the workload."""
    names = [name.strip() for one in given["require"] for name in one.split(",") if name.strip()]
    rungs = [name for name in names if name.upper() != Verdict.PASSED]
    if unknown := unknown_rungs(rungs):
        hint = f"PASSED, or any of {', '.join(RUNGS[:-1])}"
        raise Refused(Fault("usage", f"there is no rung {', '.join(unknown)}", "--require", hint))
    if len(rungs) < len(names):  # PASSED beside others: those come on top of the usual ones
        more = [name for name in dict.fromkeys(rungs) if name not in REQUIRED]
        rungs = [*REQUIRED, *more] if more else []
    found = {**chosen(given), "require": rungs or None, "control": given["control"], "keep_minutes": given["keep"]}
    return {key: value for key, value in found.items() if value}


def _backed_up(session: Session, namespace: str) -> str:
    """The name of a backup that was taken now; one that did not end well is no point to prove."""
    params = {"namespaces": [namespace], "fs_backup": _by_files(session, namespace)}
    params = {key: value for key, value in params.items() if value is not None}
    plan = session.call("plan.make", {"kind": "velero.backup", "context": session.context(), "params": params}, Plan)
    consent = {"plan": msgspec.to_builtins(plan), "digest": plan.digest(), "confirm": plan.target}
    started = session.call("operation.start", consent, Operation)
    _tell(f"{started.title} (operation {started.id})")
    ended = follow(session, started.id)
    name = str(ended.facts.get("backup.name") or "")
    if ended.state is not OpState.DONE or not name:
        what = f"the backup did not end: {ended.message or ended.state.value}"
        raise Refused(Fault("refused", what, namespace, ended.hint or f"lazarus operation show {ended.id[:8]}"))
    return name


def _by_files(session: Session, namespace: str) -> bool | None:
    """Whether the schedules of the namespace copy its files: a backup that is taken by hand does as they do."""
    from lazarus_tui.model.scope import takes_namespace

    templates = [one.spec.template for one in session.records("schedules").values()]
    said = [one.default_volumes_to_fs_backup for one in templates if takes_namespace(one, namespace)]
    return True if True in said else None


def code(ended: Operation) -> int:
    """A proof that stands still has shown nothing, whatever it has changed so far."""
    return 4 if ended.exit_code is None else ended.exit_code


def outcome(operation: Operation) -> dict[str, Any]:
    """The one object on stdout."""
    record, figures = record_of(operation.facts), operation.figures
    phases = {phase.name: round(phase.seconds, 3) for phase in figures.rta_phases} if figures else {}
    return {
        "operation": operation.id,
        "state": operation.state,
        "verdict": None if operation.state.open else operation.verdict,
        "exit_code": code(operation),
        "proof": msgspec.to_builtins(record) if record else None,
        "checks": msgspec.to_builtins(operation.checks),
        "rta": {"phases": phases, "total_seconds": figures.rta_seconds if figures else None},
        "rpa_seconds": figures.rpa_seconds if figures else None,
        "watermark": figures.watermark if figures else None,
        "definitions": {
            "rta": figures.rta_definition if figures else "",
            "rpa": figures.rpa_definition if figures else "",
        },
        "clean": (operation.facts.get("prove.cleaned") or {}).get("clean"),
        "evidence": operation.facts.get("evidence") or None,
        "evidence_missing": (operation.facts.get(UNKEPT) or {}).get("why"),
        "message": operation.message,
    }


def _print(operation: Operation, output: str) -> None:
    if output == "junit":
        click.echo(junit(operation), nl=False)
        return
    record = record_of(operation.facts)
    emit(outcome(operation), output, names=[operation.id], table=lambda: proof_text(operation, record))


def _tell(text: str) -> None:
    from lazarus_tui.view.sanitise import LINE_LIMIT, clean

    say(clean(text, LINE_LIMIT))


@click.command("list")
@output_option
@click.pass_obj
def list_proofs(session: Session, output: str) -> None:
    """List proofs, newest first."""
    context = session.context()
    every: list[Operation] = list(session.records("operations").values())
    found = sorted((o for o in every if o.kind == KIND and o.context == context), key=lambda o: o.started, reverse=True)
    known = session.records("proofs")
    emit([outcome(o) for o in found], output, names=[o.id for o in found], table=lambda: _table(found, known))


def _table(found: Iterable[Operation], known: Mapping[str, ProofView]) -> str:
    """The cells of the console's runs, a line for each workload that a proof is about."""
    from lazarus_tui.view import proofs

    now, rows = datetime.now(UTC), []
    for operation in found:
        seen = known.get(operation.id) or view(operation)
        for key, run in proofs.runs_of(seen) if seen else ():
            rows.append(
                (operation.id, key, operation.started, *(cell.text for cell in proofs.run_cells(run, now)[1:-1]))
            )
        if seen is None:
            rows.append((operation.id, operation.title, operation.started, operation.state.value, *"-----"))
    return grid(["ID", "WORKLOAD", *(column.title for column in proofs.RUN_COLUMNS[:-1])], rows)


@click.command("show")
@click.argument("id")
@click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml", "name", "junit"]), default="table", show_default=True,
    help="How to print the outcome.",
)  # fmt: skip
@click.pass_obj
def show_proof(session: Session, id: str, output: str) -> int:
    """Show one proof with its ladder, checks, figures and what was wrong."""
    found = session.call("operation.get", {"id": id}, Operation)
    if found.kind != KIND:
        raise Refused(
            Fault("not-found", f"operation {found.id[:8]} is no proof: {found.title}", "", "lazarus prove list")
        )
    _print(found, output)
    return 0
