"""What a ProofPolicy file means: looked at as a whole before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from lazarus_tui.model import cron, durations
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.policies import CATCH_UPS, Blackout
from lazarus_tui.model.proof_policies import ON_COMPLETION, ProofPolicy, Selector
from lazarus_tui.model.proofs import RUNGS, unknown_rungs
from lazarus_tui.prove.asked import WORKLOADS, asked
from lazarus_tui.prove.definitions import parse
from lazarus_tui.prove.mistakes import near
from lazarus_tui.prove.policies.written import PolicyFile, Select, Targets, Window

CHOICES = ("latest", "latest-proven", "oldest")
_RANDOM = re.compile(r"random:(?=0*[1-9])\d{1,5}[hdw]")  # a window of nothing has no points
_LONGEST = 7 * 86400.0  # seconds of a window or a blackout
_LATE = "1h"  # what waits for longer is overdue, unless the file says otherwise
_LEAST_CONTROL = 3600.0  # seconds between two negative controls
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
NO_CONTEXT = "-"  # the shop's built-in ways belong to the sandbox alone


def policy(written: PolicyFile, now: datetime) -> ProofPolicy:
    """Raises ``PlanRefused``; ``where`` is the path of the field."""
    _points(written)
    for n, one in enumerate(written.workloads):
        _selector(one, n, written.source)
    found = ProofPolicy(
        name=written.name,
        workloads=tuple(Selector(**msgspec.structs.asdict(one)) for one in written.workloads),
        points=written.points,
        schedules=written.schedules,
        prove=_proving(written, now),
        schedule=written.schedule,
        time_zone=written.time_zone,
        catch_up=CATCH_UPS[written.catch_up],
        jitter=seconds(written.jitter, "jitter"),
        blackout=_windows(written, written.blackout, "blackout"),
        in_blackout=written.in_blackout,
        windows=_windows(written, written.windows, "windows"),
        at_once=written.at_once,
        again_seconds=seconds(written.not_again_within or "0", "notAgainWithin"),
        retries=written.retries,
        late_seconds=seconds(written.overdue_after or _LATE, "overdueAfter"),
        arrive_seconds=seconds(written.overdue_after or "0", "overdueAfter"),
        control=written.control.kind if written.control else "",
        control_seconds=seconds(written.control.every, "control.every") if written.control else 0.0,
        notify=written.notify,
        writes=written.writes,
    )
    if written.control and found.control_seconds < _LEAST_CONTROL:
        raise wrong("a control each hour is the most", "control.every")
    if found.late_seconds < 60:
        raise wrong("a minute is the least", "overdueAfter")
    _clock(found)
    return found


def _points(written: PolicyFile) -> None:
    for n, one in enumerate(written.points):
        if one not in (ON_COMPLETION, *CHOICES) and not _RANDOM.fullmatch(one):
            known = (ON_COMPLETION, *CHOICES, "random:30d")
            raise wrong(f"there is no point {one!r}", f"points[{n}]", near(one, known) or f"one of {', '.join(known)}")
        if written.points.count(one) > 1:
            raise wrong(f"{one} is given twice", f"points[{n}]")
    by_clock = [one for one in written.points if one != ON_COMPLETION]
    if by_clock and not written.schedule:
        raise wrong(f"{by_clock[0]} is proven by a schedule, and there is none", "points", 'schedule: "0 3 * * *"')
    if written.schedule and not by_clock:
        raise wrong("a schedule proves a point by a rule, and there is none", "schedule", "add latest to points")
    if written.schedules and ON_COMPLETION not in written.points:
        raise wrong("Velero's schedules belong to on-completion", "schedules", "add on-completion to points")
    if written.source == "snapshots" and ON_COMPLETION in written.points:
        raise wrong(f"{ON_COMPLETION} is of Velero's backups; sets are proven by a schedule", "points", "write latest")


def _selector(one: Select, n: int, source: str) -> None:
    where = f"workloads[{n}]"
    if not one.namespace and not one.labels:
        raise wrong("it names neither a namespace nor labels", where, "namespace: shop")
    if one.workload and (one.labels or not one.namespace):
        raise wrong("a workload is named with its namespace, and without labels", f"{where}.workload")
    kind, slash, name = one.workload.partition("/")
    if one.workload and (kind not in WORKLOADS or not slash or not name):
        hint = near(kind, WORKLOADS) if slash else "write StatefulSet/orders"
        raise wrong(f"{one.workload!r} is no workload", f"{where}.workload", hint or f"one of {', '.join(WORKLOADS)}")
    if source == "snapshots" and not one.labels and kind != "StatefulSet":
        raise wrong("a snapshot set is of one StatefulSet", f"{where}.workload", "write StatefulSet/orders")


def _proving(written: PolicyFile, now: datetime) -> dict[str, Any]:
    """The planner's parameters, judged as the planner will judge them."""
    one = written.workloads[0]
    found: dict[str, Any] = {
        "source": written.source if written.source != "velero" else "",
        "checks": checked(written.checks, one.namespace) if written.checks is not None else None,
        "require": rungs(written.require),
        "targets": targets(written.targets),
        "limits": dict(written.limits),
        "stabilise_seconds": seconds(written.stabilise or "0", "stabilise"),
        "keep_minutes": seconds(written.keep or "0", "keep") / 60,
        "network": dict(written.network),
        "nodes": written.nodes.plain,
        "allow": list(written.allow),
    }
    found = {key: value for key, value in found.items() if value}
    asked({"namespace": one.namespace or "default", "workload": one.workload or "StatefulSet/any", **found},
          NO_CONTEXT, now)  # fmt: skip
    return found


