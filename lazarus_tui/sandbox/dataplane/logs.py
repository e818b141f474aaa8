"""A container's log: lines with the time they came, capped by rotation, readable while they are written."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path

from lazarus_tui.model.clock import Clock, parse_rfc3339, rfc3339

# Size at which a log file is turned into ``.1``; at most twice this is kept per container run. The kubelet's default is
# 10 MiB (containerLogMaxSize); a sandbox on a laptop needs less.
LOG_CAP = 1 << 20
# A longer line is cut into pieces, as the container runtimes do (16 KiB).
_LINE_CAP = 16 << 10
# Pieces of output that wait for one who is attached; a piece is at most 64 KiB.
_LISTENER_CAP = 256


class LogFile:
    """One run of one container. Each stored line is ``<RFC 3339 time> <text>``."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path, self._clock = path, clock
        self._partial = b""
        self._news: set[asyncio.Event] = set()
        self._listeners: list[asyncio.Queue[bytes | None]] = []
        self.closed = False
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._size = path.stat().st_size if path.exists() else 0

    @classmethod
    def ended(cls, path: Path, clock: Clock) -> LogFile:
        """The log of a run that is over."""
        log = cls(path, clock)
        log.closed = True
        return log

    @property
    def rotated(self) -> Path:
        return self.path.with_name(self.path.name + ".1")

    def append(self, data: bytes) -> None:
        """Takes output as it comes; only whole lines are stored."""
        for listener in list(self._listeners):
            if listener.qsize() >= _LISTENER_CAP:
                self.unlisten(listener)
            listener.put_nowait(data if listener in self._listeners else None)
        *lines, self._partial = (self._partial + data).split(b"\n")
        while len(self._partial) > _LINE_CAP:
            lines.append(self._partial[:_LINE_CAP])
            self._partial = self._partial[_LINE_CAP:]
        self._store(lines)

    def listen(self) -> asyncio.Queue[bytes | None]:
        """The output from now on as it comes, None at its end. A listener that is far too slow is ended early."""
        listener: asyncio.Queue[bytes | None] = asyncio.Queue()
        if self.closed:
            listener.put_nowait(None)
        else:
            self._listeners.append(listener)
        return listener

    def unlisten(self, listener: asyncio.Queue[bytes | None]) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    def close(self) -> None:
        """No more output comes; followers and listeners end."""
        for listener in self._listeners:
            listener.put_nowait(None)
        self._listeners.clear()
        if self._partial:
            self._store([self._partial])
            self._partial = b""
        self.closed = True
        self._wake()

    def _store(self, lines: list[bytes]) -> None:
        if not lines:
            return
        stamp = rfc3339(self._clock.now(), micro=True).encode()
        pieces = [line[i : i + _LINE_CAP] for line in lines for i in range(0, max(1, len(line)), _LINE_CAP)]
        block = b"".join(stamp + b" " + piece + b"\n" for piece in pieces)
        if self._size and self._size + len(block) > LOG_CAP:
            self.path.replace(self.rotated)
            self._size = 0
        with open(self.path, "ab") as file:
            file.write(block)
        self._size += len(block)
        self._wake()

    def _wake(self) -> None:
        for event in self._news:
            event.set()

    async def read(
        self, *, follow: bool, tail: int | None, since: datetime | None, timestamps: bool
    ) -> AsyncIterator[bytes]:
        """Lines with their line ends; with ``follow`` until the container's end."""
        lines: Iterator[bytes] | deque[bytes] = self._stored(since)
        if tail is not None:
            lines = deque(lines, maxlen=max(0, tail))
        reached, inode = self._place()
        for line in lines:
            yield line if timestamps else line.partition(b" ")[2]
        if not follow:
            return
        news = asyncio.Event()
        self._news.add(news)
        try:
            while True:
                news.clear()
                fresh, reached, inode = self._after(reached, inode)
                for line in fresh:
                    yield line if timestamps else line.partition(b" ")[2]
                if not fresh:
                    if self.closed:
                        return
                    await news.wait()
        finally:
            self._news.discard(news)

    def _stored(self, since: datetime | None) -> Iterator[bytes]:
        for path in (self.rotated, self.path):
            if not path.exists():
                continue
            for line in path.read_bytes().splitlines(keepends=True):
                if since is None or parse_rfc3339(line.partition(b" ")[0].decode()) >= since:
                    yield line

    def _place(self) -> tuple[int, int]:
        try:
            info = self.path.stat()
        except FileNotFoundError:
            return 0, 0
        return info.st_size, info.st_ino

    def _after(self, reached: int, inode: int) -> tuple[list[bytes], int, int]:
        """Lines stored since the place ``reached``, a rotation in between included, and the new place."""
        size, now = self._place()
        fresh: list[bytes] = []
        if now != inode:
            if inode and self.rotated.exists() and self.rotated.stat().st_ino == inode:
                fresh += _from(self.rotated, reached)
            reached = 0
        if size > reached:
            fresh += _from(self.path, reached)
        return fresh, size, now


class PodLogs:
    """The logs of a pod's containers under ``folder``: of each the run that is on and the one before."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._files: dict[tuple[str, int], LogFile] = {}
        for path in folder.glob("*/*.log"):  # of an earlier sandbox
            self._files[path.parent.name, int(path.stem)] = LogFile.ended(path, clock)

    def begin(self, container: str, run: int) -> LogFile:
        """A log for a run that begins now."""
        log = LogFile(self._folder / container / f"{run}.log", self._clock)
        self._files[container, run] = log
        for key in [key for key in self._files if key[0] == container and key[1] < run - 1]:
            old = self._files.pop(key)
            for path in (old.path, old.rotated):
                path.unlink(missing_ok=True)
        return log

    def of(self, container: str, run: int) -> LogFile | None:
        return self._files.get((container, run))


def _from(path: Path, offset: int) -> list[bytes]:
    with open(path, "rb") as file:
        file.seek(offset)
        return file.read().splitlines(keepends=True)


def since_moment(clock: Clock, seconds: int | None) -> datetime | None:
    return None if seconds is None else clock.now() - timedelta(seconds=seconds)
