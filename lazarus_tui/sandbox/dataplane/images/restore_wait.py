"""Velero's init container ``restore-wait``: ends when every volume under /restores holds ``.velero/<restore uid>``.

These folders are removed then, as Velero does it, so that no backup carries them on.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time

from wire import say  # type: ignore[import-not-found]


def waiting(root: str, uid: str) -> list[str]:
    """Names of the volumes whose data is not there yet."""
    try:
        volumes = sorted(os.listdir(root))
    except FileNotFoundError:
        return []
    return [name for name in volumes if not os.path.exists(os.path.join(root, name, ".velero", uid))]


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    root = os.path.join(os.environ.get("POD_ROOT", "/"), "restores")
    told: list[str] = []
    while missing := waiting(root, sys.argv[1]):
        if missing != told:
            say(f"waiting for {', '.join(missing)}")
            told = missing
        time.sleep(0.25)
    for name in os.listdir(root) if os.path.isdir(root) else ():
        shutil.rmtree(os.path.join(root, name, ".velero"), ignore_errors=True)
    say("all restores are done")


if __name__ == "__main__":
    main()
