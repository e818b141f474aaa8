"""What the API server asks of the kubelet: logs, exec, attach and connections into pods."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol


class RuntimeRefused(Exception):
    """The pod or container cannot serve this: ``status`` and ``reason`` become the API's answer."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


def not_reached(address: str, port: int, why: str) -> RuntimeRefused:
    """A pod's port that does not answer, worded as Go's dialler does it."""
    return RuntimeRefused(503, "ServiceUnavailable", f"dial tcp {address}:{port}: {why}")


class ExecSession(Protocol):
    """A running exec. ``stdin`` is None when it was not asked for."""

    async def write_stdin(self, data: bytes) -> None: ...

    async def close_stdin(self) -> None: ...

    def output(self) -> AsyncIterator[tuple[int, bytes]]:
        """Pairs (1 stdout | 2 stderr, bytes) until both are at their end."""
        ...

    async def wait(self) -> int:
        """The exit code."""
        ...

    async def kill(self) -> None:
        """The client has gone: an exec ends; an attach only lets go of the container."""
        ...

    async def resize(self, columns: int, rows: int) -> None:
        """The client's terminal has this size now; without a terminal nothing happens."""
        ...


class PodRuntime(Protocol):
    """Implemented by the sandbox's kubelet; refused requests raise ``RuntimeRefused``."""

    def logs(
        self,
        namespace: str,
        pod: str,
        container: str,
        *,
        follow: bool,
        previous: bool,
        tail: int | None,
        since_seconds: int | None,
        timestamps: bool,
        limit_bytes: int | None,
    ) -> AsyncIterator[bytes]: ...

    async def exec(
        self, namespace: str, pod: str, container: str, argv: Sequence[str], *, stdin: bool, tty: bool
    ) -> ExecSession: ...

    async def attach(self, namespace: str, pod: str, container: str, *, stdin: bool, tty: bool) -> ExecSession:
        """The container's own process: its output from now on, and its input when it has one."""
        ...

    async def connect(
        self, namespace: str, pod: str, port: int, *, outside: bool = False
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to a port of the pod: through its node, or by the network from ``outside`` of it."""
        ...
