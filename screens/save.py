"""Writes what a pane shows to a file of its own, for a ticket or a report."""

from __future__ import annotations

import os
import time
from pathlib import Path


def save_text(name: str, text: str) -> Path:
    """A new 0600 file ``lazarus-<name>-<UTC time>.txt`` in the current folder, else in the home folder."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    folder = Path.cwd() if os.access(Path.cwd(), os.W_OK) else Path.home()
    path = folder / f"lazarus-{name}-{stamp}.txt"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return path
