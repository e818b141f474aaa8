"""The engine's end of the link: a Unix socket for one user, calls in, answers out.

Nothing a client sends can stop the engine: a bad line is answered by a fault, too much work is not read, a client
that goes away takes its calls with it. There is no push and no queue: a slow client holds only what it asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
import stat
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

from lazarus_tui.link.codec import MAX_CALL, BadLine, LinkFault, answer_parts, decode_call, encode_fault
from lazarus_tui.link.protocol import Call, Fault

log = logging.getLogger(__name__)

# Calls of one client under way at once; further lines stay unread in the socket.
MAX_UNDER_WAY = 16
# Clients at once; one more is answered by a fault and closed.
MAX_CLIENTS = 64


class EngineRunning(Exception):
    """Another engine listens on the socket."""


class Peer:
    """One connected client, as the service sees it."""

    def __init__(self) -> None:
        self.greeted = False
        self.kubeconfig = ""
        self.pull: asyncio.Task[Any] | None = None


class Service(Protocol):
    """Answers calls with JSON; raises ``LinkFault`` to refuse."""

    async def answer(self, peer: Peer, method: str, params: dict[str, Any]) -> bytes: ...


class LinkServer:
    """Listens at ``path`` (0600). ``on_peers(n)`` is called when the number of clients changes."""

    def __init__(self, path: Path, service: Service, *, on_peers: Callable[[int], None] = lambda n: None) -> None:
        self._path, self._service, self._on_peers = path, service, on_peers
        self._server: asyncio.Server | None = None
        self._sessions: dict[Peer, asyncio.Task[Any]] = {}
        self.calls = 0

    @property
    def peers(self) -> tuple[Peer, ...]:
        return tuple(self._sessions)

    async def start(self) -> None:
        """Bind and listen; raises ``EngineRunning`` when somebody answers at the socket already."""
        sock = bind(self._path)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(
            lambda: asyncio.StreamReaderProtocol(_Reader(limit=MAX_CALL, loop=loop), self._session, loop), sock=sock
        )
        self._inode = os.stat(self._path).st_ino

    async def stop(self) -> None:
        """Stop listening, drop every client, remove the socket file if it is still ours."""
        if self._server is not None:
            self._server.close()
        with contextlib.suppress(OSError):
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)
        sessions = list(self._sessions.values())
        for session in sessions:
            session.cancel()
        await asyncio.gather(*sessions, return_exceptions=True)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, _Reader)
        peer = Peer()
        task = asyncio.current_task()
        assert task is not None
        try:
            refusal = self._refusal(writer.get_extra_info("socket"))
            if refusal is not None:
                writer.write(encode_fault(-1, refusal))
                return
            self._sessions[peer] = task
            self._on_peers(len(self._sessions))
            await _Session(peer, self, reader, writer).run()
        except OSError:
            pass  # the client is going away, which is no news for this task
        except asyncio.CancelledError:
            writer.transport.abort()  # the engine is going away: a client that reads nothing must not hold its end
        finally:
            if self._sessions.pop(peer, None) is not None:
                self._on_peers(len(self._sessions))
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    def _refusal(self, sock: Any) -> Fault | None:
        uid = peer_uid(sock)
        if uid not in (os.getuid(), 0):
            log.warning("refused a client of uid %s", uid)
            return Fault("refused", "this engine belongs to another user", str(self._path))
        if len(self._sessions) >= MAX_CLIENTS:
            return Fault("refused", f"{MAX_CLIENTS} clients are connected already", str(self._path), "close one")
        return None

    async def answer(self, peer: Peer, call: Call) -> bytes:
        self.calls += 1
        if not peer.greeted and call.method not in ("hello", "engine.stop", "stats"):
            raise LinkFault(Fault("version", "the first call must be hello", call.method))
        return await self._service.answer(peer, call.method, call.params)


class _Reader(asyncio.StreamReader):
    """A stream that says at once when the other end has gone, however much of it is unread."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=limit, loop=loop)
        self.gone = asyncio.Event()

    def feed_eof(self) -> None:
        super().feed_eof()
        self.gone.set()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self.gone.set()