def checked(checks: dict[str, Any], namespace: str, where: str = "checks") -> dict[str, Any]:
    """The checks as they were written, once they are known to be right for a copy of ``namespace``."""
    if not checks:
        raise wrong("there are no checks in it", where, "leave it out, or see docs/checks.md")
    space = namespace or "the-restored-namespace"
    try:
        parse({"checks": checks, "sources": {space: space}}, NO_CONTEXT)
    except PlanRefused as error:
        raise wrong(error.what, where if error.where == "checks" else f"{where}.{error.where}", error.hint) from None
    return checks


def rungs(names: Sequence[str]) -> list[str]:
    """Raises ``PlanRefused``."""
    if unknown := unknown_rungs(names):
        known = RUNGS[:-1]
        raise wrong(f"there is no rung {unknown[0]!r}", "require", near(unknown[0], known) or ", ".join(known))
    return list(names)


def targets(written: Targets) -> dict[str, float]:
    given = (("rto_seconds", written.rto, "targets.rto"), ("rpo_seconds", written.rpo, "targets.rpo"))
    return {key: seconds(text, where) for key, text, where in given if text}


def _windows(written: PolicyFile, given: Sequence[Window], where: str) -> tuple[Blackout, ...]:
    found = []
    for n, one in enumerate(given):
        if _line(one.begins, written.time_zone, f"{where}[{n}].begins").every is not None:
            raise wrong("it begins at no time of its own", f"{where}[{n}].begins", 'write a cron line, "0 22 * * *"')
        lasts = seconds(one.lasts, f"{where}[{n}].lasts")
        if not 0 < lasts <= _LONGEST:
            raise wrong("it lasts more than 0 s and at most 7 days", f"{where}[{n}].lasts")
        found.append(Blackout(one.begins, lasts))
    return tuple(found)


def _clock(found: ProofPolicy) -> None:
    line = _line(found.schedule or "@daily", found.time_zone, "schedule")
    if found.schedule and line.next(_SOME_DAY) is None:
        raise wrong(f"{found.schedule!r} never comes", "schedule")


def _line(text: str, zone: str, where: str) -> cron.Cron:
    try:
        return cron.parse(text, "lazarus", zone=zone)
    except cron.CronError as error:
        raise wrong(str(error), "timeZone" if error.where == "time zone" else where) from None


def seconds(text: str, where: str) -> float:
    """Of a duration; raises ``PlanRefused``."""
    try:
        found = durations.parse(text).total_seconds()
    except durations.DurationError as error:
        raise wrong(str(error), where) from None
    if found < 0:
        raise wrong("a duration cannot be negative", where)
    return found


def wrong(what: str, where: str, hint: str = "") -> PlanRefused:
    return PlanRefused(what, where=where, hint=hint or "see docs/proof.md", code="usage")
