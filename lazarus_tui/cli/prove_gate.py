"""``lazarus prove gate|wait``: is there a green proof that is new enough? Nothing is run for the answer.

Exit codes (design.md §11): 0 yes · 2 the newest proof says FAILED, or a control did not go red · 4 nothing new enough
says anything · 5 refused.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lazarus_tui.cli.output import emit, output_option
from lazarus_tui.cli.session import Refused, Session, say
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model.proof_policies import ProofPolicyRow
from lazarus_tui.model.proofs import RUNGS, unknown_rungs
from lazarus_tui.model.verdict import Verdict

if TYPE_CHECKING:
    from lazarus_tui.posture.gating import Gated

# Seconds between two looks of ``wait``.
PAUSE = 3.0
F = TypeVar("F")


def _options(command: F) -> F:
    made: Any = command
    for option in reversed((
        click.option("--workload", metavar="NS[/KIND/NAME]", help="Whose proof is asked for."),
        click.option("--policy", metavar="NAME", help="Instead: every workload of a stored policy."),
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
    """Say whether a green proof is new enough; run nothing.

    Exit code 0: yes. 2: the newest one is red. 4: there is none, it is too old, or it could not be run.
    """
    found = _asked(session, given)
    _print(found, output)
    return found.code


@click.command("wait")
@_options
@click.option("--timeout", default="30m", show_default=True, metavar="TIME", help="After how long to give up.")
@click.pass_obj
def wait(session: Session, /, output: str, timeout: str, **given: Any) -> int:
    """Wait until a green proof is new enough, or one is red; run nothing. Exit codes as of gate."""
    from lazarus_tui.posture.gating import UNKNOWN
    from lazarus_tui.view.sanitise import LINE_LIMIT, clean

    until = time.monotonic() + _duration(timeout, "--timeout").total_seconds()
    told: str | None = None
    while (found := _asked(session, given)).code == UNKNOWN and time.monotonic() < until:
        if found.operation != told:
            say(clean(f"waiting: {found.words}", LINE_LIMIT))
        told = found.operation
        time.sleep(PAUSE)
    _print(found, output)
    return found.code


def _asked(session: Session, given: dict[str, Any]) -> Gated:
    from lazarus_tui.posture.gating import gate as gated
    from lazarus_tui.posture.gating import gate_policy

    workload, policy = given["workload"], given["policy"]
    if bool(workload) == bool(policy):
        raise Refused(Fault("usage", "name either a workload or a policy", "--workload", "--workload NS[/KIND/NAME]"))
    within, now = _duration(given["within"], "--newer-than"), datetime.now(UTC)
    rungs = _rungs(given["require"])
    if policy and rungs:
        what = "a policy says itself which rungs its proofs have to pass"
        raise Refused(Fault("usage", what, "--require", "require: in the policy's file, or --workload"))
    if policy:
        return gate_policy(row_of(session, policy), within=within, now=now)
    namespace, _, rest = str(workload).partition("/")
    if not namespace or (rest and (rest.count("/") != 1 or not all(rest.split("/")))):
        raise Refused(Fault("usage", f"{workload!r} is no workload", "--workload", "NAMESPACE or NAMESPACE/KIND/NAME"))
    session.context()
    views = session.records("proofs").values()
    usual = any(Verdict.PASSED in one.upper().replace(" ", "").split(",") for one in given["require"])
    return gated(views, namespace, rest, within=within, now=now, require=rungs, usual=usual)


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
    about = f"  point {found.point}, operation {found.operation[:8]}, {found.at}" if found.operation else ""
    return "\n".join(filter(None, [f"{found.verdict}: {found.words}", about]))
