"""An application in every pod of a stage: a lock that counts and outlives its client, as MongoDB's, and one that
belongs to a session, as MySQL's. What is cut while a pod is not locked is noted."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

from lazarus_tui.sandbox.runtime import RuntimeRefused
from tests.snapshots.stage import Stage

# Exit codes of a script that mean more than an exit code.
HANGS, UNKNOWN, LOCKS_AND_FAILS = -1, -2, -3
LOCK, UNLOCK = ["locker", "lock"], ["locker", "unlock"]


class LockApp:
    """``script``: exit codes by (pod, word) for the next commands; the last one stays. ``calls``: what was run."""

    def __init__(self, stage: Stage) -> None:
        self.clock = stage.clock
        self.counts: dict[str, int] = {}
        self.lengths: list[float] = []
        self.script: dict[tuple[str, str], list[int]] = {}
        self.calls: list[tuple[str, ...]] = []
        self.at_cut: list[dict[str, int]] = []
        self.timeouts = False
        self._since: dict[str, float] = {}
        stage.cluster.kubelet.exec = self.exec  # type: ignore[method-assign, assignment]
        cut, driver = stage.cluster.driver._copy_all, stage.cluster.driver

        async def watched(*args: Any) -> Any:
            found = await cut(*args)
            self.at_cut.append(dict(self.counts))
            return found

        driver._copy_all = watched  # type: ignore[method-assign]

    @property
    def locked(self) -> int:
        return sum(self.counts.values())

    @property
    def proven(self) -> bool:
        """Whether every cut fell while both pods of a stage with two were locked."""
        return bool(self.at_cut) and all(set(counts) == {"db-0", "db-1"} for counts in self.at_cut)

    @property
    def longest(self) -> float:
        """Seconds of the longest lock, one that is still held included."""
        return max([*self.lengths, *(self.clock.monotonic() - since for since in self._since.values())], default=0.0)

    def lock(self, pod: str) -> None:
        self.counts[pod] = self.counts.get(pod, 0) + 1
        self._since.setdefault(pod, self.clock.monotonic())

    def unlock(self, pod: str) -> None:
        """To zero."""
        if self.counts.pop(pod, 0):
            self.lengths.append(self.clock.monotonic() - self._since.pop(pod))

    def code(self, pod: str, word: str) -> int:
        codes = self.script.get((pod, word), [0])
        return codes.pop(0) if len(codes) > 1 else codes[0]

    async def exec(
        self, namespace: str, pod: str, container: str, argv: Sequence[str], *, stdin: bool, tty: bool
    ) -> Any:
        words = list(argv)
        if words[0] == "timeout":
            if not self.timeouts:
                raise RuntimeRefused(500, "InternalError", 'exec: "timeout": executable file not found in $PATH')
            words = words[4:]
        if words == ["true"]:
            return Answer(0)
        self.calls.append((pod, *(words if words[0] == "locker" else ["sql"])))
        if stdin:
            return SqlSession(self, pod)
        code = self.code(pod, words[1])
        if code == UNKNOWN:
            raise RuntimeRefused(500, "InternalError", 'exec: "locker": executable file not found in $PATH')
        if code in (0, LOCKS_AND_FAILS):
            (self.lock if words[1] == "lock" else self.unlock)(pod)
        return Answer({HANGS: None, LOCKS_AND_FAILS: 7}.get(code, code), words[1])


class Answer:
    """A command that ends at once with ``code``; None: never."""

    def __init__(self, code: int | None, word: str = "") -> None:
        self._code, self._word = code, word

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        if self._code is None:
            await asyncio.Event().wait()
        yield 1, f"{self._word} password=hunter2hunter2 done\n".encode()

    async def wait(self) -> int:
        assert self._code is not None
        return self._code

    async def write_stdin(self, data: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    async def resize(self, columns: int, rows: int) -> None: ...

    async def kill(self) -> None: ...


class SqlSession(Answer):
    """A database client: says what it is told to select; its end frees what it locked."""

    def __init__(self, app: LockApp, pod: str) -> None:
        super().__init__(0)
        self.app, self.pod = app, pod
        self._said: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._over = False
        if app.code(pod, "client"):
            self._end()

    async def write_stdin(self, data: bytes) -> None:
        text = "" if self._over else data.decode()
        if "READ LOCK" in text and self.app.code(self.pod, "lock") == HANGS:
            return
        if "READ LOCK" in text:
            self.app.lock(self.pod)
        if "UNLOCK" in text:
            self.app.unlock(self.pod)
        for word in re.findall(r"SELECT '(\w+)'", text):
            self._said.put_nowait(word.encode() + b"\n")

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        while (said := await self._said.get()) is not None:
            yield 1, said

    async def close_stdin(self) -> None:
        self._end()

    async def kill(self) -> None:
        self._end()

    def _end(self) -> None:
        if not self._over:
            self.app.unlock(self.pod)
        self._over = True
        self._said.put_nowait(None)
