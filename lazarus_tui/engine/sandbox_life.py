"""Whether the process of the sandbox is there: an engine without it can only wait, and has to say for what."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.processes import there

log = logging.getLogger(__name__)

# Seconds between two looks; after how long without it an engine that nobody watches ends, whatever is open: nothing
# can go on, and the next engine takes it up from the journal.
LOOK, LOST = 2.0, 60.0
HINT = "lazarus sandbox up starts it again, with all it held"
# In the command line of every process of a sandbox; after "--root" comes its folder (sandbox.process).
_COMMAND, _ROOT = "lazarus_tui.sandbox.process", "--root"


class SandboxLife:
    """``folder`` is the sandbox's; its ``serve.pid`` names the process. Without that file nothing is known of it.

    A pid may be another process's by the time it is looked at, so what that one runs is looked at as well.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._pid, self._clock = folder, folder / "serve.pid", clock
        self._since: float | None = None

    @property
    def lost(self) -> bool:
        """Whether it has been gone for so long that nobody waits for it any more."""
        return self._since is not None and self._clock.monotonic() - self._since > LOST

    def trouble(self) -> str:
        """That it is gone, in words; "" while it is there, or not known not to be."""
        pid = self._named()
        return f"the sandbox is not running: its process {pid} is gone" if pid and not self._serves(pid) else ""

    def words(self, reason: str, hint: str) -> tuple[str, str]:
        """Why its API does not answer and what to do: ``reason`` and ``hint``, unless there is nothing to answer."""
        trouble = self.trouble()
        return (trouble, HINT) if trouble else (reason, hint)

    async def run(self) -> None:
        """For ever."""
        while True:
            trouble = self.trouble()
            if trouble and self._since is None:
                self._since = self._clock.monotonic()
                log.warning("%s; next: %s", trouble, HINT)
            elif not trouble and self._since is not None:
                self._since = None
                log.info("the sandbox runs again")
            await self._clock.sleep(LOOK)

    def _serves(self, pid: int) -> bool:
        """Whether a process lives and is not known to be another one."""
        if not there(pid):
            return False
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "surrogateescape").split("\0")
        except OSError:
            return True  # no /proc, or not ours to read
        if not any(words):
            return True  # it executes another program just now: its words come in a moment
        if _COMMAND not in words:
            return False
        at = words.index(_ROOT) + 1 if _ROOT in words else 0
        try:
            return not at or os.path.samefile(words[at], self._folder)
        except OSError:
            return True

    def _named(self) -> int:
        try:
            text = self._pid.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            return 0
        return int(text) if text.isdigit() else 0
