"""A restore in place while its workload is down: how many replicas there are, and the words nobody may miss."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.downtime import Rows, at_zero, replicas, wanted
from lazarus_tui.model.downtime import concerns as concerns
from lazarus_tui.model.downtime import recorded as recorded
from lazarus_tui.model.downtime import row_of as row_of
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.topics import WorkloadRow
from lazarus_tui.view import operations, times
from lazarus_tui.view.text import Line, Span, Tone, line, muted, plain, span, wrap

# How Lazarus is called where the operation is known: the sandbox has an engine and a journal of its own.
LAZARUS, IN_SANDBOX = "lazarus", "lazarus --sandbox"
# More restores at zero than this are counted.
_SHOWN = 2


def count_words(operation: Operation, row: WorkloadRow | None) -> str:
    """``prod/db is at 0 of 3 replicas``."""
    there, total = replicas(operation, row), wanted(operation)
    if there is None:
        had = f"; it had {total}" if total is not None else ""
        return f"{operation.target}: how many replicas it has is not known here{had}"
    return f"{operation.target} is at {there}{f' of {total}' if total is not None else ''} replicas"


def count_line(operation: Operation, row: WorkloadRow | None) -> list[Line]:
    """The line of the operation's own screen, as long as it is open; nothing for other operations."""
    if not concerns(operation):
        return []
    there, total = replicas(operation, row), wanted(operation)
    well = there is not None and (there == total or (total is None and there > 0))
    tone = Tone.PLAIN if well else Tone.WARN
    mark = "" if tone is Tone.PLAIN else "▲ "
    return [line(" ", span(f"{mark}{count_words(operation, row)}", tone))]


def _instruction(operation: Operation, command: str) -> str:
    op = operation.id[:8]
    if operation.state is OpState.PARKED:
        if_gone = "if that one is gone: " if operation.foreign else ""
        return f"{if_gone}{command} resume {op}  or  {command} undo {op}; here: 5, then r or u"
    if operation.state is OpState.UNDOING:
        return f"it goes on by itself; to see it: {command} watch {op}, or 5"
    if operation.state is OpState.LEFT_CHANGED:
        return f"what is left to do: {command} operation show {op}; to try again: {command} undo {op}"
    return f"it goes on by itself; to go back: {command} undo {op}, or 5, then u"


def _state(operation: Operation) -> str:
    if operation.state is OpState.PARKED:
        return "another Lazarus restores it" if operation.foreign else "its restore waits for you"
    if operation.state is OpState.UNDOING:
        return "its restore is being taken back"
    return "its restore stopped" if operation.state is OpState.LEFT_CHANGED else "its restore runs"


def _warning(operation: Operation, here: str, now: datetime, width: int, command: str) -> list[Line]:
    total = wanted(operation)
    tone = Tone.WARN if operations.moves(operation) else Tone.BAD
    stopped = operation.facts.get("stop.at")
    down = isinstance(stopped, str) and operation.state is not OpState.UNDOING
    since = f" since {times.clock(str(stopped), now)}" if down else ""
    if not down and operation.foreign:  # when it was stopped is in another journal; its capsule says when it began
        since = f", restore begun {times.clock(operation.started, now)}"
    where = f" in {operation.context}" if operation.context != here else ""
    head: list[Span | str] = [
        span(f" ▲ {operation.target} IS AT 0{f' OF {total}' if total else ''} REPLICAS", tone),
        f"{where}{since}: {_state(operation)}",
    ]
    found = operations.current(operation)
    step = muted(f"  step {found[0]}/{len(operation.steps)} {found[1].title}" if found else "")
    short, whole = line(*head), line(*head, step)
    fits = [one for one in (whole, short) if len(plain(one)) <= width]
    first = fits[:1] or wrap(plain(short).strip(), width, tone, 1)  # never cut in the middle of what matters
    return [*first, *wrap(f"→ {_instruction(operation, command)}", width - 1, Tone.ACCENT, 3)]


def _down(operation: Operation, rows: Rows, here: str) -> bool:
    return at_zero(operation, row_of(operation, rows) if operation.context == here else None)


def alarms(operation: Operation, rows: Rows, here: str) -> bool:
    """Whether its workload is at zero and nothing goes on by itself."""
    return not operations.moves(operation) and _down(operation, rows, here)


def banner(
    found: Iterable[Operation], rows: Rows, here: str, now: datetime, width: int, command: str = LAZARUS
) -> list[Line]:
    """Over every pane while a restore has its workload at zero. ``rows``: of the context ``here``, as followed now."""
    # Of one workload the newest restore: an older one that another Lazarus began may have ended there.
    newest = {
        (each.context, each.target): each for each in sorted(found, key=lambda each: each.started) if concerns(each)
    }
    down = [each for each in newest.values() if _down(each, rows, here)]
    down.sort(key=lambda each: (operations.moves(each), each.started))
    lines = [part for each in down[:_SHOWN] for part in _warning(each, here, now, width, command)]
    if len(down) > _SHOWN:
        more = how_many(len(down) - _SHOWN, "more workload is", "more workloads are")
        lines.append(line(span(f" ▲ and {more} at 0: 5 shows them", Tone.BAD)))
    return lines


def last_line(operation: Operation, row: WorkloadRow | None = None, command: str = LAZARUS) -> str:
    """The last line of a command that leaves a workload at zero, plain ASCII; "" when it does not."""
    if operations.moves(operation) or not at_zero(operation, row):
        return ""
    total, found, op = wanted(operation), operations.current(operation), operation.id[:8]
    step = f", step {found[1].name}" if found else ""
    verb = "resume" if operation.state is OpState.PARKED else "undo"
    was = f" (wanted {total})" if total is not None else ""
    text = f"LAZARUS: {operation.target} IS AT 0 REPLICAS{was}, op {op}{step}, run: {command} {verb} {op}"
    return text.encode("ascii", "replace").decode()
