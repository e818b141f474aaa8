"""``lazarus notify``: whether the sinks work, what was told, what waits and why."""

from __future__ import annotations

from typing import Any

import click

from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.session import Session
from lazarus_tui.model.counting import how_many

_GLYPHS = {"delivered": "✓ delivered", "later": "! not now", "refused": "✗ refused", "never": "✗ refused"}


@click.group()
def notify() -> None:
    """Notifications: Slack, PagerDuty and webhooks that the settings name."""


@notify.command("test")
@click.argument("sink", default="")
@output_option
@click.pass_obj
def test_sinks(session: Session, sink: str, output: str) -> int:
    """Send a test notice to SINK, or to each. Exit 2 when one of them did not take it."""
    found = session.call("notify.test", {"sink": sink}, list[dict[str, Any]], timeout=180.0)
    header = ["SINK", "KIND", "OUTCOME", "ANSWER", "NEXT"]
    rows = [(f["sink"], f["kind"], _GLYPHS.get(f["outcome"], f["outcome"]), f["words"], f["hint"]) for f in found]
    emit(found, output, names=[f["sink"] for f in found], table=lambda: grid(header, rows))
    return 0 if all(f["outcome"] == "delivered" for f in found) else 2


@notify.command("list")
@click.argument("sink", default="")
@output_option
@click.pass_obj
def list_notices(session: Session, sink: str, output: str) -> None:
    """List notices, newest first: sent, waiting with the last answer, given up with the reason."""
    found = session.call("notify.list", {"sink": sink}, list[dict[str, Any]])
    header = ["ID", "SINK", "STATE", "SEVERITY", "QUEUED", "TITLE", "WHY"]
    emit(found, output, names=[f["id"] for f in found], table=lambda: grid(header, map(_row, found)))


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    state = str(one["state"])
    if state == "waiting" and one.get("tries"):
        state = f"waiting, {how_many(one['tries'], 'try', 'tries')}, next in {one['next_seconds'] or 0:.0f} s"
    weight = one["severity"] if one["action"] == "trigger" else f"{one['action']}s"
    return (one["id"], one["sink"], state, weight, one["queued"], one["title"], one.get("why", ""))
