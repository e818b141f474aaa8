"""The engine's process: ``python -m lazarus_tui.engine.process run [--sandbox] [--kubeconfig P] [--context C]``.

It survives the terminal it was started from, writes nothing to it, and ends by itself when it is idle and unwatched.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Sequence

from lazarus_tui.engine import memory

# Exit codes: 0 ended as asked or idle · 1 could not start · 75 (EX_TEMPFAIL) another engine does this work already.
OK, FAILED, ALREADY = 0, 1, 75

# Seconds after those that running work gets to stop, until the process is gone, whatever hangs.
LET_GO = 5.0

log = logging.getLogger("lazarus_tui.engine")


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lazarus_tui.engine.process")
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="run the engine")
    run.add_argument("--sandbox", action="store_true", help="the engine of the sandbox, with a state root of its own")
    run.add_argument("--kubeconfig", default="", help="path list of kubeconfig files")
    run.add_argument("--context", default=None, help="connect to this context at once")
    run.add_argument("--stay", action="store_true", help="do not end when idle")
    return parser.parse_args(words)


def harden() -> None:
    """Files for this user alone, no core dumps (they would hold tokens), no death by a terminal that closes."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


async def run(options: argparse.Namespace) -> int:
    """Start everything, serve until told to stop or idle, end in order."""
    from lazarus_tui.engine.house import House

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    house = await House.open(options, ended.set)
    try:
        await house.start()
        # What is alive now lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        await house.serve_until(ended)
    finally:
        end_anyway(house.drain + LET_GO)
        await house.close()
    return OK


def end_anyway(seconds: float) -> None:
    """End the process even if something in it hangs: what must be kept is in the journal already."""
    watchdog = threading.Timer(seconds, os._exit, (FAILED,))
    watchdog.daemon = True
    watchdog.start()


def log_crashes() -> None:
    """Failures in threads and finalizers go to the log, redacted, instead of to stderr."""
    threading.excepthook = lambda args: log.error("thread failed", exc_info=args.exc_value)
    sys.unraisablehook = lambda args: log.error("unraisable: %s", args.err_msg or "", exc_info=args.exc_value)


def _next(error: Exception) -> str:
    """What to do next, in the form that whoever started the engine finds again in the log's last line."""
    hint = getattr(error, "hint", "")
    return f"; next: {hint}" if hint else ""


def main(words: Sequence[str] | None = None) -> int:
    options = arguments(words)
    harden()
    memory.tidy()
    from lazarus_tui.config import SettingsRefused
    from lazarus_tui.engine.logfile import log_to
    from lazarus_tui.journal.errors import JournalError, JournalInUse
    from lazarus_tui.link.server import EngineRunning
    from lazarus_tui.model.paths import StateRoot, UnsafePath

    root = StateRoot(sandbox=options.sandbox)
    try:
        root.ensure()
        handler = log_to(root.log)
    except UnsafePath as error:
        sys.stderr.write(f"{error.what}; {error.hint}\n")
        return FAILED
    log_crashes()
    options.root = root
    try:
        log.info("engine %d starts, state %s", os.getpid(), root.home)
        code = asyncio.run(run(options))
        log.info("engine %d ended", os.getpid())
        return code
    except (EngineRunning, JournalInUse) as error:
        log.info("%s%s", error, _next(error))
        return ALREADY
    except (JournalError, UnsafePath, SettingsRefused) as error:
        log.error("the engine cannot start: %s%s", error, _next(error))
        return FAILED
    except OSError as error:
        log.error("the engine cannot start: %s: %s", error.strerror or error, error.filename or "")
        return FAILED
    except Exception:
        log.exception("the engine failed")
        return FAILED
    finally:
        logging.getLogger().removeHandler(handler)
        with contextlib.suppress(OSError):
            handler.close()


if __name__ == "__main__":
    sys.exit(main())
