"""Failures of a command become one clear sentence (what, where, what next) and an exit code."""

from __future__ import annotations

import logging
import os
import sys

from lazarus_tui.cli.session import Refused, say_error
from lazarus_tui.link.protocol import Fault, exit_code


def code_for(error: Exception, *, sandbox: bool = False) -> int:
    """Print ``error`` for a person and return the exit code it stands for."""
    from lazarus_tui.link.client import LinkFault, LinkLost
    from lazarus_tui.model.paths import UnsafePath
    from lazarus_tui.view.sanitise import LINE_LIMIT, clean
    from lazarus_tui.view.typed import typed

    if isinstance(error, LinkFault | Refused):
        fault: Fault = error.fault
        say_error(clean(fault.what, LINE_LIMIT) + (f" ({clean(fault.where, LINE_LIMIT)})" if fault.where else ""))
        for line in fault.details:
            say_error(f"  {clean(line, LINE_LIMIT)}")
        if fault.hint:
            say_error(f"next: {clean(typed(fault.hint, sandbox=sandbox), LINE_LIMIT)}")
        return exit_code(fault.code)
    if isinstance(error, UnsafePath):
        say_error(str(clean(error.what, LINE_LIMIT)))
        say_error(f"next: {clean(error.hint, LINE_LIMIT)}")
        return exit_code("refused")
    if isinstance(error, LinkLost):
        say_error(f"the engine went away: {clean(str(error), LINE_LIMIT)}")
        say_error("next: run the command again; an open operation resumes by itself")
        return 1
    if isinstance(error, OSError):
        say_error(
            str(clean(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""), LINE_LIMIT))
        )
        return 1
    # The class and place, never local values: a traceback's locals may hold a token.
    frame = error.__traceback__
    while frame and frame.tb_next:
        frame = frame.tb_next
    where = f"{os.path.basename(frame.tb_frame.f_code.co_filename)}:{frame.tb_lineno}" if frame else "?"
    say_error(f"unexpected {type(error).__name__} at {where}; this is a defect of Lazarus")
    if os.environ.get("LAZARUS_DEBUG") == "1":
        logging.basicConfig(stream=sys.stderr)
        logging.exception("unexpected failure", exc_info=error)
    return 1
