"""A command in a container whose stdin stays open: what its session holds ends with it, whoever ends it.

It is the dead man's switch of locks that belong to a database session: when this program, the network or the API
server dies, the command reads the end of its input and the server frees the lock by itself (reference: data §3.2).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lazarus_tui.kube.channels import V5, open_channels
from lazarus_tui.kube.errors import KubeError, Unexpected, Unreachable, line
from lazarus_tui.kube.exec import CLOSE, STDIN, ExecResult, Hearing
from lazarus_tui.model.http import HttpRequest, WebSocket

if TYPE_CHECKING:
    from lazarus_tui.kube.cluster import Cluster


class Held:
    """An open session (``model.steps.Session``). Nothing here has a time limit but opening: whoever waits sets one."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._hearing = Hearing()
        self._news = asyncio.Event()
        self._socket: WebSocket | None = None
        self._result: ExecResult | None = None
        self._error: KubeError | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def alive(self) -> bool:
        return self._task is not None and not self._task.done() and self._result is None

    @property
    def stderr(self) -> bytes:
        return bytes(self._hearing.err.data)

    async def say(self, text: bytes) -> None:
        """Write to the command's input; raises ``KubeError`` when it is over."""
        await self._send(bytes([STDIN]) + text)

    async def heard(self, marker: bytes) -> None:
        """Wait until ``marker`` stands in the output; raises ``KubeError`` when the command ends before."""
        while marker not in self._hearing.out.data:
            if not self.alive:
                raise self._error or Unreachable("the command ended before it answered", request=self._where)
            self._news.clear()
            await self._news.wait()

    async def end(self) -> ExecResult:
        """Close the command's input and wait for its exit code; raises ``KubeError`` when none is heard."""
        with contextlib.suppress(KubeError):  # it may be over already, with a code
            await self._send(bytes([CLOSE, STDIN]))
        if self._task is not None:
            await asyncio.wait({self._task})
        if self._result is None:
            raise self._error or Unreachable("the connection ended before the exit code", request=self._where)
        return self._result

    async def close(self) -> None:
        """End the connection, and with it the command; a second time does nothing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _send(self, frame: bytes) -> None:
        if self._socket is None or not self.alive:
            raise self._error or Unreachable("the command is over", request=self._where)
        try:
            await self._socket.send(frame)
        except OSError as error:
            raise Unreachable(f"the connection broke: {error}", request=self._where) from error

    # --- the connection, in a task of its own: it outlives the calls that use it

    async def _start(self, cluster: Cluster, where: tuple[str, str], query: list[tuple[str, str]], wait: float) -> None:
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(cluster, where, tuple(query), wait, opened))
        try:
            await asyncio.wait({opened, self._task}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await self.close()
            raise
        if self._error is not None:
            raise self._error

    async def _run(self, cluster: Cluster, where: tuple[str, str], query: tuple[tuple[str, str], ...], wait: float,
                   opened: asyncio.Future[None]) -> None:  # fmt: skip
        try:
            async with open_channels(cluster, *where, "exec", query, (V5,), wait) as (request, socket):
                if socket.subprotocol != V5:
                    raise Unexpected("the server cannot close stdin (no v5.channel.k8s.io)", request=line(request))
                self._socket = socket
                opened.set_result(None)
                await self._listen(request, socket)
        except KubeError as error:
            self._error = error
        finally:
            self._socket = None
            self._news.set()

    async def _listen(self, request: HttpRequest, socket: WebSocket) -> None:
        while (frame := await socket.receive()) is not None:
            over = self._hearing.feed(frame)
            self._news.set()
            if over:
                break
        self._result = self._hearing.result(request)


async def hold(
    cluster: Cluster, namespace: str, pod: str, container: str, argv: Sequence[str], *, timeout: float = 30.0
) -> Held:
    """Start ``argv`` (no shell) and keep its input open; the caller ends or closes it.

    ``timeout`` in seconds is for the connection alone. Raises ``KubeError``; a command that cannot be started is told
    by ``heard`` and ``end``.
    """
    query = [("container", container), *(("command", word) for word in argv)]
    query += [("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
    found = Held(f"exec {namespace}/{pod}")
    await found._start(cluster, (namespace, pod), query, timeout)
    return found
