"""``lazarus`` without a command: open the console on the engine."""

from __future__ import annotations

import sys

from lazarus_tui.cli.session import Session, say_error


def open_console(session: Session) -> int:
    """Start what is needed, run the console, return its exit code."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        say_error("the console needs a terminal; every pane has a command too: lazarus --help")
        return 64
    # A sandbox that only this console started ends with it; `lazarus sandbox up` makes one that stays.
    session.ephemeral = True
    client = session.client()
    client.close()
    from lazarus_tui.launch import console

    return console(
        session.state_root().socket,
        context=session.context_name,
        kubeconfig=session.cluster_kubeconfig(),
        settings=client.hello.console,
        revive=lambda: session.fresh_client().close(),
    )
