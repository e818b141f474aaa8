"""Carrying bytes between two connections, and ending one the way a network would."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]

_CHUNK = 65536


async def relay(here: Streams, there: Streams) -> None:
    """Carries both directions until both have ended; a broken one breaks the other."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(here[0], there[1]))
            group.create_task(_pump(there[0], here[1]))
    except* OSError:
        reset(here[1])
        reset(there[1])
    finally:
        for _, writer in (here, there):
            writer.close()
        for _, writer in (here, there):
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection with RST, so that nobody takes it for a peer that had nothing to say."""
    held = writer.get_extra_info("socket")
    if held is not None:
        with contextlib.suppress(OSError):
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
