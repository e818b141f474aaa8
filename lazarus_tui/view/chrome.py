"""What surrounds every place: the identity line, the places line, the banner over old data, the keys at the bottom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from lazarus_tui.model.topics import ContextRow
from lazarus_tui.view import times
from lazarus_tui.view.actions import MODES, Action, key_words
from lazarus_tui.view.reasons import Situation, armed
from lazarus_tui.view.sanitise import clean
from lazarus_tui.view.source import LinkState, TopicState
from lazarus_tui.view.text import Line, Span, Tone, accent, line, muted, plain, span, strong, wrap


def spread(left: Sequence[Span], right: Sequence[Span], width: int) -> Line:
    """``left`` and ``right`` at both ends of ``width`` cells; the right end is dropped when there is no room."""
    room = width - len(plain(tuple(left))) - len(plain(tuple(right)))
    if room < 1:
        return tuple(left)
    return (*left, span(" " * room, limit=1000), *right)


def uid(text: str) -> str:
    """A cluster's identity, short enough to be read aloud."""
    return text.replace("-", "")[:8]


def _mode_chip(context: ContextRow, now: datetime) -> Span:
    if context.sandbox:
        return span(f"SANDBOX ×{context.time_factor:g}", Tone.ACCENT)
    if not armed(context, now):
        return span("READ-ONLY", Tone.GOOD)
    left = times.moment(context.write_until)
    words = times.duration((left - now).total_seconds()).rstrip("s") if left else "always"
    return span(f"▲ ARMED {words.partition('m')[0] + 'm' if 'm' in words else words}", Tone.WARN)


def header(context: ContextRow | None, link: LinkState, now: datetime, width: int) -> Line:
    """Who we are talking to: context, cluster uid, Velero, whether changes are possible, and the link."""
    left: list[Span] = [span(" "), strong("lazarus"), span("  ")]
    if context is None:
        left.append(muted("no context"))
    else:
        left.append(accent(context.name[:40]))
        if context.cluster_uid:
            left.append(muted(f"  {uid(context.cluster_uid)}"))
        if context.velero_namespace:
            place = "" if context.velero_namespace == "velero" else f" in {context.velero_namespace[:20]}"
            left.append(muted(f"  velero {context.velero_version or '?'}{place}"))
    right: list[Span] = []
    if context is not None:
        right += [_mode_chip(context, now), span("  ")]
    right += [_link_chip(link, context), span(" ")]
    while left and len(plain(tuple(left))) + len(plain(tuple(right))) >= width and len(left) > 4:
        left.pop()
    return spread(left, right, width)


def _link_chip(link: LinkState, context: ContextRow | None) -> Span:
    if link in (LinkState.LOST, LinkState.REFUSED):
        return span("✗ engine gone", Tone.BAD)
    if link is LinkState.CONNECTING:
        return span("○ connecting", Tone.MUTED)
    if context is None:
        return span("○ waiting", Tone.MUTED)
    words = {"ready": ("● live", Tone.GOOD), "stale": ("▲ stale", Tone.WARN), "failed": ("✗ unreachable", Tone.BAD)}
    return span(*words.get(context.state, (f"○ {context.state}", Tone.MUTED)))


def places(mode: str, right: Iterable[Span], active: int, width: int, waiting: int = 0) -> Line:
    """The places with their keys; at operations stands what is open right now, or waits for a person.

    When the right end needs the room, the other places shrink: to their short names, to four letters, then to two.
    """
    ends = [*right, span(" ")]
    gap = "   " if width >= 100 else "  "
    chip = f" ▲{waiting} waits" if waiting else f" ▶{active}" if active else ""
    room = width - len(plain(tuple(ends))) - 2  # a number close to a place would be read as its number
    shown = [_places(mode, chip, gap, cut) for cut in _CUTS]
    fits = next((each for each in shown if len(plain(tuple(each))) < room), shown[-1])
    return spread(fits, ends, width)


