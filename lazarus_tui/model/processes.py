"""Processes of this machine."""

from __future__ import annotations

import os
from pathlib import Path


def there(pid: int) -> bool:
    """Whether a process lives; one that has ended and that nobody has asked for its end does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:1]
    except OSError:
        return True  # no /proc, as on macOS
    return state != ["Z"]
