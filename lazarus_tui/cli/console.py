"""``lazarus`` without a command: open the console on the engine."""

from __future__ import annotations

import sys
from typing import Any

from lazarus_tui.cli.session import Session, say, say_error


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

    code = console(
        session.state_root().socket,
        context=session.context_name,
        kubeconfig=session.cluster_kubeconfig(),
        settings=client.hello.console,
        revive=lambda: session.fresh_client().close(),
    )
    _say_what_stays(session)
    return code


def _say_what_stays(session: Session) -> None:
    """What the engine stays for though nobody watches any more, so that nobody is surprised by either."""
    from lazarus_tui.cli.spawn import running_engine
    from lazarus_tui.link.codec import LinkFault, LinkLost
    from lazarus_tui.view.sanitise import clean

    try:
        client = running_engine(session.state_root())
        if client is not None:
            for kept in client.call("stats", {}, dict[str, Any], timeout=2.0).get("stays_for_kept", ()):
                say(clean(f"{kept}; the engine stays until then", 400))
            client.close()
    except (LinkFault, LinkLost):
        pass  # it ended with us, or is busy: lazarus engine status says it later
