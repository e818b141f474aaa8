"""``lazarus prove plan``: what a proof would make, change and leave out, by which rule; nothing is changed."""

from __future__ import annotations

from typing import Any

import click

from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.session import Refused, Session
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model.plan import Plan

KIND = "prove.run"
_SECONDS = 180.0  # the backup's contents are fetched


@click.command("plan")
@click.option("--workload", required=True, metavar="NS[/KIND/NAME]", help="What would be proven.")
@click.option("--point", metavar="POINT", help="latest, latest-proven, oldest, random:30d, before:TIME, or a name.")
@click.option("--source", type=click.Choice(["velero", "snapshots"]), help="Kind of point; velero unless said.")
@click.option("--allow", multiple=True, metavar="RULE:WHAT:UNTIL:REASON", help="An exception from a rule. Repeatable.")
@output_option
@click.pass_obj
def plan(session: Session, /, workload: str, allow: tuple[str, ...], output: str, **given: Any) -> int:
    """Show what a proof would do, object by object, under the safety rules; exit code 5 when it cannot be done.

    Velero hands out a backup's contents by a request object, so its backups are planned for in armed contexts only.
    """
    namespace, _, rest = workload.partition("/")
    params = {"namespace": namespace, "workload": rest, **given, "allow": [_exception(one) for one in allow]}
    wanted = {key: value for key, value in params.items() if value}
    request = {"kind": KIND, "context": session.context(), "params": wanted}
    found = session.call("plan.make", request, Plan, timeout=_SECONDS)
    emit(found, output, names=[found.digest()], table=lambda: text(found))
    return 0


def _exception(written: str) -> dict[str, str]:
    """``S10:buckets.example.com:2026-01-31T00:00:00Z:reason``; the time has colons of its own."""
    parts = written.split(":", 2)
    end, slash, reason = parts[2].partition("Z:") if len(parts) == 3 else ("", "", "")
    if not slash:
        raise Refused(
            Fault("usage", f"{written!r} is no exception", "--allow", "RULE:WHAT:2026-01-31T00:00:00Z:reason in words")
        )
    return {"rule": parts[0], "what": parts[1], "expires": f"{end}Z", "reason": reason}


def text(found: Plan) -> str:
    """The plan for a person: what it is about, the objects by what happens to them, volumes, what may surprise."""
    from lazarus_tui.view.sanitise import LINE_LIMIT, clean

    params = found.params
    lines = [
        found.title,
        f"  context {found.context}   cluster {found.cluster_uid[:8]}   point of {params['point_start'] or '?'}",
        f"  quarantine {params['quarantine']}   requires {', '.join(params['require'])}",
    ]
    effects = grid(["", "WHAT", "DETAIL"], [(e.verb, e.what, e.detail) for e in found.effects])
    lines += [f"  {line}" for line in effects.splitlines()]
    header = ["VOLUME", "DATA", "METHOD", "FROZEN", "REASON"]
    rows = [
        (v["claim"], v["held"].upper(), v["method"] or "-", v["frozen_at"] or "-", v["reason"])
        for v in params["volumes"]
    ]
    if rows:
        lines += [f"  {line}" for line in grid(header, rows).splitlines()]
    lines += [f"  ! {warning}" for warning in found.warnings]
    lines.append(f"  undo: {found.undo}")
    estimate = found.estimate
    took = f"{estimate.low:.0f}-{estimate.high:.0f} s ({estimate.basis})" if estimate else "no basis"
    lines.append(f"  estimate: {took}")
    return "\n".join(str(clean(line, LINE_LIMIT)) for line in lines)
