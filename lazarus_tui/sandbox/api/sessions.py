"""exec and attach: one conversation between a client and a process of a container, over numbered channels."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from lazarus_tui.model.http import WebSocket
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.runtime import ExecSession, RuntimeRefused

# Channel 0 stdin, 1 stdout, 2 stderr, 3 status, 4 resize; with v5 a [255, channel] frame closes one direction.
PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDIN, _STATUS, _RESIZE, _CLOSE = 0, 3, 4, 255
_FRAME = 32 * 1024


class _Size(msgspec.Struct):
    """A terminal's size, as the client tells it."""

    Width: int
    Height: int


@dataclass(frozen=True, slots=True)
class Conversation:
    """``begin`` starts the process once the client is connected: what the kubelet refuses comes as a Status then."""

    begin: Callable[[], Awaitable[ExecSession]]
    stdin: bool
    outputs: frozenset[int] = frozenset((1, 2))

    async def run(self, socket: WebSocket) -> None:
        try:
            session = await self.begin()
        except RuntimeRefused as refused:
            await self._end(socket, refusal_status(refused))
            await socket.close()
            return
        reading = asyncio.create_task(self._read(socket, session))
        working = asyncio.create_task(self._work(socket, session))
        try:
            # Whoever ends first decides: the command with its exit code, or the client by going away.
            await asyncio.wait({reading, working}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # A connection that breaks cancels this, even here; the command must not outlive its client then either.
            ends = {reading, working} if working.done() else {reading, working, asyncio.create_task(session.kill())}
            for task in (reading, working):
                task.cancel()
            await asyncio.wait(ends)
            await asyncio.gather(*ends, return_exceptions=True)
            await socket.close()

    async def _read(self, socket: WebSocket, session: ExecSession) -> None:
        while (frame := await socket.receive()) is not None:
            if len(frame) < 2:
                continue
            with suppress(OSError):  # the command may not read to the end
                if frame[0] == _STDIN and self.stdin:
                    await session.write_stdin(frame[1:])
                elif frame[0] == _CLOSE and frame[1] == _STDIN and self.stdin:
                    await session.close_stdin()
                elif frame[0] == _RESIZE and (size := _size(frame[1:])):
                    await session.resize(*size)

    async def _work(self, socket: WebSocket, session: ExecSession) -> None:
        async for channel, data in session.output():
            for start in range(0, len(data) if channel in self.outputs else 0, _FRAME):
                await socket.send(bytes([channel]) + data[start : start + _FRAME])
        await self._end(socket, exit_status(await session.wait()))

    @staticmethod
    async def _end(socket: WebSocket, status: dict[str, Any]) -> None:
        await socket.send(bytes([_STATUS]) + msgspec.json.encode(status))


def _size(frame: bytes) -> tuple[int, int] | None:
    """Columns and rows; None for anything else."""
    try:
        size = msgspec.json.decode(frame, type=_Size)
    except msgspec.DecodeError:
        return None
    return (size.Width, size.Height) if 0 < size.Width < 65536 and 0 < size.Height < 65536 else None


def exit_status(code: int) -> dict[str, Any]:
    """The Status on channel 3 that carries an exit code."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def refusal_status(refused: RuntimeRefused) -> dict[str, Any]:
    """The Status on channel 3 for a process that was never started; a 500 is worded as the API server words it."""
    if refused.status != 500:
        status = ApiError(refused.status, refused.reason, refused.message).to_status()
    else:
        causes = {"causes": [{"message": refused.message}]}
        status = ApiError(500, "InternalError", f"Internal error occurred: {refused.message}", causes).to_status()
    return {key: value for key, value in status.items() if key not in ("kind", "apiVersion")}
