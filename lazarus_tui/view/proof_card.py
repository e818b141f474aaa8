"""What is known of one workload's proofs: the ladder with its ages, what was wrong and what to do next, the trend."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.proofs import ProofRecord, Reached, Trouble
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import ladder, proofs, status, times, trend, waterfall
from lazarus_tui.view.proofs import Proven, Run
from lazarus_tui.view.text import BLANK, Line, Span, Tone, accent, heading, line, muted, plain, span, strong, wrap

# From here on the trend stands beside the ladder, which has at least so many cells of it, and at most these.
_WIDE, _LEAST, _MOST = 140, 76, 108
# How a card is made shorter until it fits: reasons cut, then rungs left out that were not looked at, then of what was
# wrong only the first cause and the next step.
_WAYS = ((True, False, False), (False, False, False), (False, True, False), (False, True, True))


# What to do about a point that did not come back, where nothing better is known.
ELSEWHERE = "→ prove an older point: p on it in Backups (2) or Snapshots (6); then mend how points are taken"


def headline(found: Proven, now: datetime) -> Line:
    shown = found.open or found.last
    kind = found.workload.partition("/")[0] or "namespace"
    head: list[Span | str] = [" ", accent(found.title), muted(f"  {kind}   "), proofs.proof(found, now)]
    if shown is not None and shown.about.point:
        head += [muted("  from "), span(shown.about.point, limit=80)]
    if shown is not None and shown.about.control:  # only one that runs: the last proof is never one
        head.append(span(f"  control {shown.about.control}", Tone.ACCENT))
    return line(*head)


def _instead(found: Proven, now: datetime) -> list[Line]:
    """Where the last proof is not green: the newest other point that stands proven."""
    if found.last is None or found.last.verdict is Verdict.PASSED or found.unnoticed:
        return []
    judged: dict[tuple[str, str], Run] = {}
    for run in found.runs:
        if run.counts and not run.about.control:
            judged.setdefault((run.about.source, run.about.point), run)
    good = next((run for run in judged.values() if run.verdict is Verdict.PASSED), None)
    if good is None:
        return []
    age = times.coarse(good.view.ended, now)
    return [line("   ", span(f"{status.GOOD} an older point stands proven: {good.about.point}", Tone.GOOD, 200),
                 muted(f"  {age}"))]  # fmt: skip


def rungs(found: Proven, now: datetime, width: int, *, whole: bool) -> list[Line]:
    """The ladder of the last proof; where there is none, that nothing is claimed."""
    last = found.last
    if last is None and found.elsewhere:
        words = "○ it was proven in another cluster, or in one that was not recorded; here no rung was"
        return wrap(f"{words}: {_next(found)}", width - 1, Tone.MUTED, 3)
    if last is None or last.ladder is None or last.record is None:
        return [*_other(found, now), *wrap(f"○ no rung was ever proven: {_next(found)}", width - 1, Tone.MUTED, 3)]
    drawn = ladder.lines(last.ladder, last.record.required, now, width, whole=whole, judged=last.view.ended)
    return [*_other(found, now), *_before(found, now), *drawn]


def _before(found: Proven, now: datetime) -> list[Line]:
    """While one runs: whose ladder that is."""
    last = found.last
    if found.open is None or last is None:
        return []
    ago = muted(f"  {times.coarse(last.view.ended, now)} ago, of ")
    return [line(muted("   the last proof  "), status.verdict(last.verdict), ago, span(last.about.point, limit=80))]


def _next(found: Proven) -> str:
    if found.open is not None:
        return "a proof of it runs, enter shows it"
    if found.row is not None and found.row.listed("backups") and found.row.newest is None:
        return "it has no usable point, so there is nothing to prove"
    return "p proves its newest usable point"


def _other(found: Proven, now: datetime) -> list[Line]:
    """A restore with checks that was no proof, where it is newer: it came back, but no rung was climbed."""
    row, last = found.row, found.last
    if row is None or not row.last_verdict_at or (last and last.view.ended >= row.last_verdict_at):
        return []
    ago = times.age(row.last_verdict_at, now)
    return [line(muted("   restored and checked "), f"{ago} ago", muted(", not in a quarantine:  "),
                 status.verdict(row.last_verdict))]  # fmt: skip


def wrong(record: ProofRecord, width: int, *, gist: bool = False) -> list[Line]:
    """Everything that is not as it should be: what was left behind first, then why, causes, and what to do next.
    ``gist``: of the causes the first one, without what was seen."""
    lines = [part for one in record.left for part in wrap(f"✗ LEFT BEHIND: {one}", width - 1, Tone.BAD, 3)]
    for target in record.targets:
        if target.result is Reached.MISSED:
            words = f"{target.name.upper()} missed: {times.measured(target.actual_seconds)}"
            objective = times.duration(target.objective_seconds)
            lines += wrap(f"✗ {words}, and {objective} is the target", width - 1, Tone.BAD, 3)
    held_back = () if record.control else record.not_green  # a control is never about the point
    lines += [part for one in held_back for part in wrap(f"▲ never green: {one}", width - 1, Tone.WARN, 3)]
    lines += [part for one in record.deviations for part in wrap(f"▲ {one}", width - 1, Tone.WARN, 3)]
    if gist:
        return lines + _gist(record.troubles, width)
    return lines + [part for one in record.troubles for part in trouble(one, width)]


def trouble(found: Trouble, width: int) -> list[Line]:
    """Where → what was seen → what it means → what to do."""
    lines = [line("   ", strong(found.where))]
    if found.cause:
        lines += wrap(f"✗ {found.cause}", width - 1, Tone.BAD, 5)
    lines += wrap(found.seen[:1500], width - 1, Tone.MUTED, 5)
    return lines + (wrap(f"→ {found.advice}", width - 1, Tone.ACCENT, 5) if found.advice else [])


def _red(found: Proven, now: datetime, width: int, *, gist: bool) -> list[Line]:
    """What was wrong with the last proof, and what to do: about a cause, about the step at which it stopped, or else
    where to look for a point that comes back."""
    last = found.last
    if last is None or last.record is None:
        return []
    lines = [*wrong(last.record, width, gist=gist), *stop_hint(last.view.hint, width)]
    advised = last.view.hint or any(one.advice for one in last.record.troubles) or _instead(found, now)
    lost = last.verdict is Verdict.FAILED and not advised
    return [*lines, *(wrap(ELSEWHERE, width - 1, Tone.ACCENT, 3) if lost else [])]


def stop_hint(words: str, width: int) -> list[Line]:
    return wrap(f"→ {words}", width - 1, Tone.ACCENT, 3) if words else []


def _gist(troubles: Sequence[Trouble], width: int) -> list[Line]:
    """The first cause and what to do about it, a line each."""
    if not troubles:
        return []
    first, room = troubles[0], width - 4
    more = f", and {len(troubles) - 1} more" if len(troubles) > 1 else ""
    words = f"{status.BAD} {first.cause or first.seen[:200]}: {first.where}{more}"
    advice = [line("   ", span(f"→ {first.advice}", Tone.ACCENT, room))] if first.advice else []
    return [line("   ", span(words, Tone.BAD, room)), *advice]


def card(
    found: Proven | None, now: datetime, width: int, room: int, queued: Sequence[Line] = ()
) -> list[Line]:  # fmt: skip
    """For below the list, in ``room`` lines: what is ``queued`` of it, the ladder, what was wrong, and with room left
    where the time went."""
    if found is None or room < 2:
        return []
    ways = [_card(found, now, width, queued, whole=whole, judged=judged, gist=gist) for whole, judged, gist in _WAYS]
    lines = next((way for way in ways if len(way) <= room), None)
    if lines is None:
        hidden = how_many(len(ways[-1]) - room + 1, "more line")
        return [*ways[-1][: room - 1], line(muted(f"   … {hidden}: enter, then enter on the proof, shows all"))]
    spent = _spent(found, now, width)
    return lines + (spent if len(lines) + len(spent) <= room else [])


def _card(
    found: Proven, now: datetime, width: int, queued: Sequence[Line], *, whole: bool, judged: bool, gist: bool
) -> list[Line]:  # fmt: skip
    """``judged``: only the rungs that were, so that causes come before what was not looked at."""
    last = found.last
    climbed = _climbed(found, now, width, whole=whole)
    if judged and width < _WIDE and last is not None and last.ladder is not None:
        looked = [n for n, rung in enumerate(last.ladder.rungs, 1) if rung.verdict is not Verdict.NOT_TESTED]
        climbed = climbed[: len(climbed) - len(last.ladder.rungs) + max(looked, default=0)]
    lines = [headline(found, now), *_instead(found, now), *queued, *climbed]
    lines += _red(found, now, width, gist=gist)
    return lines + _controlled(found, now, width)


def _climbed(found: Proven, now: datetime, width: int, *, whole: bool) -> list[Line]:
    """The ladder, and the trend beside it where there is room. ``whole``: no reason is cut on a narrow terminal."""
    if width < _WIDE:
        return rungs(found, now, width, whole=whole)
    column = max(_LEAST, min(_MOST, width - 90))
    return beside(rungs(found, now, column, whole=True), _trend(found, width - column - 2), column + 2)


def _spent(found: Proven, now: datetime, width: int) -> list[Line]:
    """The waterfall of the newest proof that was measured; where that is not the last one, how long ago it was."""
    run = next((run for run in found.runs if run.counts and run.rta is not None), None)
    if run is None or not (drawn := waterfall.lines(run.view.phases, width)):
        return []
    before = "" if run is found.last else f" in the proof {times.coarse(run.view.ended, now)} ago"
    words = f" Where the time went{before}: {times.measured(run.rta)} from {run.about.point}"
    return [BLANK, heading(words[: width - 1]), *drawn]


def _controlled(found: Proven, now: datetime, width: int) -> list[Line]:
    run = found.control
    if run is None or run.verdict is Verdict.PASSED or run.record is None:
        return []
    ago = times.age(run.view.ended, now)
    tone = Tone.BAD if run.verdict is Verdict.FAILED else Tone.WARN
    return wrap(f"{status.verdict(run.verdict).text[0]} negative control {ago} ago: {run.record.words}",
                width - 1, tone, 3)  # fmt: skip


def top(found: Proven, now: datetime, width: int, room: int) -> list[Line]:
    """For above the runs, in at most ``room`` lines: the ladder, what was wrong and what to do next, the trend, and
    where the time went: as much of it as fits."""
    head, said = headline(found, now), _controlled(found, now, width)
    drawn, spent = _trend(found, width), _spent(found, now, width)
    bad, gist = (_red(found, now, width, gist=short) for short in (False, True))
    if width >= _WIDE:
        wide = [head, BLANK, *_climbed(found, now, width, whole=True), *said]
        ways = [[*wide, *bad, *spent], [*wide, *bad], [*wide, *gist], wide]
    else:
        long, short = ([head, *rungs(found, now, width, whole=whole), *said] for whole in (True, False))
        ways = [[*long, *bad, *drawn, *spent], [*long, *bad, *drawn], [*short, *bad, *drawn], [*short, *gist, *drawn],
                [*short, *drawn], [*short, *gist], short]  # fmt: skip
    return next((way for way in ways if len(way) <= room), ways[-1][:room])


def _trend(found: Proven, width: int) -> list[Line]:
    runs: Sequence[Run] = proofs.measured_runs(found)
    bars = [trend.Bar(run.rta, run.verdict) for run in runs]
    target = next((t.objective_seconds for run in reversed(runs) if (t := run.target("rto"))), None)
    drawn = trend.plot(bars, target, min(width, 100))
    if not drawn:
        return []
    words = f", target {times.duration(target)}" if target else ""
    return [heading(f" Back in: the last proofs{words}"), *drawn]


def beside(left: Sequence[Line], right: Sequence[Line], column: int) -> list[Line]:
    """Two blocks side by side, the right one from cell ``column`` on."""
    found = []
    for at in range(max(len(left), len(right))):
        first = left[at] if at < len(left) else BLANK
        second = right[at] if at < len(right) else BLANK
        gap = span(" " * max(1, column - len(plain(first))), limit=300)
        found.append((*first, gap, *second) if second else first)
    return found
