"""The product's console on a given socket, as ``lazarus`` starts it on a warm engine."""

from __future__ import annotations

import sys
from pathlib import Path

from lazarus_tui.launch import console

if __name__ == "__main__":
    sys.exit(console(Path(sys.argv[1]), context=None))
