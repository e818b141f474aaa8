"""What a shell at a terminal does for what it starts: no signal is ignored, whoever started the tests and how."""

from __future__ import annotations

import signal

# What nohup, a job in the background of a script and some runners of tests have ignored, and a child would go on so.
_OURS = (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def as_at_a_terminal() -> None:
    """For a child, between fork and exec."""
    for number in _OURS:
        signal.signal(number, signal.SIG_DFL)
