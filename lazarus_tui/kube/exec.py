"""A command in a container, with its exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lazarus_tui.kube.channels import V4, V5, open_channels
from lazarus_tui.kube.errors import (
    Invalid,
    KubeError,
    ServerFault,
    Status,
    TimedOut,
    Unexpected,
    Unreachable,
    line,
    parse_status,
)
from lazarus_tui.model.clock import listened
from lazarus_tui.model.http import HttpRequest, WebSocket

if TYPE_CHECKING:
    from lazarus_tui.kube.cluster import Cluster

STDIN, STDOUT, STDERR, STATUS, CLOSE = 0, 1, 2, 3, 255
# Bytes kept; what comes after them is read and dropped, and the result says so.
STDOUT_LIMIT, STDERR_LIMIT = 8 * 1024 * 1024, 64 * 1024
_STDIN_FRAME = 32 * 1024


@dataclass(slots=True)
class ExecResult:
    """What a finished command gave; ``truncated`` when output was dropped, ``cut`` when stdout was.

    Its repr shows sizes, never the output.
    """

    exit_code: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    truncated: bool = False
    cut: bool = False


class _Sink:
    def __init__(self, limit: int) -> None:
        self.limit, self.data, self.dropped = limit, bytearray(), 0

    def feed(self, data: bytes) -> None:
        kept = data[: self.limit - len(self.data)]
        self.data += kept
        self.dropped += len(data) - len(kept)


async def run(
    cluster: Cluster,
    namespace: str,
    pod: str,
    container: str,
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float = 30.0,
) -> ExecResult:
    """Run ``argv`` (no shell) and wait for its end; a non-zero exit code is a result, not an error.

    Raises ``TimedOut`` when it was listened to for ``timeout`` seconds (the command may still be running there),
    ``Unreachable`` when the connection ends before an exit code was heard.
    """
    query = [("container", container)] if container else []
    query += [("command", word) for word in argv]
    query += [("stdout", "true"), ("stderr", "true")]
    if stdin:
        query.append(("stdin", "true"))

    async def ran() -> ExecResult:
        async with open_channels(cluster, namespace, pod, "exec", tuple(query), (V5, V4), timeout) as (request, socket):
            if stdin:
                await _send_stdin(request, socket, stdin)
            return await _collect(request, socket)

    try:
        return await listened(timeout, ran())
    except TimeoutError:
        raise TimedOut(
            f"no exit code within {timeout:g} s", request=f"exec {namespace}/{pod}", resource="pods/exec"
        ) from None


async def _send_stdin(request: HttpRequest, socket: WebSocket, stdin: bytes) -> None:
    if socket.subprotocol != V5:
        raise Unexpected("the server cannot close stdin (no v5.channel.k8s.io)", request=line(request))
    for start in range(0, len(stdin), _STDIN_FRAME):
        await socket.send(bytes([STDIN]) + stdin[start : start + _STDIN_FRAME])
    await socket.send(bytes([CLOSE, STDIN]))


class Hearing:
    """What has come from a command so far, by its frames."""

    def __init__(self) -> None:
        self.out, self.err = _Sink(STDOUT_LIMIT), _Sink(STDERR_LIMIT)
        self._status = bytearray()

    def feed(self, frame: bytes) -> bool:
        """True when the command is over."""
        channel, data = (frame[0], frame[1:]) if frame else (CLOSE, b"")
        if channel == STDOUT:
            self.out.feed(data)
        elif channel == STDERR:
            self.err.feed(data)
        elif channel == STATUS:
            self._status += data[: STDERR_LIMIT - len(self._status)]
            return bool(parse_status(bytes(self._status)) or _bare(bytes(self._status)))
        return False

    def result(self, request: HttpRequest) -> ExecResult:
        """Raises ``Unreachable`` when no exit code was heard, and what kept the command from being started."""
        dropped = bool(self.out.dropped or self.err.dropped)
        code = _exit_code(request, bytes(self._status))
        return ExecResult(code, bytes(self.out.data), bytes(self.err.data), dropped, bool(self.out.dropped))


async def _collect(request: HttpRequest, socket: WebSocket) -> ExecResult:
    hearing = Hearing()
    while (frame := await socket.receive()) is not None:
        if hearing.feed(frame):
            break
    return hearing.result(request)


def _bare(body: bytes) -> Status | None:
    """The Status on the status channel; servers leave its kind out."""
    from lazarus_tui.kube.decode import decode

    try:
        status: Status = decode(body, Status)
    except ValueError:
        return None
    return status if status.status else None


def _exit_code(request: HttpRequest, body: bytes) -> int:
    status = _bare(body)
    if status is None:
        raise Unreachable("the connection ended before the exit code", request=line(request), resource="pods/exec")
    if status.status == "Success":
        return 0
    for cause in (status.details.causes if status.details else None) or ():
        if cause.reason == "ExitCode" and cause.message.isdigit():
            return int(cause.message)
    # The runtime could not start the command, e.g. its binary does not exist in the image.
    kind: type[KubeError] = ServerFault if status.reason in ("", "InternalError") else Invalid
    raise kind(status.message or "exec failed", request=line(request), reason=status.reason, resource="pods/exec")
