"""The engine's own parts, where one of them does not run as it should: a line or two over every pane."""

from __future__ import annotations

from lazarus_tui.model.parts import DOWN, RUNNING, Part
from lazarus_tui.view.downtime import LAZARUS
from lazarus_tui.view.sanitise import clean
from lazarus_tui.view.source import LinkState, TopicState
from lazarus_tui.view.text import Line, Tone, wrap


def banner(state: TopicState, link: LinkState, width: int, command: str = LAZARUS) -> list[Line]:
    """The worst of them and how many more; nothing when all run, or when the engine does not answer anyway."""
    if link is not LinkState.CONNECTED:
        return []
    if state.state == "failed":
        text = f"? whether the engine's parts run is not known: {state.reason}"
        return wrap(clean(text, 300), width - 1, Tone.MUTED, 3)[:2]
    bad = [part for part in state.records.values() if part.state != RUNNING]
    if not bad:
        return []
    worst = max(bad, key=lambda part: (part.state == DOWN, part.failures))
    more = f"; {len(bad) - 1} more" if len(bad) > 1 else ""
    text = f"▲ {_words(worst)}{more}. {command} doctor says more"
    return wrap(clean(text, 300), width - 1, Tone.BAD if worst.state == DOWN else Tone.WARN, 3)[:2]


def _words(part: Part) -> str:
    often = f"failed {part.failures} times" if part.failures > 1 else "failed"
    if part.state == DOWN:
        return f"In the engine {part.name} {often} ({part.why}) and is being started again"
    return f"In the engine {part.name} {often} ({part.why}) and was started again"
