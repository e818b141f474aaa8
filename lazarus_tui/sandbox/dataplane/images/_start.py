"""Starts a program of the catalogue as a child that cannot outlive the sandbox: ``_start.py PARENT PROGRAM ARGS…``."""

import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def _die_with(parent: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it died before the call above
        os._exit(137)


def _take_terminal() -> None:
    """A program on a terminal is ended by its ^C, like any other in a session of its own."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    _die_with(int(sys.argv[1]))
    if os.isatty(0):
        _take_terminal()
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")
