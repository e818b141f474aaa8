"""A blocking client for commands: one socket, one call at a time."""

from __future__ import annotations

import contextlib
import socket
import time
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lazarus_tui.link.client.greeting import greeting
from lazarus_tui.link.codec import BadLine, LinkFault, LinkLost, decode_answer, encode_call
from lazarus_tui.link.protocol import MAX_LINE, Answer, Hello

T = TypeVar("T")


class SyncClient:
    """One connection to the engine. Not for use by several threads at once."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._last = 0
        self._rest = b""
        self.hello: Hello

    @classmethod
    def connect(cls, path: Path | str, *, kubeconfig: str | None = None, timeout: float = 10.0) -> SyncClient:
        """Connect and say hello.

        Raises ``LinkLost`` when nobody listens, ``LinkFault`` (code ``version``) for an engine of another protocol.
        """
        client = cls.attach(path, timeout=timeout)
        try:
            client.hello = client.call("hello", greeting(kubeconfig), Hello, timeout=timeout)
        except BaseException:
            client.close()
            raise
        return client

    @classmethod
    def attach(cls, path: Path | str, *, timeout: float = 10.0) -> SyncClient:
        """Connect without a hello: enough for ``engine.stop``, which an engine of any version answers."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect(str(path))
        except OSError as error:
            sock.close()
            raise LinkLost(f"no engine listens at {path}: {error.strerror or error}") from error
        return cls(sock)

    def call(self, method: str, params: dict[str, Any], type: type[T], *, timeout: float = 60.0) -> T:
        """Ask and decode; raises ``LinkFault`` or ``LinkLost`` (also after ``timeout`` seconds without an answer)."""
        raw = self.raw(method, params, timeout=timeout)
        try:
            return msgspec.json.decode(raw, type=type)
        except msgspec.MsgspecError as error:
            raise LinkLost(f"the engine's answer to {method} is not understood: {error}") from None

    def raw(self, method: str, params: dict[str, Any], *, timeout: float = 60.0) -> bytes:
        """The answer's JSON."""
        self._last += 1
        deadline = time.monotonic() + timeout
        try:
            self._socket.settimeout(timeout)
            self._socket.sendall(encode_call(self._last, method, params))
            while (answer := self._answer(deadline)).id != self._last:
                pass
        except TimeoutError:
            raise LinkLost(f"the engine did not answer {method} within {timeout:.0f} s") from None
        except OSError as error:
            raise LinkLost(f"the engine closed the connection: {error.strerror or error}") from error
        if answer.fault is not None:
            raise LinkFault(answer.fault)
        return bytes(answer.result)

    def _answer(self, deadline: float) -> Answer:
        try:
            return decode_answer(self._line(deadline))
        except BadLine as error:
            raise LinkLost(f"not an engine of Lazarus: {error}") from None

    def _line(self, deadline: float) -> bytes:
        pieces = [self._rest]
        size, piece = len(self._rest), self._rest
        while (end := piece.find(b"\n")) < 0:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            piece = self._socket.recv(1 << 20)
            size += len(piece)
            if not piece:
                raise LinkLost("the engine went away before it answered")
            if size > MAX_LINE:
                raise LinkLost("the engine's answer is longer than the protocol allows")
            pieces.append(piece)
        pieces[-1], self._rest = piece[:end], piece[end + 1 :]
        return b"".join(pieces)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

    def __enter__(self) -> SyncClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
