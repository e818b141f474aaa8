"""The last words of a console that failed: where in Lazarus and what kind of error; no variable of the program."""

from __future__ import annotations

import sys
import traceback


def report() -> str:
    """The stack of the exception being handled, as files, lines and functions; the message is capped and cleaned."""
    from lazarus_tui.view.sanitise import clean

    kind, error, trace = sys.exc_info()
    frames = traceback.extract_tb(trace)[-12:]
    lines = [f"  {frame.filename}:{frame.lineno} in {frame.name}" for frame in frames]
    name = kind.__name__ if kind else "error"
    head = "lazarus: the console failed; operations go on in the engine, and lazarus shows them again."
    return "\n".join([head, *lines, f"{name}: {clean(error, 200)}", ""])
