"""``python -m lazarus_tui.cli``: the same as ``lazarus``."""

from lazarus_tui.cli.main import main

main()
