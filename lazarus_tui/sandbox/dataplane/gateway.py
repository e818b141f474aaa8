"""One pod's border: the listeners that take what it sends out, and the sockets through which others come in."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass

from lazarus_tui.sandbox.dataplane.addresses import DNS_ADDRESS
from lazarus_tui.sandbox.dataplane.atlas import Atlas
from lazarus_tui.sandbox.dataplane.namespaces import Namespace, Namespaces, Wanted
from lazarus_tui.sandbox.dataplane.packetfilter import Instruction, attach, detach, program
from lazarus_tui.sandbox.dataplane.policy import Party
from lazarus_tui.sandbox.dataplane.relay import Streams, relay, reset

log = logging.getLogger(__name__)

ANYWHERE = "0.0.0.0"
"""A listener here takes what is sent to any address that no other listener has."""

OUTSIDE_PORTS = frozenset(
    {22, 25, 53, 80, 443, 465, 587, 1433, 3306, 5432, 5672, 6379, 6443, 8080, 8443, 9000, 9090, 9092, 9200, 27017}
)
"""Ports on which pods may reach addresses outside the cluster; on any other a connection is refused at once."""

_IP_BIND_ADDRESS_NO_PORT = 24  # <linux/in.h>

# Answers a DNS query of the pod, or None for silence.
Answer = Callable[[bytes], Awaitable[bytes | None]]
# Connects the pod to an address and port; None when nothing takes the connection.
Connect = Callable[[str, int], Awaitable[Streams | None]]


@dataclass
class _Listener:
    server: asyncio.Server
    held: socket.socket
    filter: list[Instruction] | None = None


class Gateway:
    """``own`` are the ports the pod's programs listen on themselves, which nobody else in its namespace may take.

    ``atlas`` gives the cluster as it is at that moment.
    """

    def __init__(
        self,
        uid: str,
        namespace: Namespace,
        own: Iterable[int],
        made: Namespaces,
        *,
        atlas: Callable[[], Atlas],
        connect: Connect,
        answer: Answer,
    ) -> None:
        self.uid, self.namespace, self.address = uid, namespace, namespace.address
        self._own, self._made, self._atlas = frozenset(own), made, atlas
        self._connect, self._answer = connect, answer
        self._listeners: dict[tuple[str, int], _Listener] = {}
        # What the kernel was told last, by sort of port, and the atlas that all of it comes from.
        self._codes: dict[Hashable, list[Instruction] | None] = {}
        self._heeded: Atlas | None = None
        self._names: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        self.closed = False

    async def follow(self) -> None:
        """Listens on what the cluster offers now, and has the kernel drop what policies refuse."""
        async with self._turn:
            if self.closed:
                return
            wanted = self._wanted(self._atlas())
            for key in self._listeners.keys() - wanted:
                self._listeners.pop(key).server.close()
            await self._listen(sorted(wanted - self._listeners.keys()))
            self.heed()

    def _wanted(self, atlas: Atlas) -> set[tuple[str, int]]:
        ports = atlas.ports() | OUTSIDE_PORTS
        near = {(place, port) for port in ports & self._own for place in atlas.places(port) if place != self.address}
        return near | {(ANYWHERE, port) for port in ports - self._own}

    async def _listen(self, places: list[tuple[str, int]]) -> None:
        asked = [Wanted("listen", *place) for place in places]
        if self._names is None:
            asked.append(Wanted("udp", DNS_ADDRESS, 53))
        for wish, made in zip(asked, await self._made.sockets(self.namespace.net, asked), strict=True):
            if isinstance(made, str):
                log.warning("a pod at %s cannot be listened to: %s", self.address, made)
            elif wish.kind == "udp":
                self._names, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: _Names(self._asked), sock=made
                )
            else:
                server = await asyncio.start_server(self._taken, sock=made)
                self._listeners[wish.address, wish.port] = _Listener(server, made)
                self._heeded = None

    def heed(self) -> None:
        """Has the kernel drop what the policies refuse now."""
        atlas = self._atlas()
        source = atlas.parties.get(self.uid)
        if source is None or atlas is self._heeded:
            return
        codes: dict[Hashable, list[Instruction] | None] = {}
        told = True
        for (_, port), listener in self._listeners.items():
            if (sort := atlas.sort(port)) not in codes:
                codes[sort] = self._code(atlas, source, port, self._codes.get(sort))
            told = self._tell(listener, port, codes[sort]) and told
        self._codes, self._heeded = codes, atlas if told else None

    def _code(
        self, atlas: Atlas, source: Party, port: int, before: list[Instruction] | None
    ) -> list[Instruction] | None:
        """The filter for ``port``; the same object as ``before`` when it says the same. None lets everything pass."""
        wanted = atlas.ways_out(source, port)
        try:
            code = program(*wanted) if wanted else None
        except ValueError as fault:  # the connection is reset instead of dropped
            log.warning("what leaves %s for port %d is not dropped: %s", self.address, port, fault)
            code = None
        return before if code == before else code

    def _tell(self, listener: _Listener, port: int, code: list[Instruction] | None) -> bool:
        """Whether the kernel knows it."""
        if code is listener.filter:
            return True
        try:
            if code:
                attach(listener.held, code)
            else:
                detach(listener.held)
        except OSError as fault:  # the relay refuses what the kernel lets through
            log.warning("what leaves %s for port %d is not filtered: %s", self.address, port, fault)
            return False
        listener.filter = code
        return True

    async def _taken(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            there = await self._connect(*writer.get_extra_info("sockname")[:2])
            if there is None:
                reset(writer)
            else:
                await relay((reader, writer), there)
        except (OSError, asyncio.CancelledError):
            reset(writer)
        finally:
            self._tasks.discard(task)

    def _asked(self, data: bytes, sender: tuple[str, int]) -> None:
        async def reply() -> None:
            answer = await self._answer(data)
            if answer is not None and self._names is not None and not self._names.is_closing():
                self._names.sendto(answer, sender)

        task = asyncio.ensure_future(reply())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def dial(self, port: int, source: str) -> Streams:
        """A connection to the pod from ``source``; raises ``OSError`` as a connect does."""
        if port not in self._own and (ANYWHERE, port) in self._listeners:
            raise ConnectionRefusedError(f"nothing listens on {self.address}:{port}")
        (made,) = await self._made.sockets(self.namespace.net, [Wanted("dial")])
        if isinstance(made, str):
            raise OSError(made)
        try:
            made.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            made.bind((source, 0))
            await asyncio.get_running_loop().sock_connect(made, (self.address, port))
            return await asyncio.open_connection(sock=made)
        except BaseException:
            made.close()
            raise

    async def close(self) -> None:
        """Ends every connection, and lets go of the namespace: it is gone once its last process is."""
        async with self._turn:
            self.closed = True
            for listener in self._listeners.values():
                listener.server.close()
            self._listeners.clear()
            if self._names is not None:
                self._names.close()
            for task in list(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self.namespace.close()


class _Names(asyncio.DatagramProtocol):
    def __init__(self, asked: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._asked = asked

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._asked(data, addr)
