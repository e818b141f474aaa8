"""``lazarus schedule``: list, describe, pause, unpause, run now."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from lazarus_tui.cli.artefact import show_object
from lazarus_tui.cli.output import emit, grid, output_option
from lazarus_tui.cli.running import OperationOptions, operation_options, run
from lazarus_tui.cli.session import Session
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.objects import Schedule


@click.group()
def schedule() -> None:
    """Velero schedules."""


@schedule.command("list")
@output_option
@click.pass_obj
def list_schedules(session: Session, output: str) -> None:
    """List schedules with what their cron means and the next run."""
    found: list[Schedule] = sorted(session.records("schedules").values(), key=lambda s: s.metadata.name)
    header = ["NAME", "PHASE", "CRON", "MEANS", "PAUSED", "NEXT RUN", "LAST BACKUP"]
    emit(found, output, names=[s.metadata.name for s in found], table=lambda: grid(header, [_row(s) for s in found]))


def _row(found: Schedule) -> tuple[str, ...]:
    from lazarus_tui.model.cron import CronError, parse

    try:
        cron = parse(found.spec.schedule)
        means, upcoming = cron.describe(), cron.next(datetime.now(UTC))
    except CronError as error:
        means, upcoming = f"not understood: {error}", None
    following = "paused" if found.spec.paused else rfc3339(upcoming) if upcoming else "never"
    return (
        found.metadata.name,
        found.status.phase or "New",
        found.spec.schedule,
        means,
        "yes" if found.spec.paused else "no",
        following,
        found.status.last_backup or "-",
    )


@schedule.command("describe")
@click.argument("name")
@output_option
@click.pass_obj
def describe(session: Session, name: str, output: str) -> None:
    """Show the Schedule object as the API has it."""
    show_object(session, "schedules.velero.io", name, output)


@schedule.command("pause")
@click.argument("name")
@operation_options
@click.pass_obj
def pause(session: Session, name: str, options: OperationOptions) -> int:
    """Stop a schedule from making backups."""
    return run(session, "velero.pause-schedule", {"schedule": name}, options)


@schedule.command("unpause")
@click.argument("name")
@click.option(
    "--skip-immediately/--no-skip-immediately",
    default=True,
    show_default=True,
    help="Wait for the next tick although a run is overdue.",
)
@operation_options
@click.pass_obj
def unpause(session: Session, name: str, skip_immediately: bool, options: OperationOptions) -> int:
    """Let a paused schedule make backups again."""
    params = {"schedule": name, "skip_immediately": skip_immediately}
    return run(session, "velero.unpause-schedule", params, options)


@schedule.command("run")
@click.argument("name")
@operation_options
@click.pass_obj
def run_now(session: Session, name: str, options: OperationOptions) -> int:
    """Make a backup from the schedule's template now."""
    return run(session, "velero.run-schedule", {"schedule": name}, options)
