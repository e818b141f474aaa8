"""An application that a hook holds still is told of wherever a person could walk away from it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lazarus_tui.model.freezes import frozen_words, pods_held
from lazarus_tui.model.operation import Operation
from lazarus_tui.view import operations
from lazarus_tui.view.downtime import LAZARUS
from lazarus_tui.view.sanitise import clean
from lazarus_tui.view.text import Line, Tone, wrap


def frozen(found: Iterable[Operation]) -> list[Operation]:
    """Open ones that hold something, those that wait for a person first."""
    holding = [each for each in found if each.state.open and pods_held(each)]
    return sorted(holding, key=lambda each: (operations.moves(each), each.started))


def lines(
    operation: Operation, now: datetime, width: int, *, linked: bool = True, command: str = LAZARUS
) -> list[Line]:
    """Who is frozen since when, and who thaws it; nothing when nothing is held. ``linked``: the engine answers."""
    words = frozen_words(operation, now)
    if not words:
        return []
    tone = Tone.WARN if operations.moves(operation) and linked else Tone.BAD
    return wrap(clean(f"▲ {words}; {_who(operation, command, linked=linked)}", 400), width, tone, 3)


def _who(operation: Operation, command: str, *, linked: bool) -> str:
    if not linked:
        return f"the engine does not answer: if it died, the next one thaws it first thing, so start {command} again"
    if operations.moves(operation):
        return "the engine thaws it, whether a console is open or not"
    if operation.foreign:
        return f"nobody here thaws it: {command} operation show {operation.id[:8]} says how"
    return f"the engine tries on every 15 s: {command} operation show {operation.id[:8]} says why it is refused"


def banner(found: Iterable[Operation], now: datetime, width: int, command: str = LAZARUS) -> list[Line]:
    """Over every pane while something stays frozen although its operation does not go on."""
    stuck = [each for each in frozen(found) if not operations.moves(each)]
    return [part for each in stuck[:2] for part in lines(each, now, width - 1, command=command)]
