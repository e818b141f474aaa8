"""A program for Jobs and tests: ``task.py [sleep SECONDS] [write FILE] [say TEXT] [cat -] [exit CODE]``, in order."""

from __future__ import annotations

import os
import signal
import sys
import time

from wire import say  # type: ignore[import-not-found]


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    words = iter(sys.argv[1:])
    for word in words:
        value = next(words, "")
        if word == "sleep":
            time.sleep(float(value))
        elif word == "write":
            with open(os.path.join(os.environ.get("DATA_DIR", "."), os.path.basename(value)), "a") as file:
                file.write("written\n")
        elif word == "say":
            say(value)
        elif word == "cat":
            while data := os.read(0, 65536):
                os.write(1, data)
        elif word == "exit":
            sys.exit(int(value))
        else:
            say(f"unknown word: {word}")
            sys.exit(64)


if __name__ == "__main__":
    main()
