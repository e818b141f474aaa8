"""Colours. Calm by default: one accent, three signals, everything else is text or quieter text."""

from __future__ import annotations

from dataclasses import replace

from textual.theme import BUILTIN_THEMES, Theme

DARK = Theme(
    name="lazarus-dark",
    primary="#7aa2c4",
    secondary="#8fb8b0",
    accent="#8ab4d8",
    foreground="#c9d1d9",
    background="#0f1419",
    surface="#151b22",
    panel="#1a212a",
    success="#8fbc8b",
    warning="#d9b26f",
    error="#e5867a",
    dark=True,
    variables={
        "lz-muted": "#6e7b89",
        "lz-strong": "#eef2f6",
        "lz-cursor": "#243140",
        "lz-cursor-text": "#eef2f6",
        "lz-bar": "#1a212a",
        "lz-match": "#3b4a2f",
        "scrollbar": "#2b3642",
        "scrollbar-background": "#0f1419",
        "scrollbar-hover": "#3a4757",
        "scrollbar-active": "#3a4757",
    },
)

LIGHT = Theme(
    name="lazarus-light",
    primary="#2d5f8a",
    secondary="#2f6f66",
    accent="#2a6396",
    foreground="#2c333b",
    background="#faf8f4",
    surface="#f3f0ea",
    panel="#ebe7df",
    success="#3d7a3a",
    warning="#94640f",
    error="#b23a2e",
    dark=False,
    variables={
        "lz-muted": "#7d8590",
        "lz-strong": "#0f1419",
        "lz-cursor": "#dbe6f0",
        "lz-cursor-text": "#0f1419",
        "lz-bar": "#ebe7df",
        "lz-match": "#e6e3b8",
        "scrollbar": "#cfc9bd",
        "scrollbar-background": "#faf8f4",
        "scrollbar-hover": "#b8b1a3",
        "scrollbar-active": "#b8b1a3",
    },
)

ANSI_DARK = replace(BUILTIN_THEMES["ansi-dark"], name="lazarus-ansi-dark", accent="ansi_cyan")
ANSI_LIGHT = replace(BUILTIN_THEMES["ansi-light"], name="lazarus-ansi-light", accent="ansi_blue")
THEMES = (DARK, LIGHT, ANSI_DARK, ANSI_LIGHT)

# For the terminal's own sixteen colours: NO_COLOR, the Linux console, a line over SSH.
ANSI_VARIABLES = {
    "lz-muted": "ansi_bright_black",
    "lz-strong": "ansi_default",
    "lz-cursor": "ansi_blue",
    "lz-cursor-text": "ansi_bright_white",
    "lz-bar": "ansi_default",
    "lz-match": "ansi_yellow",
}

STYLES = """
.lz--plain { color: $foreground; }
.lz--strong { color: $lz-strong; text-style: bold; }
.lz--muted { color: $lz-muted; }
.lz--accent { color: $accent; }
.lz--good { color: $success; }
.lz--warn { color: $warning; }
.lz--bad { color: $error; text-style: bold; }
.lz--match { background: $lz-match; }
.lz--cursor { background: $lz-cursor; color: $lz-cursor-text; }
App:nocolor .lz--cursor, App:nocolor .lz--match { text-style: reverse; }
.lz--head { color: $lz-muted; }

Screen { background: $background; color: $foreground; overflow: hidden; }
#header { height: 1; background: $lz-bar; }
#places { height: 1; margin: 0 0 0 0; }
#footer { height: auto; dock: bottom; background: $lz-bar; }
#body { padding: 0; }
OverviewScreen #body { height: auto; min-height: 2; max-height: 1fr; }
ProofsScreen #body, PoliciesScreen #body { height: auto; min-height: 2; max-height: 1fr; }
OperationScreen #title { height: auto; }
OperationScreen #log-title { height: 1; }
OperationScreen #log { height: 26%; min-height: 4; }
OperationScreen.ended #log, OperationScreen.ended #log-title { display: none; }
OperationScreen.silent #log, OperationScreen.silent #log-title { display: none; }
Approval #choice, Filling #choice { margin: 0; }
Approval #typed { height: 1; border: none; padding: 0 1; background: $lz-cursor; }
Filling .space { height: 1; }
Notice { align: center middle; background: $background 60%; }
#notice { width: 72; max-width: 100%; height: auto; padding: 1 1; background: $lz-bar; }
"""


def other(name: str) -> str:
    """The dark or light sister of a theme."""
    return name.replace("-dark", "-light") if name.endswith("-dark") else name.replace("-light", "-dark")
