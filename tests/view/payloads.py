"""Hostile texts: what an object's name, a label, a log line or an error may hold."""

from __future__ import annotations

PAYLOADS = (
    "\x1b]52;c;cm0gLXJmIC8=\x07", "\x1b]0;owned\x07", "\x1b[2J\x1b[H", "\x1b[31mred", "\x1bc", "\x1b[?1049h", "\x1b[6n",
    "\x1bP$q\x1b\\", "\x9b2J", "\x90tmux;\x9c", "\x85next", "[/foo]", "[bold]x[/bold]", "[@click=app.exit]x[/]",
    "[link=file:///etc/passwd]x[/link]", "[red", "\\[x]", "$(reboot)", "\u202egnp.exe", "a\u2066b\u2069c",
    "\u200bhidden",
    "z\u0335\u0336\u0337\u0338\u0339\u0340\u0341a\u0335lgo" + "\u0300" * 400, "line\u2028break\u2029",
    "tab\tand\nnewline",
    "carriage\rreturn", "\x00nul", "\x7fdel", "\ud800lone", "\ufeffbom", "\u3164filler", "👨\u200d👩\u200d👧family",
    "日本語" * 60,
    "x" * 100_000, "\U000e0041tag", "e\u0301", "\ufe0f\ufe0f", ":q", "ctrl+c", "q", "\x03", "\x1a", "\x04",
)  # fmt: skip
