"""The help pane, generated from the action table."""

from __future__ import annotations

from lazarus_tui.model.plan import Danger
from lazarus_tui.model.proofs import RUNGS
from lazarus_tui.view.actions import ACTIONS, MODES, Action, key_words
from lazarus_tui.view.text import BLANK, Line, Tone, accent, heading, line, muted, plain, span, wrap

# Beyond this many cells an eye loses the line.
_WIDE = 110
_MOVING = (
    ("↑ ↓  j k", "one row"),
    ("PgUp PgDn", "one page; ^b ^f too"),
    ("g  G", "first and last"),
    ("N S A O", "sort by the column that carries the letter; again turns it round"),
    ("n  N", "in a text: next and previous match"),
    ("← →", "in a text: long lines sideways"),
    ("0 1 2-6", "in a log: its end, its start, its last 1m 5m 15m 30m 1h; elsewhere digits are places"),
    ("s", "in an operation: follow what is newest, or stay where you are"),
    ("w", "in a text: long lines folded, or cut again"),
)
_SIGNS = (
    ("✓  ✗", "it passed or is well; it failed or is missing"),
    ("▲", "not sure (INCONCLUSIVE), or something wants a look"),
    ("○", "nobody has tried (NOT TESTED), or it waits"),
    ("▶  ●  ■", "it runs; in a ladder: looked at, not judged yet; it is over, and not well"),
    ("✓✓✓✓✗○○", f"the rungs of a ladder, in this order: {', '.join(RUNGS)}"),
    ("BACK IN, DATA LOST", "as measured when it was restored; ✓ or ✗: its target was held or missed"),
    ("CONTROL", "when checks last noticed a copy that was broken on purpose; while they do not, green means nothing"),
)
_GRAMMAR = (
    (":backups shop", "one namespace"),
    (":backups shop /daily", "and a filter"),
    (":backups @prod", "in another context"),
    (":ctx  :ops  :sc  :re  :q", "short forms; tab completes"),
    ("/x  /!x", "rows that match the expression, or do not"),
    ("/-l k=v,k!=v", "rows with these labels"),
    ("/-f abc", "rows with these letters in this order"),
)


def _row(key: str, words: str, mark: str = "", width: int = 120) -> list[Line]:
    width = min(width, _WIDE)
    first, *rest = wrap(words, width - 1 - (len(mark) + 2 if mark else 0), Tone.PLAIN, 29)
    gap = " " * (width - 1 - len(mark) - len(plain(first)))
    head = line("   ", accent(f"{key:<26}"), *first[1:], span(f"{gap}{mark}", Tone.WARN) if mark else "")
    return [head, *rest]


def _action(action: Action, width: int) -> list[Line]:
    keys = key_words(action)
    marks = {Danger.CHANGES: "changes", Danger.DESTROYS: "destroys"}
    return _row(f"{keys:<6} {action.label}", action.help, marks.get(action.danger, ""), width)


def lines(mode: str, width: int = 120) -> list[Line]:
    """Help for one place first, then what holds everywhere."""
    here = [action for action in ACTIONS if action.modes and action.offered(mode)]
    everywhere = [action for action in ACTIONS if not action.modes]
    found = [BLANK, heading(f" {mode.capitalize()}")] if here else []
    found += [part for each in here for part in _action(each, width)]
    found += [BLANK, heading(" Everywhere"), *(part for each in everywhere for part in _action(each, width))]
    found += _row("^p     palette", "every action by name")
    found += [BLANK, heading(" Moving"), *(part for each in _MOVING for part in _row(*each, width=width))]
    found += [BLANK, heading(" Signs and words"), *(part for each in _SIGNS for part in _row(*each, width=width))]
    found += [BLANK, heading(" : and /"), *(part for each in _GRAMMAR for part in _row(*each, width=width))]
    found += [BLANK, line(muted(f"   places: {', '.join(MODES)}")), line(muted(
        "   Every pane has a command too: lazarus --help. Leaving the console stops no operation."))]  # fmt: skip
    return found
