"""Who decides: the user this engine works for, on this machine. Its socket and its files are that user's alone."""

from __future__ import annotations

import getpass
import os
import socket


def person() -> str:
    """``user@host``; the number of a user that has no name here (an arbitrary uid in a container)."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):
        name = f"uid{os.getuid()}" if hasattr(os, "getuid") else "unknown"
    return f"{name}@{socket.gethostname()}"
