"""The help pane, generated from the action table."""

from __future__ import annotations

from lazarus_tui.model.plan import Danger
from lazarus_tui.view.actions import ACTIONS, MODES, Action, key_words
from lazarus_tui.view.text import BLANK, Line, Tone, accent, heading, line, muted, span

_MOVING = (
    ("↑ ↓  j k", "one row"),
    ("PgUp PgDn", "one page; ^b ^f too"),
    ("g  G", "first and last"),
    ("N S A O", "sort by the column that carries the letter; again turns it round"),
    ("n  N", "in a text: next and previous match"),
    ("← →", "in a text: long lines sideways"),
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


def _row(key: str, words: str, mark: str = "") -> Line:
    return line("   ", accent(f"{key:<26}"), span(words, limit=200), span(f"  {mark}", Tone.WARN) if mark else "")


def _action(action: Action) -> Line:
    keys = key_words(action)
    marks = {Danger.CHANGES: "changes", Danger.DESTROYS: "destroys"}
    return _row(f"{keys:<6} {action.label}", action.help, marks.get(action.danger, ""))


def lines(mode: str) -> list[Line]:
    """Help for one place first, then what holds everywhere."""
    here = [action for action in ACTIONS if action.modes and action.offered(mode)]
    everywhere = [action for action in ACTIONS if not action.modes]
    found = [BLANK, heading(f" {mode.capitalize()}"), *map(_action, here)] if here else []
    found += [BLANK, heading(" Everywhere"), *map(_action, everywhere), _row("^p     palette", "every action by name")]
    found += [BLANK, heading(" Moving"), *(_row(*each) for each in _MOVING)]
    found += [BLANK, heading(" : and /"), *(_row(*each) for each in _GRAMMAR)]
    found += [BLANK, line(muted(f"   places: {', '.join(MODES)}")), line(muted(
        "   Every pane has a command too: lazarus --help. Leaving the console stops no operation."))]  # fmt: skip
    return found
