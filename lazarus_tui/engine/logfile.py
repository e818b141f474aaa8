"""engine.log: private, rotating, and with secrets taken out before anything is written."""

from __future__ import annotations

import logging
import logging.handlers
import os
import traceback
from pathlib import Path
from typing import Any

from lazarus_tui.model.paths import private_open
from lazarus_tui.model.redact import redact

MAX_BYTES = 2 * 1024 * 1024
KEPT = 3
# One record, with its traceback, after redaction.
MAX_RECORD = 16 * 1024
# Libraries that log requests and their bodies.
QUIET = ("kubernetes_asyncio", "aiohttp", "asyncio", "httpx", "httpcore", "aiosqlite", "urllib3")


class RedactingFormatter(logging.Formatter):
    """One line a record; of an exception only its class and places, never values: they may hold a token."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            frames = traceback.extract_tb(error.__traceback__)[-12:]
            places = " < ".join(f"{os.path.basename(f.filename)}:{f.lineno} {f.name}" for f in reversed(frames))
            text += f" | {type(error).__name__}: {redact(str(error))} at {places}"
        stamp = self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ")
        return f"{stamp} {record.levelname} {record.name}: {redact(text, MAX_RECORD)}"


class _PrivateFile(logging.handlers.RotatingFileHandler):
    def _open(self) -> Any:
        fd = private_open(Path(self.baseFilename), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        return os.fdopen(fd, "a", encoding="utf-8", errors="backslashreplace")

    def handleError(self, record: logging.LogRecord) -> None:
        """A full disk must not stop the engine: the line is lost, the operation is not."""


def log_to(path: Path, level: int = logging.INFO) -> logging.Handler:
    """Send the process's log to ``path``; returns the handler so that it can be closed."""
    import time

    handler = _PrivateFile(path, maxBytes=MAX_BYTES, backupCount=KEPT, delay=True)
    formatter = RedactingFormatter()
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    return handler
