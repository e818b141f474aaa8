"""The sandbox's side of the keeper: user and network namespaces for pods, and sockets in them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lazarus_tui.model.clock import listened

KEEPER = Path(__file__).with_name("keeper.py")
# Seconds for which the keeper is listened to, and those it gets to end; it works in milliseconds.
_REPLY_SECONDS, _PATIENCE = 30.0, 10.0
_MESSAGE = 1 << 16
# Descriptors in one message: the kernel takes 253 (SCM_MAX_FD).
_AT_ONCE = 100


class NotPossible(Exception):
    """This machine does not let pods have networks of their own; the text says why."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """Open descriptors of a pod's user and network namespace, of ``address`` there."""

    user: int
    net: int
    address: str

    def close(self) -> None:
        os.close(self.user)
        os.close(self.net)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A socket to be made: ``kind`` is ``listen``, ``dial`` or ``udp``."""

    kind: str
    address: str = ""
    port: int = 0


class Namespaces:
    """Starts the keeper, and starts it anew if it ended; one request at a time."""

    def __init__(self) -> None:
        self._wire: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._number = 0
        self._home: tuple[int, ...] = ()

    async def start(self) -> None:
        """Raises ``NotPossible``, also when the first namespace turns out to be worth nothing."""
        if sys.platform != "linux":
            raise NotPossible("pods can be separated on Linux only")
        try:
            trial = await self.open("127.0.0.1")
        except OSError as fault:
            await self.stop()
            raise NotPossible(f"no user and network namespaces: {fault.strerror or fault}") from None
        try:
            (made,) = await self.sockets(trial.net, [Wanted("listen", "0.0.0.0", 443)])
            if isinstance(made, str):
                await self.stop()
                raise NotPossible(f"no sockets in network namespaces: {made}")
            made.close()
        finally:
            trial.close()

    async def open(self, address: str) -> Namespace:
        """A new namespace; raises ``OSError``."""
        _, (user, net) = await self._ask({"do": "open", "address": address}, ())
        return Namespace(user, net, address)

    async def sockets(self, net: int, wanted: Sequence[Wanted]) -> list[socket.socket | str]:
        """What is wanted, non-blocking, or instead of a socket what was wrong with it. Raises ``OSError``."""
        found: list[socket.socket | str] = []
        try:
            for start in range(0, len(wanted), _AT_ONCE):
                part = [[one.kind, one.address, one.port] for one in wanted[start : start + _AT_ONCE]]
                reply, descriptors = await self._ask({"do": "sockets", "wanted": part}, (net,))
                made = iter(descriptors)
                found += [error or _non_blocking(next(made)) for error in reply["errors"]]
        except BaseException:
            for one in found:
                if isinstance(one, socket.socket):
                    one.close()
            raise
        return found

    async def stop(self) -> None:
        await self._end()
        home, self._home = self._home, ()
        for descriptor in home:
            os.close(descriptor)

    async def _end(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        process, self._process = self._process, None
        if process is not None:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()

    async def _ask(self, request: dict[str, Any], descriptors: Sequence[int]) -> tuple[dict[str, Any], list[int]]:
        async with self._turn:
            try:
                return await listened(_REPLY_SECONDS, self._answer(request, descriptors))
            except TimeoutError:
                raise OSError(errno.ETIMEDOUT, "the keeper of the pods' namespaces does not answer") from None

    async def _answer(self, request: dict[str, Any], descriptors: Sequence[int]) -> tuple[dict[str, Any], list[int]]:
        for attempt in (1, 2):
            if self._wire is None:
                await self._begin()
            self._number += 1
            try:
                return await self._exchange(request | {"number": self._number}, descriptors)
            except ConnectionError:  # the keeper was killed: another one can do the same
                await self._end()
                if attempt == 2:
                    raise
        raise AssertionError("unreachable")

    async def _begin(self) -> None:
        ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with its:
            ours.setblocking(False)
            self._wire = ours
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", "-B", str(KEEPER), str(os.getpid()), *map(str, (its.fileno(), *self._home)),
                stdin=asyncio.subprocess.DEVNULL, start_new_session=True, pass_fds=(its.fileno(), *self._home), cwd="/",
            )  # fmt: skip
        _, home = await self._reply(0)
        if self._home:  # the same namespaces, by other descriptors
            for descriptor in home:
                os.close(descriptor)
        else:
            self._home = tuple(home)

    async def _exchange(self, request: dict[str, Any], descriptors: Sequence[int]) -> tuple[dict[str, Any], list[int]]:
        assert self._wire is not None
        socket.send_fds(self._wire, [json.dumps(request).encode()], descriptors)
        return await self._reply(request["number"])

    async def _reply(self, number: int) -> tuple[dict[str, Any], list[int]]:
        """The reply to ``number``; one to an earlier request, whose asker has gone, is thrown away."""
        while True:
            assert self._wire is not None
            await _readable(self._wire)
            data, descriptors, flags, _ = socket.recv_fds(self._wire, _MESSAGE, _AT_ONCE)
            if not data:
                raise ConnectionResetError("the keeper of the pods' namespaces ended")
            reply: dict[str, Any] = json.loads(data)
            if reply["number"] == number and not flags & socket.MSG_CTRUNC:
                if "error" in reply:
                    raise OSError(0, reply["error"])
                return reply, descriptors
            for descriptor in descriptors:
                os.close(descriptor)
            if reply["number"] == number:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def _non_blocking(descriptor: int) -> socket.socket:
    made = socket.socket(fileno=descriptor)
    made.setblocking(False)
    return made


async def _readable(wire: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(wire.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(wire.fileno())
