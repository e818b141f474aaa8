"""``lazarus prove gate|wait``: is there a green proof of a point that is new enough? Nothing is run for the answer.

Exit codes (design.md §11): 0 yes · 2 the newest proof says FAILED, or a control did not go red · 4 nothing new enough
says anything · 5 refused.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec.structs import replace

from lazarus_tui.cli.output import emit, output_option
from lazarus_tui.cli.session import Refused, Session, say
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model.clock import moment
from lazarus_tui.model.durations import human
from lazarus_tui.model.proof_policies import ProofPolicyRow
from lazarus_tui.model.proofs import RUNGS, unknown_rungs
from lazarus_tui.model.sets import sets
from lazarus_tui.model.topics import ContextRow, PointView, WorkloadRow
from lazarus_tui.model.verdict import Verdict

if TYPE_CHECKING:
    from lazarus_tui.posture.gating import Gated

# Seconds between two looks of ``wait``.
PAUSE = 3.0
LATEST, VELERO = "latest", "velero"
# Choices of a point that are no name of one.
_CHOICES = ("latest-proven", "proven", "oldest")
F = TypeVar("F")


def _options(command: F) -> F:
    made: Any = command
    for option in reversed((
        click.option("--workload", metavar="NS[/KIND/NAME]", help="Whose proof is asked for."),
        click.option("--policy", metavar="NAME", help="Instead: every workload of a stored policy."),
        click.option("--point", metavar="POINT", help="Which point: latest, as when left out, or a name."),
        click.option("--source", type=click.Choice(["velero", "snapshots"]), help="Kind of point; velero unless said."),
        click.option("--newer-than", "within", default="24h", show_default=True, metavar="AGE", help="At most so old."),
        click.option("--require", multiple=True, metavar="PASSED|RUNG,…", help="Rungs that must have passed."),
    )):  # fmt: skip
        made = option(made)
    found: F = output_option(made)
    return found


@click.command("gate")
@_options
@click.pass_obj
def gate(session: Session, /, output: str, **given: Any) -> int:
    """Say whether the latest point has a green proof that is new enough; run nothing.

    Exit code 0: yes. 2: it is red. 4: there is none of this point, it is too old, or it could not be run.
    """
    found = _asked(session, given)
    _print(found, output)
    return found.code


@click.command("wait")
@_options
@click.option("--timeout", default="30m", show_default=True, metavar="TIME", help="After how long to give up.")
@click.pass_obj
def wait(session: Session, /, output: str, timeout: str, **given: Any) -> int:
    """Wait until the latest point has a green proof that is new enough, or a red one. Exit codes as of gate."""
    from lazarus_tui.posture.gating import UNKNOWN
    from lazarus_tui.view.sanitise import LINE_LIMIT, clean

    until = time.monotonic() + _duration(timeout, "--timeout").total_seconds()
    told: str | None = None
    while (found := _asked_again(session, given)).code == UNKNOWN and time.monotonic() < until:
        if found.operation != told:
            say(clean(f"waiting: {found.words}", LINE_LIMIT))
        told = found.operation
        time.sleep(PAUSE)
    _print(found, output)
    return found.code


def _asked_again(session: Session, given: dict[str, Any]) -> Gated:
    """As ``_asked``; an engine that went away is started again with the next question."""
    from lazarus_tui.link.client import LinkFault, LinkLost
    from lazarus_tui.posture.gating import nothing

    known = session.connected
    session.refresh()
    try:
        return _asked(session, given)
    except LinkLost as lost:
        session.refresh(link=True)
        return nothing(f"the engine went away: {lost}")
    except LinkFault as error:
        if session.connected or not known:
            raise
        return nothing(f"context {session.context_name} is not seen now: {error.fault.what}")


def _asked(session: Session, given: dict[str, Any]) -> Gated:
    """The answer; what cannot be seen now opens no gate. Raises ``Refused`` for what is not meant."""
    from lazarus_tui.posture.gating import nothing

    try:
        return _answer(session, given)
    except Refused as error:
        if error.fault.code != "unreachable":
            raise
        return nothing(f"it is not seen now: {error.fault.what}")


def _answer(session: Session, given: dict[str, Any]) -> Gated:
    from lazarus_tui.posture.gating import gate as gated
    from lazarus_tui.posture.gating import gate_policy, nothing
    from lazarus_tui.posture.latest import passed_over

    workload, policy = given["workload"], given["policy"]
    if bool(workload) == bool(policy):
        raise Refused(Fault("usage", "name either a workload or a policy", "--workload", "--workload NS[/KIND/NAME]"))
    within, now = _duration(given["within"], "--newer-than"), datetime.now(UTC)
    rungs = _rungs(given["require"])
    if policy and rungs:
        what = "a policy says itself which rungs its proofs have to pass"
        raise Refused(Fault("usage", what, "--require", "require: in the policy's file, or --workload"))
    if policy and (given["point"] or given["source"]):
        what = "a policy says itself which points it proves"
        raise Refused(Fault("usage", what, "--point, --source", "points: in the policy's file, or --workload"))
    if policy:
        row, why = row_of(session, policy), _unanswered(session)
        if not why and row.cluster_uid != session.records("contexts")[session.context()].cluster_uid:
            why = f"policy {policy} is stored for another cluster than {session.context()} leads to now"
        return nothing(why) if why else gate_policy(row, within=within, now=now)
    namespace, _, rest = str(workload).partition("/")
    if not namespace or (rest and (rest.count("/") != 1 or not all(rest.split("/")))):
        raise Refused(Fault("usage", f"{workload!r} is no workload", "--workload", "NAMESPACE or NAMESPACE/KIND/NAME"))
    if why := _unanswered(session):
        return nothing(why)
    point, why = _point(session, given["source"] or VELERO, given["point"] or LATEST, namespace, rest)
    usual = any(Verdict.PASSED in one.upper().replace(" ", "").split(",") for one in given["require"])
    latest = given["point"] in (None, LATEST)
    if point is None:
        found = nothing(why)
    else:
        views = session.records("proofs").values()
        found = gated(views, namespace, rest, point, latest=latest, within=within, now=now, require=rungs, usual=usual)
    if not latest or given["source"] not in (None, VELERO):
        return found
    over = passed_over(session.records("overview", fresh=True).values(), namespace, rest, point)
    return replace(found, passed_over=over)


def _unanswered(session: Session) -> str:
    """Why it is not known which cluster the context leads to now, "" when it is."""
    name = session.context()
    row: ContextRow | None = session.records("contexts").get(name)
    if row is not None and row.state == "ready" and row.cluster_uid:
        return ""
    why = row.reason if row is not None and row.reason else "it does not answer"
    return f"which cluster {name} leads to is not known now: {why}"


def _point(
    session: Session, source: str, wanted: str, namespace: str, workload: str
) -> tuple[PointView | None, str]:  # fmt: skip
    """The point that is asked about; else why there is none. Raises ``Refused``."""
    from lazarus_tui.posture import latest

    if wanted != LATEST and (wanted in _CHOICES or wanted.startswith(("random:", "before:"))):
        raise Refused(Fault("usage", f"a gate is about one point, not {wanted!r}", "--point", "latest, or a name"))
    if source == VELERO and wanted != LATEST:
        return _backup(session, wanted), f"there is no backup {wanted} now"
    if source != VELERO and not workload:
        raise Refused(Fault("usage", "a snapshot set is of a StatefulSet", "--workload", "NAMESPACE/StatefulSet/NAME"))
    rows: list[WorkloadRow] = list(session.records("overview", fresh=True).values())
    what = f"{namespace}/{workload}" if workload else namespace
    if source == VELERO:
        return latest.of_backups(rows, namespace, workload), f"there is no usable backup of {what} now"
    contents = session.records("snapshot-contents", fresh=True)
    found = sets(session.records("snapshots", fresh=True).values(), contents.values())
    if wanted != LATEST:
        found = [one for one in found if one.id == wanted]
    return latest.of_sets(found, rows, namespace, workload), f"there is no usable snapshot set of {what} now"


def _backup(session: Session, name: str) -> PointView | None:
    """One by its name; whether it can be used is what its proof says."""
    every = session.records("backups", fresh=True).values()
    found = next((one for one in every if one.metadata.name == name), None)
    if found is None:
        return None
    return PointView(name=name, kind=VELERO, start=moment(found.status.start_timestamp or ""), usable=None)


def row_of(session: Session, name: str) -> ProofPolicyRow:
    """A stored policy by its name; raises ``Refused``."""
    rows = session.call("proof-policy.list", {"context": session.context()}, list[ProofPolicyRow])
    found = next((row for row in rows if row.policy.name == name), None)
    if found is None:
        hint = ", ".join(row.policy.name for row in rows) or "lazarus policy apply -f FILE"
        raise Refused(Fault("not-found", f"no policy {name!r} is stored", "policy", hint))
    return found


def _rungs(given: tuple[str, ...]) -> list[str]:
    names = [name.strip() for one in given for name in one.split(",") if name.strip()]
    rungs = [name for name in names if name.upper() != Verdict.PASSED]
    if unknown := unknown_rungs(rungs):
        hint = f"PASSED, or any of {', '.join(RUNGS[:-1])}"
        raise Refused(Fault("usage", f"there is no rung {', '.join(unknown)}", "--require", hint))
    return rungs


def _duration(text: str, where: str) -> timedelta:
    from lazarus_tui.model import durations

    try:
        found = durations.parse(text)
    except durations.DurationError as error:
        raise Refused(Fault("usage", str(error), where, "for example 24h")) from None
    if found <= timedelta(0):
        raise Refused(Fault("usage", "it must be longer than nothing", where, "for example 24h"))
    return found


def _print(found: Gated, output: str) -> None:
    emit(found, output, names=[found.operation] if found.operation else [], table=lambda: _text(found))


def _text(found: Gated) -> str:
    about = f"  point {found.point}" if found.point else ""
    if found.point_age_seconds is not None:
        about += f", {human(found.point_age_seconds)} old (begun {found.point_at})"
    proof = f"  operation {found.operation[:8]}, {found.at}" if found.operation else ""
    over = [f"  passed over: {one}" for one in found.passed_over]
    return "\n".join(filter(None, [f"{found.verdict}: {found.words}", about, proof, *over]))