_SHORT = {"schedules": "Sched", "operations": "Ops", "snapshots": "Snaps"}
# How a place is written, by its name and whether it is the one that is shown: the first of these that fits.
_CUTS: tuple[Callable[[str, bool], str], ...] = (
    lambda name, here: name.capitalize(),
    lambda name, here: _SHORT.get(name, name.capitalize()),
    lambda name, here: name.capitalize()[: None if here else 4],
    lambda name, here: name.capitalize()[: None if here else 2],
)


def _places(mode: str, chip: str, gap: str, cut: Callable[[str, bool], str]) -> list[Span]:
    parts: list[Span] = [span(" ")]
    for number, name in enumerate(MODES, 1):
        here = name == mode
        label = cut(name, here) + (chip if name == "operations" else "")
        parts += [span(f"{number} ", Tone.ACCENT if here else Tone.MUTED)]
        parts += [span(label, Tone.STRONG if here else Tone.MUTED), span(gap)]
    return parts[:-1]


def crumbs(mode: str, trail: Sequence[str], right: Iterable[Span], width: int) -> Line:
    """``2 Backups › name › describe``: where one is below a place."""
    parts: list[Span] = [span(" ")]
    if mode in MODES:
        parts += [muted(f"{MODES.index(mode) + 1} "), muted(mode.capitalize()), muted(" › ")]
    for at, name in enumerate(trail):
        last = at == len(trail) - 1
        parts.append(span(name, Tone.STRONG if last else Tone.PLAIN, max(12, width - 40)))
        parts += [] if last else [muted(" › ")]
    return spread(parts, [*right, span(" ")], width)


def banner(state: TopicState | None, link: LinkState, reason: str, now: datetime, width: int = 80) -> list[Line]:
    """Over data that may be old: how old, why, and that it is being retried. Nothing when all is well."""
    if link in (LinkState.LOST, LinkState.REFUSED):
        seen = f"; what you see is {times.age(state.as_of, now)} old" if state and state.as_of else ""
        first = line(span(" ▲ the engine does not answer", Tone.WARN), muted(f"{seen}; trying again"))
        return [first, *wrap(clean(reason, 400), width - 1, Tone.MUTED, 3)[:3]]
    if state is not None and state.state == "stale":
        return _stale(state, now, width)
    return []


def _stale(state: TopicState, now: datetime, width: int) -> list[Line]:
    """How old, why, and what helps; a reason that does not fit beside the age stands below it, to its end."""
    head = span(f" ▲ STALE {times.age(state.as_of, now, 'unknown time')}", Tone.WARN)
    reason = clean(f"{state.reason}; trying again", 400)
    beside = line(head, muted(f"  {reason}"))
    found = [beside] if len(plain(beside)) <= width else [(head,), *wrap(reason, width - 1, Tone.MUTED, 3)[:4]]
    return found + (wrap(f"→ {state.hint}", width - 1, Tone.MUTED, 3)[:2] if state.hint else [])


def footer(actions: Iterable[Action], situation: Situation, width: int) -> Line:
    """Keys and labels, as many as fit; what cannot be done now is grey (pressing it says why)."""
    shown = sorted((a for a in actions if a.footer), key=lambda a: a.footer)
    keep = [a for a in shown if a.id in ("command", "filter", "help")]
    parts: list[Span] = [span(" ")]
    used, limit = 1, width - sum(_wide(a) for a in keep)
    for action in [*[a for a in shown if a not in keep], *keep]:
        wide = _wide(action)
        if action not in keep and used + wide > limit:
            continue
        off = action.disabled_reason(situation) is not None
        key = span(key_words(action), Tone.MUTED if off else Tone.ACCENT)
        parts += [key, span(f" {action.label}  ", Tone.MUTED if off else Tone.PLAIN)]
        used += wide
    return tuple(parts)


def dialog_keys(*pairs: tuple[str, str]) -> Line:
    """Keys of a place that is a dialog: (key, what it does)."""
    return line(" ", *(part for key, words in pairs for part in (accent(key), span(f" {words}   "))))


def _wide(action: Action) -> int:
    return len(key_words(action)) + len(action.label) + 3
