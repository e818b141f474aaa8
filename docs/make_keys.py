"""Writes ``docs/keys.md`` from the console's action table: ``python docs/make_keys.py``. A test keeps the two equal."""

from __future__ import annotations

from pathlib import Path

from lazarus_tui.view.actions import ACTIONS, Action

HEAD = """# Keys

Made from the action table that the footer, the help (`?`) and the palette (`ctrl+p`) are made from. An action that
cannot be used now is greyed, and its key says why.

"""
_NAMES = {
    "colon": ":",
    "slash": "/",
    "question_mark": "?",
    "escape": "esc",
    "ctrl+backslash": "ctrl+\\",
    "ctrl+@": "ctrl+space",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
}


def _key(action: Action) -> str:
    return f"`{_NAMES.get(action.keys[0], action.keys[0])}`"


def text() -> str:
    """The whole page."""
    rows = [f"| {_key(a)} | {a.label} | {a.help} | {', '.join(sorted(a.modes)) or 'everywhere'} |" for a in ACTIONS]
    return HEAD + "\n".join(["| key | action | what it does | where |", "|---|---|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("keys.md").write_text(text(), encoding="utf-8")
