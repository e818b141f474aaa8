"""The queue of proofs in lines: what runs, what waits and for what, and what was left out; and a policy to read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lazarus_tui.model.proof_policies import Entry, Standing, State
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import policies, status, times
from lazarus_tui.view.policies import Stand
from lazarus_tui.view.proofs import Proven
from lazarus_tui.view.source import TopicState
from lazarus_tui.view.text import BLANK, Line, Span, Tone, accent, flow, heading, join, line, muted, span, wrap
from lazarus_tui.view.typed import typed

# Cells before the words of a summary, and from an entry's edge to what it waits for.
_LABEL, _INDENT = 10, 5
_YOUNG = 60.0


def summary(known: TopicState, queue: TopicState, now: datetime, width: int) -> list[Line]:
    """Over the list of proofs: the queue with what its first waits for, and how policies stand."""
    for topic in (known, queue):
        if topic.state == "loading":
            return [line(muted(" queue and policies: asking …"))]
        if topic.state == "failed":
            return wrap(f"▲ queue and policies are not known: {topic.reason}", width - 1, Tone.WARN, 1)[:2]
    entries, rows = list(queue.records.values()), list(known.records.values())
    going = [one for one in policies.in_order(entries) if one.state.open]
    if not going and not rows:
        return [line(muted(" ○ nothing is proven by itself here   "), accent("P"), muted(" policies"))]
    lines = [_labelled("queue", _queue(going, now)), *_first_reason(going, width)]
    return (
        [*lines, _labelled("policies", policies.standing_words(rows) or [muted("none is stored")])] if rows else lines
    )


def _labelled(label: str, parts: Sequence[Span]) -> Line:
    return line(muted(f" {label:<{_LABEL}}"), *join(parts))


def _queue(going: Sequence[Entry], now: datetime) -> list[Span]:
    running = [one for one in going if one.state is State.RUNNING]
    waiting = [one for one in going if one.state is State.WAITING]
    if not going:
        return [muted(f"{status.WAIT} empty")]
    parts = [span(f"{status.RUN} {len(running)} running", Tone.ACCENT)] * bool(running)
    if waiting:
        parts.append(span(f"{status.WAIT} {len(waiting)} waiting, the first for {_waits(waiting[0], now)}"))
    return parts


def ticks(queue: TopicState, now: datetime) -> bool:
    """Whether something in it counts seconds: what runs does, and what waits until it counts minutes."""
    going = [one for one in queue.records.values() if one.state.open]
    return any(one.state is State.RUNNING or (times.seconds_since(one.queued, now) or 0.0) < _YOUNG for one in going)


def _since(at: str, now: datetime) -> str:
    return times.duration(max(0.0, times.seconds_since(at, now) or 0.0))


def _waits(one: Entry, now: datetime) -> str:
    """In one unit: a proof may wait for its window for hours, and every second would be bytes."""
    return times.coarsely(max(0.0, times.seconds_since(one.queued, now) or 0.0))


def _first_reason(going: Sequence[Entry], width: int) -> list[Line]:
    """What the first that waits, or else the first that runs and waits for Velero, waits for; in two lines at most."""
    of = sorted((one for one in going if one.waiting), key=lambda one: one.state is not State.WAITING)
    words = [
        f"{policies.title(one.subject)}: {one.waiting.partition('; ')[0]}" for one in of[:1]
    ]  # the card has the rest of it
    return [part for one in words for part in wrap(one[:300], width - 1, Tone.PLAIN, _LABEL + 1)[:2]]


def entry(one: Entry, now: datetime, width: int, *, sandbox: bool = False) -> list[Line]:
    """One proof of the queue: how it stands, what it is about, and why it is so."""
    head = flow(["   ", *_state(one, now), f"  {policies.title(one.subject)}", muted(" from "),
                 span(one.point, limit=100), span(f"  control {one.control}" if one.control else "", Tone.ACCENT),
                 muted(f"  {one.operation[:8]}" if one.operation else "")], width, _INDENT)  # fmt: skip
    words = typed(one.words if not one.state.open else one.waiting, sandbox=sandbox)
    return [*head, *wrap(words[:600], width - 1, Tone.MUTED, _INDENT)] if words else head


def _state(one: Entry, now: datetime) -> list[Span]:
    if one.state is State.RUNNING:
        return [span(f"{status.RUN} running {_since(one.begun, now)}", Tone.ACCENT)]
    if one.state is State.WAITING:
        return [span(f"{status.WAIT} waiting {_waits(one, now)}")]
    ago = muted(f" {times.coarse(one.ended, now)} ago")
    if one.state is State.DONE:
        return [status.verdict(one.verdict), ago]
    return [span(f"- {one.state.value}", Tone.WARN if one.state is State.REFUSED else Tone.MUTED), ago]


def of_row(found: Proven | None, queue: TopicState, now: datetime, width: int) -> list[Line]:
    """What waits first of a workload, or of its namespace as a whole; what runs is shown as a proof already."""
    if found is None:
        return []
    of = [one for one in queue.records.values() if one.subject.namespace == found.namespace]
    own = [one for one in of if one.state is State.WAITING and one.subject.workload in ("", found.workload)]
    return entry(policies.in_order(own)[0], now, width) if own else []


def card(found: Stand | None, now: datetime, width: int, room: int, *, sandbox: bool = False) -> list[Line]:
    """For below the list of policies, in ``room`` lines."""
    if found is None or room < 2:
        return []
    lines = page(found, now, width, sandbox=sandbox)
    if len(lines) <= room:
        return lines
    lines = [one for one in lines if one]
    hidden = len(lines) - room + 1
    return lines if hidden <= 1 else [*lines[: room - 1], line(muted(f"   … {hidden} more lines: enter shows all"))]


def page(found: Stand, now: datetime, width: int, *, sandbox: bool = False) -> list[Line]:
    """All of it: what is wrong first, then how it stands, the queue, what ended, and what the policy means.
    ``sandbox``: commands are told as they are typed for it."""
    row = found.row
    trouble = typed(row.trouble, sandbox=sandbox)
    lines = _headline(found, now, width)
    if row.overdue:
        lines += wrap(f"▲ OVERDUE: {typed(row.overdue, sandbox=sandbox)}", width - 1, Tone.WARN, 1)
    if row.trouble and row.trouble not in row.overdue:
        lines += wrap(f"▲ {trouble}" if row.enabled else f"○ {trouble}", width - 1,
                      Tone.WARN if row.enabled else Tone.PLAIN, 1)  # fmt: skip
    lines += [part for one in row.unknown for part in wrap(f"? {one}", width - 1, Tone.WARN, 1)]
    if found.standing is not None:
        lines += _stands(found.standing, now, width)
    going = [one for one in found.entries if one.state.open]
    lines += [BLANK, heading(f" Queue of {found.name}")] if going else []
    lines += [part for one in going for part in entry(one, now, width, sandbox=sandbox)]
    ended = [one for one in found.own if not one.state.open]
    lines += [BLANK, heading(" Lately")] if ended else []
    lines += [part for one in ended for part in entry(one, now, width, sandbox=sandbox)]
    said = [typed(sentence, sandbox=sandbox) for sentence in (*row.means, *row.expects)]
    means = [part for sentence in said for part in wrap(sentence, width - 1, Tone.MUTED, 3)]
    return [*lines, BLANK, heading(" What it does"), *means] if means else lines


def _headline(found: Stand, now: datetime, width: int) -> list[Line]:
    row = found.row
    parts: list[Span | str] = [" ", accent(found.name), muted("  "), span(found.workload or "no workload yet"), "   ",
                               policies.verdict(found.standing, now)]  # fmt: skip
    parts += [muted("   next "), policies.next_run(row, now)]
    return flow(parts, width, 3)


def _stands(one: Standing, now: datetime, width: int) -> list[Line]:
    """Why it stands so; a verdict with its point, a green that was lost with what took it."""
    if one.verdict is Verdict.NOT_TESTED:
        return wrap("○ never proven by this policy", width - 1, Tone.MUTED, 1)
    tone = Tone.PLAIN if one.green else Tone.WARN if one.verdict is not Verdict.FAILED else Tone.BAD
    if one.control == "failed":
        tone = Tone.BAD
    glyph = policies.verdict(one, now).text[0]
    lines = wrap(f"{glyph} {one.words}", width - 1, tone, 1)
    if one.control and one.control_at and one.control != "failed":
        lines.append(line(muted(" negative control "), policies.control(one, now), muted(" ago")))
    return [*lines, line(muted(" from "), span(one.point, limit=100), muted(f"  {one.operation[:8]}"))]
