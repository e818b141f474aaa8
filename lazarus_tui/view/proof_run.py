"""One proof, live and afterwards: ladder, ways out of the quarantine, checks as they come, then why and how long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from lazarus_tui.model.operation import CheckResult, Figures, Operation, StepState, StepView
from lazarus_tui.model.proofs import KIND, STOPPED, ProofRecord, Reached, about, record_of
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import ladder, operations, proof_card, status, times, waterfall
from lazarus_tui.view.text import BLANK, Line, Span, Tone, accent, heading, labelled, line, muted, span, strong, wrap

# Steps under which what they find is shown while it comes.
_PROBED = {"isolation": "prove.isolation", "isolation-again": "prove.isolation_after"}
_CHECKED = "checks.run"


def is_proof(operation: Operation) -> bool:
    return operation.kind == KIND


def standing(operation: Operation, width: int) -> list[Line]:
    """What stays in sight above the steps while it runs: the ladder, and why the rest of the steps is skipped."""
    if not operation.state.open:
        return []
    stopped = operation.facts.get(STOPPED)
    known = about(operation.facts)
    broken = f"▲ negative control {known.control}: the copy is broken on purpose" if known and known.control else ""
    control = wrap(f"{broken}, a check must go red", width, Tone.WARN, 1) if broken else []
    if not isinstance(stopped, Mapping):
        return [*control, ladder.live(operation)]
    words = f"{status.BAD} {stopped.get('title')}: {stopped.get('words')}"
    hint = wrap(f"→ {stopped['hint']}", width, Tone.ACCENT, 9)[:2] if stopped.get("hint") else []
    return [*control, ladder.live(operation), *wrap(words, width, Tone.BAD, 9)[:3], *hint]


# The quarantine


def probes(operation: Operation, key: str, width: int) -> list[Line]:
    """Every way out that was tried: a tick where it behaved as it has to, a cross where the quarantine leaks."""
    found = operation.facts.get(key)
    tried = found.get("probes") if isinstance(found, Mapping) else None
    if not isinstance(tried, list | tuple):
        return []
    each = [_probe(one) for one in tried if isinstance(one, Mapping)]
    return _flow(each, width, 5)


def _probe(one: Mapping[str, Any]) -> Span:
    """``✓ the internet``: closed as it has to be, or, for the control, open as it has to be."""
    expected, seen = str(one.get("expected")), str(one.get("seen"))
    what = f"{one.get('what')}" + (" (has to be open)" if expected == "open" else "")
    if expected == "either":  # Kubernetes itself leaves it open: nothing is judged by it
        return span(f"· {what}: {seen}", Tone.MUTED, 100)
    if seen == expected:
        return span(f"{status.GOOD} {what}", Tone.MUTED, 80)
    if seen == "unknown":
        return span(f"{status.ASK} {what}: could not be tried", Tone.WARN, 120)
    word = "OPEN" if seen == "open" else seen
    return span(f"{status.BAD} {what}: {word}", Tone.BAD if expected == "closed" else Tone.WARN, 120)


def _flow(parts: Iterable[Span], width: int, indent: int) -> list[Line]:
    """Spans one after the other, in as many lines as they need."""
    found: list[list[Span | str]] = []
    used = width
    for part in parts:
        if used + len(part.text) + 2 > width:
            found.append([" " * indent])
            used = indent
        found[-1] += [part, "  "]
        used += len(part.text) + 2
    return [line(*each) for each in found]


# While it runs


def checklist(operation: Operation, now: datetime, width: int) -> list[Line]:
    """The steps; below those that look at something stands what they saw so far."""
    return [part for step in operation.steps for part in _step(operation, step, now, width)]


def _step(operation: Operation, step: StepView, now: datetime, width: int) -> list[Line]:
    room = min(max((len(each.title) for each in operation.steps), default=0), 40, max(20, width - 34))
    checked = step.name == _CHECKED and bool(operation.checks)  # each says below what it saw
    found = operations.step_lines(step, now, width, room, whole=not checked)
    key = _PROBED.get(step.name)
    if key is not None and step.state in (StepState.RUNNING, StepState.FAILED, StepState.UNKNOWN):
        found += probes(operation, key, width)
    if step.name == _CHECKED and step.state is not StepState.PLANNED and operation.state.open:
        found += [(span("  "), *part) for part in _checks(operation.checks, width - 2)]
    return found


def at_work(operation: Operation, now: datetime, width: int) -> int:
    """The line that a watcher wants to see: the last one of the step that runs."""
    return max(0, len(checklist(operations.followed(operation), now, width)) - 1)


def _checks(checks: Sequence[CheckResult], width: int) -> list[Line]:
    """What is wrong first."""
    order = (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.NOT_TESTED, Verdict.PASSED)
    shown = sorted(checks, key=lambda check: order.index(check.verdict))
    return [part for check in shown for part in operations.check_lines(check, width)]


# Afterwards

_BAD = (Verdict.FAILED, Verdict.INCONCLUSIVE)


def body(operation: Operation, now: datetime, width: int) -> list[Line]:
    """While it goes on: the steps. When it waits or has ended: what came of it first."""
    steps = checklist(operation, now, width)
    if operations.moves(operation):
        return [*steps, *operations.said(operation, width)]
    return [*operations.said(operation, width), *_outcome(operation, now, width),
            *operations.taking_back(operation, width), BLANK, heading(" Steps"), *steps]  # fmt: skip


def _outcome(operation: Operation, now: datetime, width: int) -> list[Line]:
    record = record_of(operation.facts)
    if record is None:
        words = "nothing is judged yet" if operation.state.open else "it ended before anything was judged"
        return [BLANK, line(muted(f" {words}"))]
    lines = [BLANK, *_verdict(record, width)]
    failed = [] if record.control else [one for one in operation.checks if one.verdict in _BAD]
    said = [part for one in failed for part in wrap(f"{status.verdict(one.verdict).text[0]} {one.name}: {one.summary}",
                                                    width - 1, status.verdict(one.verdict).tone, 3)]  # fmt: skip
    if bad := [*said, *proof_card.wrong(record, width), *_stopped(operation, width)]:
        lines += [BLANK, heading(" What was wrong"), *bad]
    if record.verdict is Verdict.FAILED and not record.control:
        lines += wrap(proof_card.ELSEWHERE, width - 1, Tone.ACCENT, 3)
    for each in record.ladders:
        lines += [BLANK, line(accent(" Ladder  "), strong(each.workload[:100]))]
        lines += ladder.lines(each, record.required, now, width, judged=operation.ended)
    if operation.checks:
        lines += [BLANK, heading(" Checks"), *_checks(operation.checks, width)]
    if operation.figures is not None and not record.control:
        lines += [BLANK, heading(" Measured"), *_measured(operation.figures, record, width)]
    lines += [BLANK, heading(" Quarantine"), *_quarantine(operation, record, width)]
    if isinstance(operation.facts.get("evidence"), str):
        lines.append(labelled("evidence", span(operation.facts["evidence"], limit=300), width=14))
    return lines


def _verdict(record: ProofRecord, width: int) -> list[Line]:
    head = line(accent(" Verdict  "), status.verdict(record.verdict), muted("  of "), span(record.point, limit=80))
    if not record.control:
        return [head, *wrap(record.words, width - 1, Tone.PLAIN, 3)]
    means = {
        Verdict.PASSED: "the copy was broken on purpose, and the checks went red as they must",
        Verdict.FAILED: "the copy was broken on purpose, and nothing went red: greens of these checks mean nothing",
    }.get(record.verdict, "whether the checks go red is not known")
    said = [*wrap(f"negative control {record.control}: {means}", width - 1, Tone.PLAIN, 3)]
    return [head, *said, *wrap(record.words, width - 1, Tone.MUTED, 3)]


def _stopped(operation: Operation, width: int) -> list[Line]:
    """What to do about the step that fell; the step and its words are among the deviations."""
    stopped = operation.facts.get(STOPPED)
    return proof_card.stop_hint(str(stopped.get("hint") or "") if isinstance(stopped, Mapping) else "", width)


def _measured(found: Figures, record: ProofRecord, width: int) -> list[Line]:
    """RTA and RPA against their targets, and where the time went."""
    lines = [_figure("recovery time", found.rta_seconds, record, "rto", found.rta_definition)]
    lines += waterfall.lines(found.rta_phases, width)
    lines.append(_figure("data lost", found.rpa_seconds, record, "rpo", found.rpa_definition))
    if found.watermark:
        lines.append(operations.figure("newest data", "", f"{found.watermark}, found in the restored copy"))
    if found.engine_seconds is not None:
        share = times.measured(found.engine_seconds)
        lines.append(operations.figure("Lazarus", share, "its own share, not waiting for others"))
    return lines


def _figure(label: str, seconds: float | None, record: ProofRecord, name: str, definition: str) -> Line:
    target = record.target(name)
    value = times.measured(seconds)
    if target is None or target.result is Reached.NONE:
        return operations.figure(label, value, definition)
    words = f"{name.upper()} {times.duration(target.objective_seconds)} {target.result}"
    tone = {Reached.MET: Tone.GOOD, Reached.MISSED: Tone.BAD}.get(target.result, Tone.WARN)
    mark = {Reached.MET: status.GOOD, Reached.MISSED: status.BAD}.get(target.result, status.ASK)
    said = span(f"{mark} {words}", tone)
    return line(muted(f" {label:<14} "), span(f"{value:>8}", Tone.STRONG), "   ", said, muted(f"   {definition}"))


def _quarantine(operation: Operation, record: ProofRecord, width: int) -> list[Line]:
    lines = [line("   ", span(record.quarantine, limit=63))] if record.quarantine else []
    for key, when in (("prove.isolation", "before the data came"), ("prove.isolation_after", "with the data in it")):
        found = operation.facts.get(key)
        if isinstance(found, Mapping):
            tone = Tone.PLAIN if found.get("closed") is True else Tone.BAD
            mark = status.GOOD if found.get("closed") is True else status.BAD
            lines += wrap(f"{mark} {when}: {found.get('words')}", width - 1, tone, 3)
    if not lines[1:]:
        lines.append(line(span(f"   {status.WARN} it was not shown to be closed", Tone.WARN)))
    lines += probes(operation, "prove.isolation_after", width) or probes(operation, "prove.isolation", width)
    cleaned = operation.facts.get("prove.cleaned")
    if isinstance(cleaned, Mapping) and cleaned.get("words"):
        clean = cleaned.get("clean") is True
        words = f"{status.GOOD if clean else status.WARN} clean-up: {cleaned['words']}"
        lines += wrap(words, width - 1, Tone.PLAIN if clean else Tone.WARN, 3)
    return lines
