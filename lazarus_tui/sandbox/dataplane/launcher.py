"""Starting containers: as local processes, or without any process for tests that need none."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from lazarus_tui.model.clock import Clock
from lazarus_tui.sandbox.dataplane.catalog import START, TOOLS, Image
from lazarus_tui.sandbox.dataplane.copy import remove_tree
from lazarus_tui.sandbox.dataplane.ledger import Ledger, signal_all, signal_group
from lazarus_tui.sandbox.dataplane.logs import LogFile
from lazarus_tui.sandbox.dataplane.namespaces import Namespace
from lazarus_tui.sandbox.dataplane.terminals import Terminal, TerminalExec
from lazarus_tui.sandbox.runtime import ExecSession

# Who root of a pod is to a server that refuses root: Debian's id of nobody.
_NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Launch:
    """All that a container's start needs; ``root`` is the pod's root directory, ``volumes`` what it leads to.

    ``namespace`` is the pod's network; None is the machine's.
    """

    image: Image
    args: tuple[str, ...]
    env: Mapping[str, str]
    root: Path
    volumes: tuple[Path, ...]
    stdin: bool = False
    tty: bool = False
    namespace: Namespace | None = None


class Running(Protocol):
    """A started container. ``pid`` leads its process group; None where there is no process."""

    pid: int | None

    async def wait(self) -> int:
        """The exit code; 128 + n for signal n."""
        ...

    def signal(self, signum: int) -> None: ...

    async def write_stdin(self, data: bytes) -> None:
        """For a container with ``stdin``; any other has no input, and what is written is lost."""
        ...

    async def close_stdin(self) -> None: ...

    def resize(self, columns: int, rows: int) -> None: ...


class Exec(ExecSession, Protocol):
    """An exec that says whether it is over; ``pid`` as of a container."""

    pid: int | None

    @property
    def done(self) -> bool: ...


class Launcher(Protocol):
    """How the kubelet starts things. ``probes`` says whether probing a container means anything.

    ``processes`` says whether containers are processes, which need a network.
    """

    probes: bool
    processes: bool

    async def start(self, launch: Launch, log: LogFile) -> Running: ...

    async def exec(self, launch: Launch, argv: Sequence[str], *, stdin: bool, tty: bool) -> Exec: ...

    def reap(self) -> list[int]:
        """Ends processes that an earlier run left behind."""
        ...


class Stillness:
    """A container without a process: it is there until it is told to end."""

    pid: int | None = None

    def __init__(self) -> None:
        self._code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        return await asyncio.shield(self._code)

    def signal(self, signum: int) -> None:
        if not self._code.done() and signum in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
            self._code.set_result(0 if signum == signal.SIGTERM else 128 + signum)

    async def write_stdin(self, data: bytes) -> None:
        return None

    async def close_stdin(self) -> None:
        return None

    def resize(self, columns: int, rows: int) -> None:
        return None


class Process:
    """A container that is a local process, with its output going into the log; on ``terminal`` when it has one."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        log: LogFile,
        ledger: Ledger,
        terminal: Terminal | None = None,
        stop: int = signal.SIGTERM,
    ) -> None:
        self._process, self._log, self._ledger, self._terminal = process, log, ledger, terminal
        self._stop = stop  # what the image takes for SIGTERM
        self.pid: int | None = process.pid
        self._end = asyncio.create_task(self._follow(), name=f"container {process.pid}")

    async def _follow(self) -> int:
        while data := await self._read():
            self._log.append(data)
        code = await self._process.wait()
        if self._terminal:
            self._terminal.close()
        self._ledger.remove(self._process.pid)
        return code if code >= 0 else 128 - code

    async def _read(self) -> bytes:
        if self._terminal:
            return await self._terminal.read()
        assert self._process.stdout is not None
        return await self._process.stdout.read(65536)

    async def write_stdin(self, data: bytes) -> None:
        if self._terminal:
            await self._terminal.write(data)
        elif self._process.stdin is not None:
            with contextlib.suppress(ConnectionError):
                self._process.stdin.write(data)
                await self._process.stdin.drain()

    async def close_stdin(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    def resize(self, columns: int, rows: int) -> None:
        if self._terminal:
            self._terminal.resize(columns, rows)

    async def wait(self) -> int:
        return await asyncio.shield(self._end)

    def signal(self, signum: int) -> None:
        if not self._end.done() and signum == signal.SIGKILL:
            signal_all(self._process.pid, signum)
        elif not self._end.done():
            signal_group(self._process.pid, self._stop if signum == signal.SIGTERM else signum)


class ProcessLauncher:
    """Containers are local processes in sessions of their own, which die with this process."""

    probes = True
    processes = True

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def start(self, launch: Launch, log: LogFile) -> Running:
        source = launch.image.source
        if source is None:
            return Stillness()
        args = launch.args if launch.image.arguments else ()
        terminal = Terminal() if launch.tty else None
        stdin = asyncio.subprocess.PIPE if launch.stdin else asyncio.subprocess.DEVNULL
        process = await _spawn(launch, (str(source), *args), stdin, asyncio.subprocess.STDOUT, terminal)
        self._ledger.add(process.pid)
        return Process(process, log, self._ledger, terminal, launch.image.stop)

    async def exec(self, launch: Launch, argv: Sequence[str], *, stdin: bool, tty: bool) -> Exec:
        allowed = ":".join(str(path) for path in launch.volumes)
        command = (str(TOOLS), str(launch.root), allowed, *argv)
        terminal = Terminal() if tty else None
        given = asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL
        process = await _spawn(launch, command, given, asyncio.subprocess.PIPE, terminal)
        return TerminalExec(process, terminal) if terminal else ProcessExec(process)

    def reap(self) -> list[int]:
        return self._ledger.reap()


async def _spawn(
    launch: Launch, command: Sequence[str], stdin: int, stderr: int, terminal: Terminal | None
) -> asyncio.subprocess.Process:
    """A program of the catalogue in a session of its own, with pipes or, for all three streams, a terminal."""
    out = asyncio.subprocess.PIPE
    if terminal:
        stdin = out = stderr = terminal.slave
    inside = (launch.namespace.user, launch.namespace.net) if launch.namespace else ()
    entered = (*inside, _NOBODY) if launch.image.engine else inside
    parent = f"{os.getpid()}:{','.join(map(str, entered))}" if inside else str(os.getpid())
    try:
        return await asyncio.create_subprocess_exec(
            *_python(START), parent, *command,
            stdin=stdin, stdout=out, stderr=stderr,
            cwd=launch.root, env=_environment(launch), start_new_session=True, pass_fds=inside,
        )  # fmt: skip
    except BaseException:
        if terminal:
            terminal.close()
        raise
    finally:
        if terminal:
            terminal.started()


def _environment(launch: Launch) -> dict[str, str]:
    engine = {"LAZARUS_ENGINE": launch.image.engine} if launch.image.engine else {}
    return {**launch.env, **engine}


def _python(program: Path) -> tuple[str, ...]:
    return sys.executable, "-I", "-S", "-B", "-u", str(program)


class ProcessExec:
    """An exec that is a local process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid: int | None = process.pid

    @property
    def done(self) -> bool:
        return self._process.returncode is not None

    async def write_stdin(self, data: bytes) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(ConnectionError):
                self._process.stdin.write(data)
                await self._process.stdin.drain()

    async def close_stdin(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        streams = {1: self._process.stdout, 2: self._process.stderr}
        reads = {
            asyncio.create_task(stream.read(65536)): (number, stream)
            for number, stream in streams.items()
            if stream is not None
        }
        try:
            while reads:
                done, _ = await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    number, stream = reads.pop(task)
                    if data := task.result():
                        reads[asyncio.create_task(stream.read(65536))] = (number, stream)
                        yield number, data
        finally:
            for task in reads:
                task.cancel()

    async def wait(self) -> int:
        code = await self._process.wait()
        return code if code >= 0 else 128 - code

    async def resize(self, columns: int, rows: int) -> None:
        return None

    async def kill(self) -> None:
        if not self.done:
            signal_group(self._process.pid, signal.SIGKILL)
            await self._process.wait()


class InstantLauncher:
    """No process at all: services run until told to end, programs that end do so at once, with success.

    Velero's wait for restored data is kept: it looks at the real directories, once a second by the clock.
    """

    probes = False
    processes = False

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def start(self, launch: Launch, log: LogFile) -> Running:
        if not launch.image.once:
            return Stillness()
        return _Ending(self._clock, launch)

    async def exec(self, launch: Launch, argv: Sequence[str], *, stdin: bool, tty: bool) -> Exec:
        return _InstantExec(1 if argv[0] == "false" else 0)

    def reap(self) -> list[int]:
        return []


class _Ending(Stillness):
    def __init__(self, clock: Clock, launch: Launch) -> None:
        super().__init__()
        self._clock, self._launch = clock, launch

    async def wait(self) -> int:
        while not self._code.done():
            if self._over():
                for folder in self._done_folders():
                    remove_tree(folder)
                return self._exit_code()
            sleep = asyncio.ensure_future(self._clock.sleep(1.0))
            try:
                futures: set[asyncio.Future[Any]] = {self._code, sleep}
                await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleep.cancel()
        return self._code.result()

    def _over(self) -> bool:
        if self._launch.image.program != "restore_wait.py" or not self._launch.args:
            return True
        return all((folder / self._launch.args[0]).exists() for folder in self._done_folders())

    def _done_folders(self) -> list[Path]:
        if self._launch.image.program != "restore_wait.py":
            return []
        return [volume / ".velero" for volume in (self._launch.root / "restores").glob("*")]

    def _exit_code(self) -> int:
        words = self._launch.args
        return int(words[words.index("exit") + 1]) if "exit" in words else 0


class _InstantExec:
    done = True
    pid: int | None = None

    def __init__(self, code: int) -> None:
        self._code = code

    async def write_stdin(self, data: bytes) -> None:
        return None

    async def close_stdin(self) -> None:
        return None

    async def output(self) -> AsyncIterator[tuple[int, bytes]]:
        nothing: tuple[tuple[int, bytes], ...] = ()
        for pair in nothing:
            yield pair

    async def wait(self) -> int:
        return self._code

    async def kill(self) -> None:
        return None

    async def resize(self, columns: int, rows: int) -> None:
        return None