class _Session:
    """One client: reads calls, runs at most ``MAX_UNDER_WAY`` at once, writes answers as they come."""

    def __init__(self, peer: Peer, server: LinkServer, reader: _Reader, writer: asyncio.StreamWriter) -> None:
        self._peer, self._server, self._reader, self._writer = peer, server, reader, writer
        self._room = asyncio.Semaphore(MAX_UNDER_WAY)
        self._sending = asyncio.Lock()
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until the client goes; what is under way for it then ends too."""
        reading = asyncio.create_task(self._read())
        gone = asyncio.create_task(self._reader.gone.wait())
        tasks: list[asyncio.Task[Any]] = [reading, gone]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            tasks.extend(self._under_way)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        while True:
            await self._room.acquire()
            line = await self._line()
            if not line:
                return
            self._begin(self._handle(line))

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._room.release()
        if not task.cancelled() and task.exception() is not None:
            self._writer.close()  # the client cannot be written to: the reader sees the end of the stream

    async def _line(self) -> bytes:
        """The next line; empty at the end of the stream, which a last line without its end is too."""
        try:
            line = await self._reader.readuntil(b"\n")
        except asyncio.IncompleteReadError:
            return b""
        except asyncio.LimitOverrunError:
            what = f"a call longer than {MAX_CALL} bytes"
            await self._send([encode_fault(-1, Fault("usage", what))])
            return b""
        return line

    async def _handle(self, line: bytes) -> None:
        try:
            call = decode_call(line)
        except BadLine as error:
            await self._send([encode_fault(error.id, Fault("usage", str(error)))])
            return
        await self._send(await self._answer(call))

    async def _answer(self, call: Call) -> list[bytes]:
        try:
            return answer_parts(call.id, await self._server.answer(self._peer, call))
        except LinkFault as refusal:
            return [encode_fault(call.id, refusal.fault)]
        except Exception as error:
            # Only the class: a message may carry what a cluster or a file said.
            log.exception("call %s failed", call.method)
            what = f"unexpected {type(error).__name__} in the engine"
            return [encode_fault(call.id, Fault("unexpected", what, call.method, "see engine.log"))]

    async def _send(self, parts: list[bytes]) -> None:
        async with self._sending:
            # Not writelines: in Python 3.12.0-3.12.8 and 3.13.0-3.13.1 it never makes drain wait (CVE-2024-12254).
            self._writer.write(b"".join(parts))
            await self._writer.drain()


def bind(path: Path) -> socket.socket:
    """A listening-to-be socket at ``path``, 0600; a file nobody listens at is replaced.

    Raises ``EngineRunning`` when somebody does listen. The caller holds the engine's lock, so no two come here at once.
    """
    if len(os.fsencode(path)) > 100:
        raise OSError(errno.ENAMETOOLONG, "the engine's socket path is longer than a Unix socket allows", str(path))
    if _listens(path):
        raise EngineRunning(f"an engine listens at {path} already")
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(errno.EEXIST, "is in the way of the engine's socket", str(path))
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    except BaseException:
        sock.close()
        raise
    finally:
        os.umask(before)
    return sock


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2.0)
        try:
            probe.connect(str(path))
        except TimeoutError:
            return True
        except OSError as error:
            return error.errno in (errno.EAGAIN, errno.EACCES)
    return True


def peer_uid(sock: Any) -> int:
    """The user at the other end: SO_PEERCRED on Linux, LOCAL_PEERCRED (``struct xucred``) on macOS and BSD."""
    if sys.platform == "linux":
        data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", data)[1])
    # SOL_LOCAL 0, LOCAL_PEERCRED 1 (sys/un.h); xucred: u_int version, uid_t uid, …
    data = sock.getsockopt(0, 1, 76)
    return int(struct.unpack_from("2I", data)[1])
