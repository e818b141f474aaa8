"""Entry point of ``lazarus``: global options in any position, one exit-code table, the console without detours.

Exit codes (design.md §11): 0 ok · 1 unexpected · 2 failed, start state kept · 3 left changed · 4 inconclusive ·
5 refused in preflight · 64 usage · 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from lazarus_tui.cli.session import Session, say_error

_FLAGS = {"--sandbox"}
_VALUED = {"--context", "--kubeconfig"}


def hoist(arguments: Sequence[str]) -> list[str]:
    """Move the global options to the front, so that they work in any position; nothing after ``--`` is touched."""
    front: list[str] = []
    rest: list[str] = []
    index = 0
    while index < len(arguments):
        word = arguments[index]
        if word == "--":
            rest.extend(arguments[index:])
            break
        if word in _FLAGS or any(word.startswith(f"{name}=") for name in _VALUED):
            front.append(word)
        elif word in _VALUED and index + 1 < len(arguments):
            front.extend(arguments[index : index + 2])
            index += 1
        else:
            rest.append(word)
        index += 1
    return front + rest


def console_session(words: Sequence[str]) -> Session | None:
    """The session of a command line that only opens the console; None when it says more than global options.

    The console is waited for more than any command: it starts without loading the command line.
    """
    session = Session()
    rest = list(words)
    while rest:
        name, _, value = rest.pop(0).partition("=")
        if name in _VALUED and not value and rest:
            value = rest.pop(0)
        if name == "--sandbox" and not value:
            session.sandbox = True
        elif name == "--context" and value:
            session.context_name = value
        elif name == "--kubeconfig" and value:
            session.kubeconfig = value
        else:
            return None
    return session


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; every failure is one clear sentence on stderr."""
    words = hoist(sys.argv[1:] if arguments is None else arguments)
    os.umask(0o077)
    code = run(words)
    if arguments is None:
        _leave(code)
    return code


def run(words: list[str]) -> int:
    """The exit code of hoisted ``words``."""
    try:
        session = None if "_LAZARUS_COMPLETE" in os.environ else console_session(words)
        if session is not None:
            from lazarus_tui.cli.console import open_console

            return open_console(session)
        from lazarus_tui.cli.root import run_verb

        return run_verb(words)
    except KeyboardInterrupt:
        say_error("interrupted; an operation that was started goes on in the engine")
        return 130
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the reader is gone; the interpreter flushes at exit
        return 0
    except Exception as error:
        from lazarus_tui.cli.failure import code_for

        return code_for(error, sandbox="--sandbox" in words)


def _leave(code: int) -> None:
    """Flush and go: nothing a command leaves behind needs the interpreter's slow shutdown."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
