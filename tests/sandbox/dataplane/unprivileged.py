"""A program for a test: makes a pod's namespaces and sockets as an ordinary user without one capability.

``unprivileged.py KEEPER``: KEEPER is the path of keeper.py. Says ``made``, or what was forbidden.
"""

from __future__ import annotations

import codecs
import contextlib
import ctypes
import os
import sys
from typing import Any

_NOBODY, _PR_SET_DUMPABLE = 65534, 4


def made(keeper: Any) -> str:
    try:
        with contextlib.suppress(PermissionError):  # an ordinary user, or the root of some container, already
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
            ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # as for a program that this user has started
        user, net = keeper._settle([])
        assert user > 0
        _, inside = keeper.open_namespaces("127.42.0.2")
        errors, _ = keeper.make_sockets(inside, net, [["listen", "0.0.0.0", 443], ["udp", "127.43.255.10", 53]])
        return "made" if errors == ["", ""] else str(errors)
    except OSError as fault:
        return str(fault.strerror or fault).rpartition(": ")[2]


if __name__ == "__main__":
    codecs.lookup("ascii")  # this user may not be allowed to read the library any more
    sys.path.insert(0, os.path.dirname(sys.argv[1]))
    import keeper  # type: ignore[import-not-found]

    sys.stdout.write(made(keeper))
