"""``lazarus prove plan``: what a proof would make, change and leave out, by which rule; nothing is changed."""

from __future__ import annotations

from typing import Any

import click

from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.prove_options import asked, asking
from lazarus_tui.cli.session import Session
from lazarus_tui.model.plan import Plan

KIND = "prove.run"
_SECONDS = 180.0  # the backup's contents are fetched


@click.command("plan")
@asking
@output_option
@click.pass_obj
def plan(session: Session, /, output: str, **given: Any) -> int:
    """Show what a proof would do, object by object, under the safety rules; exit code 5 when it cannot be done.

    Velero hands out a backup's contents by a request object, so its backups are planned for in armed contexts only.
    """
    params = asked(given)
    request = {"kind": KIND, "context": session.context(), "params": params}
    found = session.call("plan.make", request, Plan, timeout=_SECONDS)
    emit(found, output, names=[found.digest()], table=lambda: text(found))
    return 0


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
    if found.undo:
        lines.append(f"  undo: {found.undo}")
    estimate = found.estimate
    took = f"{estimate.low:.0f}-{estimate.high:.0f} s ({estimate.basis})" if estimate else "no basis"
    lines.append(f"  estimate: {took}")
    return "\n".join(str(clean(line, LINE_LIMIT)) for line in lines)
