"""``lazarus completion``: shell completion scripts."""

from __future__ import annotations

import sys

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script for SHELL.

    For bash:  source <(lazarus completion bash)
    """
    from lazarus_tui.cli.root import root

    kind = get_completion_class(shell)
    assert kind is not None
    sys.stdout.write(kind(root, {}, "lazarus", "_LAZARUS_COMPLETE").source() + "\n")
