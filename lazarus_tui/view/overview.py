"""The Overview: a row per workload, and a card that answers the four questions for the chosen one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.objects import Location
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.topics import PointView, WorkloadRow
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import operations, status, times
from lazarus_tui.view.sheet import Column, Sheet
from lazarus_tui.view.source import TopicState
from lazarus_tui.view.text import Line, Span, Tone, accent, line, muted, span, strong, wrap

COLUMNS = (
    Column("workload", "WORKLOAD", 0, 14, 44, key="N"),
    Column("exposure", "EXPOSURE", 0, 8, 10, right=True, key="A"),
    Column("proof", "LAST PROOF", 0, 16, 24, key="S"),
    Column("point", "USABLE POINT", 1, 18, 52, middle=True),
    Column("rta", "BACK IN", 2, 7, 9, right=True),
    Column("next", "NEXT RUN", 1, 6, 10, right=True, key="O"),
    Column("ready", "READY", 3, 5, 7, right=True),
)

_MARKS = {"error": 2, "warning": 1}


def title(row: WorkloadRow) -> str:
    return row.namespace if row.kind == "Namespace" else f"{row.namespace}/{row.name}"


def exposure(row: WorkloadRow, now: datetime) -> Span:
    """Age of the newest usable point: what would be lost if it were lost now."""
    if not row.listed("backups"):
        return span("? not known", Tone.BAD)
    if row.newest is None:
        return span("✗ ALL", Tone.BAD)
    return span(times.age(row.newest.start, now), Tone.STRONG)


def proof(row: WorkloadRow, now: datetime) -> Span:
    found = status.verdict(row.last_verdict)
    if not row.last_verdict_at:
        return found
    return Span(span(f"{found.text} {times.coarse(row.last_verdict_at, now)} ago").text, found.tone)


def cells(row: WorkloadRow, now: datetime) -> tuple[Span, ...]:
    worst = max((_MARKS.get(finding.severity, 0) for finding in row.findings), default=0)
    name = title(row)
    return (
        span(f"▲ {name}", Tone.WARN) if worst else span(name),
        exposure(row, now),
        proof(row, now),
        span("none" if row.listed("backups") else "not known", Tone.BAD)
        if row.newest is None
        else span(row.newest.name),
        muted("-") if row.rta_seconds is None else span(times.measured(row.rta_seconds)),
        span(times.coarse(row.next_run, now))
        if row.next_run
        else span("none" if row.listed("schedules") else "not known", Tone.WARN),
        span(f"{row.ready}/{row.desired}", Tone.PLAIN if row.ready >= row.desired else Tone.WARN),
    )


def order(row: WorkloadRow, column: str) -> Any:
    values: Mapping[str, Any] = {
        "exposure": row.newest.start if row.newest else "",
        "proof": (row.last_verdict.value, row.last_verdict_at),
        "next": row.next_run or "~",
    }
    return values.get(column, title(row))


SHEET: Sheet[WorkloadRow] = Sheet(
    columns=COLUMNS,
    cells=cells,
    order=order,
    text=lambda row: f"{title(row)} {row.kind} {row.last_verdict}",
    namespaces=lambda row: (row.namespace,),
    sort="workload",
    faulty=lambda row: row.newest is None or row.last_verdict is not Verdict.PASSED or bool(row.findings),
    nothing="no workload with a name of its own was found in this cluster",
    what="workloads",
)


_COLUMN = 28  # where the answers begin


def _question(number: int, words: str, *answer: Span | str) -> Line:
    return line(muted(f"  {number} "), span(f"{words:<24}"), *answer)


def _also(*answer: Span | str) -> Line:
    return line(" " * _COLUMN, *answer)


def _lose(row: WorkloadRow, now: datetime, passed_over: int) -> list[Line]:
    if not row.listed("backups"):
        found = [_question(1, "What would we lose now?", span("? not known: backups cannot be listed", Tone.BAD))]
    elif row.newest is None:
        found = [_question(1, "What would we lose now?", span("✗ everything: no usable point", Tone.BAD))]
    else:
        point = row.newest
        lost, since = strong(times.age(point.start, now)), times.clock(point.start, now)
        found = [_question(1, "What would we lose now?", lost, f" of data, all since {since}")]
        found.append(_also(muted("point "), span(point.name), muted(f" in {point.location}" if point.location else "")))
    shown = row.skipped[:passed_over]
    found += [part for point in shown for part in _passed_over(point)]
    rest = len(row.skipped) - len(shown)
    return [*found, _also(muted(f"  and {rest} more passed over"))] if rest else found


def _passed_over(point: PointView) -> list[Line]:
    reason = "; ".join(point.reasons) or "no reason given"
    return [_also(span("▲ ", Tone.WARN), muted("passed over "), span(point.name, limit=60)),
            _also("  ", span(reason, Tone.MUTED, 300))]  # fmt: skip


def _back(row: WorkloadRow, now: datetime) -> list[Line]:
    proven = row.newest_proven
    if proven is not None:
        return [_question(2, "Can we get it back?", proof(row, now)), _also(muted("proven "), span(proven.name))]
    if row.last_verdict is Verdict.NOT_TESTED:
        tried = "  nobody has tried yet" + (": p proves it" if row.newest is not None else "")
        return [_question(2, "Can we get it back?", span("○ NOT TESTED", Tone.MUTED), muted(tried))]
    gone = "but the point it was about is gone"
    if not row.listed("backups"):
        gone = "whether its point is still there is not known"
    why = f"  {gone}" if row.last_verdict is Verdict.PASSED else "  no point of it stands proven"
    return [_question(2, "Can we get it back?", proof(row, now), muted(why))]


def _long(row: WorkloadRow) -> Line:
    if row.rta_seconds is None:
        return _question(3, "How long will it take?", muted("no basis: never measured"))
    return _question(3, "How long will it take?", strong(times.measured(row.rta_seconds)), muted(" when last measured"))


def _next(row: WorkloadRow, now: datetime, width: int) -> list[Line]:
    if row.next_run:
        when = times.age(row.next_run, now)
        words: list[Span | str] = [f"next backup {when}", muted(f"  {row.next_schedule}")]
    elif row.listed("schedules"):
        words = [span("▲ no backup is due", Tone.WARN)]
    else:
        words = [span("? not known: schedules cannot be listed", Tone.WARN)]
    found = [_question(4, "What do we do next?", *words)]
    for finding in row.findings:
        tone, mark = status.severity_tone(finding.severity), status.severity_mark(finding.severity).text
        found += wrap(f"{mark} {finding.what}", width - 1, tone, _COLUMN)
        found += wrap(f"→ {finding.hint}", width - 1, Tone.ACCENT, _COLUMN) if finding.hint else []
    return found


def card(
    row: WorkloadRow | None, now: datetime, width: int, *, passed_over: int = 1, room: int | None = None
) -> list[Line]:
    """The four questions of Lazarus, answered for one workload; in ``room`` lines if that is given."""
    if row is None:
        return []
    lines = _card(row, now, width, passed_over)
    if room is not None and len(lines) > room:
        hidden = len(lines) - max(room, 1) + 1
        lines = [*lines[: max(room, 1) - 1], _also(muted(f"… {how_many(hidden, 'more line')}: d shows all of it"))]
    return lines


def _card(row: WorkloadRow, now: datetime, width: int, passed_over: int) -> list[Line]:
    claims = ", ".join(row.claims) or "no volumes"
    head = line(" ", accent(title(row)), muted(f"  {row.kind} {row.ready}/{row.desired} ready · {claims}"))
    return [head, *_lose(row, now, passed_over), *_back(row, now), _long(row), *_next(row, now, width)]


def storage(topic: TopicState, now: datetime) -> list[Line]:
    """One line for all locations; those that do not answer get a line each with the reason."""
    if topic.state == "loading":
        return [line(muted(" storage   asking …"))]
    if topic.state == "failed":
        why = topic.reason or "no reason was given"
        return [line(muted(" storage   "), span("✗ not known: ", Tone.BAD), span(why, Tone.MUTED, 300))]
    locations: Iterable[Location] = topic.records.values()
    found = sorted(locations, key=lambda each: (not each.spec.default, each.metadata.name))
    if not found:
        return [line(muted(" storage   "), span("▲ no backup storage location", Tone.WARN))]
    parts: list[Span | str] = [muted(" storage   ")]
    for each in found:
        glyph = status.phase(each.status.phase)
        parts += [Span(span(glyph.text[:2]).text, glyph.tone), span(each.metadata.name, limit=30), "   "]
    lines = [line(*parts)]
    for each in found:
        if each.status.phase not in ("Available", "", "New"):
            lines.append(
                line(" " * 11, span(f"✗ {each.metadata.name} ", Tone.BAD, 40),
                     span(each.status.message or each.status.phase, Tone.MUTED, 300))
            )  # fmt: skip
    return lines


def running(topic: TopicState, now: datetime) -> list[Line]:
    """Open operations first; else how the newest one ended."""
    found: Iterable[Operation] = topic.records.values()
    listed = sorted(found, key=lambda each: each.started, reverse=True)
    if not listed and topic.state == "loading":
        return [line(muted(" running   asking …"))]
    if not listed and topic.state == "failed":
        why = topic.reason or "no reason was given"
        return [line(muted(" running   "), span("? not known: ", Tone.WARN), span(why, Tone.MUTED, 300))]
    active = [each for each in listed if each.state.open]
    if active:
        return [_running(each, now, " running   " if not at else "           ") for at, each in enumerate(active[:3])]
    if not listed:
        return [line(muted(" running   nothing"))]
    last = listed[0]
    ago = f" {times.age(last.ended or last.started, now)} ago  "
    head = (muted(" running   nothing; last: "), status.outcome(last.state, last.verdict), muted(ago))
    return [line(*head, span(operations.title(last), limit=200))]  # how it ended is never what is cut off


def _running(operation: Operation, now: datetime, label: str) -> Line:
    spent = times.duration(operations.elapsed(operation, now))
    what, step = strong(operations.title(operation)), muted(operations.step_words(operation))
    return line(muted(label), status.operation_state(operation.state), f" {spent}  ", what, "  ", step)
