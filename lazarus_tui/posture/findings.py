"""What a person should know about a workload's protection, each with the next thing to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.durations import human
from lazarus_tui.model.objects import Schedule
from lazarus_tui.model.points import Choice, Known
from lazarus_tui.model.resources import CLAIMS
from lazarus_tui.model.schedules import covers, next_run, parsed, tier_problem
from lazarus_tui.model.scope import Wanted, takes_namespace
from lazarus_tui.model.topics import Finding, PointView


def findings(
    wanted: Wanted,
    choice: Choice,
    schedules: Sequence[Schedule],
    known: Known,
    rule: str,
    sets: Sequence[PointView] = (),
) -> Iterator[Finding]:
    """Errors first. ``choice`` is made among backups; ``sets`` are the workload's snapshot sets, newest first."""
    kept = next((point for point in sets if point.usable), None)
    if "backups" in known.unlisted:
        what = "its recovery points are not known: backups cannot be listed"
        yield Finding("error", what, "ask for the right to list backups.velero.io, or see lazarus doctor")
    elif choice.point is None and kept is not None:
        what = f"only snapshot sets can bring it back (newest {kept.name}): they are lost with the cluster's storage"
        yield Finding("warning", what, "take a backup too, with volume data, to a place of its own")
    elif choice.point is None:
        why = choice.passed[0].reasons[0] if choice.passed and choice.passed[0].reasons else "no backup includes it"
        yield Finding("error", f"no usable point: {why}", "take a backup now, with volume data")
    if CLAIMS.plural in known.unlisted and wanted.claims:
        what = "whether its volumes exist is not known: claims cannot be listed"
        yield Finding("warning", what, f"ask for the right to list {CLAIMS.plural}, or see lazarus doctor")
    if "schedules" in known.unlisted:
        what = "its schedules are not known: they cannot be listed"
        yield Finding("warning", what, "ask for the right to list schedules.velero.io, or see lazarus doctor")
        return
    touching = [schedule for schedule in schedules if takes_namespace(schedule.spec.template, wanted.namespace)]
    covering = [schedule for schedule in touching if covers(schedule.spec.template, wanted)]
    running = [schedule for schedule in covering if not schedule.spec.paused]
    yield from _about_cover(wanted, touching, covering, running, kept.schedule if kept else "")
    yield from _about_runs(running, choice, known, rule)


def _about_cover(
    wanted: Wanted,
    touching: Sequence[Schedule],
    covering: Sequence[Schedule],
    running: Sequence[Schedule],
    sets_by: str,
) -> Iterator[Finding]:
    if sets_by and not running:
        what = f"only its snapshot sets are taken by a schedule ({sets_by}): no backup leaves the cluster by itself"
        yield Finding("warning", what, f"create a backup schedule that includes namespace {wanted.namespace}")
    elif not touching:
        yield Finding("error", "no schedule covers it", f"create one that includes namespace {wanted.namespace}")
    elif not covering:
        names = ", ".join(schedule.metadata.name for schedule in touching[:3])
        what = "its volumes are never captured" if wanted.claims else "parts of it are never captured"
        yield Finding(
            "error", f"{what}: {names} leaves them out", "let a schedule take volumes (fs-backup or snapshots)"
        )
    elif not running:
        names = ", ".join(schedule.metadata.name for schedule in covering[:3])
        yield Finding("error", f"all its schedules are paused ({names})", "unpause one of them")


def _about_runs(running: Sequence[Schedule], choice: Choice, known: Known, rule: str) -> Iterator[Finding]:
    for schedule in running:
        name = schedule.metadata.name
        if parsed(schedule, rule) is None:
            yield Finding("error", f"schedule {name} never runs: {schedule.spec.schedule!r} is not valid", "correct it")
        problem = tier_problem(schedule, known.now, rule)
        if problem:
            yield Finding("warning", problem, "run it more often, or promise less")
        place = schedule.spec.template.storage_location
        location = (known.locations or {}).get(place) if place else None
        if location is not None and location.status.phase == "Unavailable":
            yield Finding("warning", f"schedule {name} writes to {place}, which is unavailable", "repair the location")
        due = next_run(schedule, rule)
        if due is not None and (known.now - due).total_seconds() > 600:
            yield Finding("warning", f"schedule {name} is {_minutes(known.now - due)} overdue", "does the server run?")
    for passed in choice.passed[:1]:
        if passed.start and choice.point is not None and passed.reasons:
            age = _minutes(known.now - parse_rfc3339(passed.start))
            yield Finding("info", f"{passed.name} ({age} old) was passed over: {passed.reasons[0]}")


def _minutes(length: timedelta) -> str:
    """In whole minutes, one at least: a row that changes every second is sent and painted every second."""
    return human(max(1, length // timedelta(minutes=1)) * timedelta(minutes=1))
