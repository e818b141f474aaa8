"""Why an engine that is asked to end does not, in words: something is open, or only it tries to thaw an application."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lazarus_tui.model.freezes import began_here, frozen_words, pods_held
from lazarus_tui.model.operation import Operation, OpState


def refusal(running: Sequence[Operation], now: datetime, *, park: bool, sandbox: bool) -> tuple[str, str] | None:
    """What stands against it, and what to do; None when it may end. ``running``: open operations.

    A sandbox goes with its engine, so nothing in it stays frozen.
    """
    stuck = next((each for each in running if each.state is OpState.PARKED and began_here(each)), None)
    if stuck is not None and not sandbox:
        hint = f"thaw it by hand, then: lazarus operation close {stuck.id[:8]} --confirm {stuck.target}"
        return f"{frozen_words(stuck, now)}, and nobody else tries to thaw it", hint
    if park or not running:
        return None
    first = next((each for each in running if pods_held(each)), running[0])
    frozen = frozen_words(first, now)
    thaws = f": {frozen}; the engine thaws it, with --park before it ends" if frozen else ""
    return f"operation {first.id} ({first.title}) is open{thaws}", f"lazarus watch {first.id}, or stop with --park"
