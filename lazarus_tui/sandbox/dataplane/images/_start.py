"""Starts a program of the catalogue as a child that cannot outlive the sandbox: ``_start.py PARENT PROGRAM ARGS…``.

PARENT is a process id; with ``:USER,NET`` behind it, descriptors of the namespaces of the program's pod.
With ``,NOBODY`` behind them, who is root there goes by that id and has the same files: some servers refuse root.
"""

import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38  # <linux/prctl.h>
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000  # <sched.h>
_CAPABILITIES_VERSION = 0x20080522  # <linux/capability.h>: _LINUX_CAPABILITY_VERSION_3


def _die_with(parent: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it died before the call above
        os._exit(137)


def _enter(user: int, net: int, nobody: int = 0) -> None:
    """Moves into the pod's namespaces, and gives away the rights that come with it: nobody returns from there."""
    import ctypes
    import struct

    library = ctypes.CDLL(None, use_errno=True)
    nothing = struct.pack("Ii", _CAPABILITIES_VERSION, 0), bytes(24)
    wrong = library.setns(user, _NEW_USER) or library.setns(net, _NEW_NET)
    if nobody and os.geteuid() == 0 and not wrong:
        wrong = library.unshare(_NEW_USER)
        for name in () if wrong else ("uid_map", "gid_map"):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(f"{nobody} 0 1")
    if wrong or library.capset(*nothing):
        code = ctypes.get_errno()
        sys.stderr.write(f"the pod's network cannot be entered: {os.strerror(code)}\n")
        os._exit(128)
    library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.close(user)
    os.close(net)


def _take_terminal() -> None:
    """A program on a terminal is ended by its ^C, like any other in a session of its own."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    number, _, namespaces = sys.argv[1].partition(":")
    if namespaces:
        _enter(*map(int, namespaces.split(",")))
    _die_with(int(number))  # after that: whoever changes its rights loses the signal
    if os.isatty(0):
        _take_terminal()
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")
