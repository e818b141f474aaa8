"""Plain HTTP/1.1 for the shop's programs: threaded, and light to import (``http.server`` costs 60 ms and 8 MB)."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable

# A handler gets method, path and body, and answers status, content type and body.
Handler = Callable[[str, str, bytes], tuple[int, str, bytes]]

_LIMIT = 64 * 1024
_REASONS = {200: "OK", 201: "Created", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error",
            503: "Service Unavailable"}  # fmt: skip


def say(text: str) -> None:
    """One line into the container's log."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def serve(port: int, handler: Handler) -> None:
    """Answers on the pod's address until SIGTERM, which ends the program by ``SystemExit``."""
    host = os.environ.get("POD_IP", "127.0.0.1")
    port = int(os.environ.get(f"PORT_{port}", port))
    server = socket.create_server((host, port), backlog=64)
    busy = threading.Semaphore(64)

    def stop(*_: object) -> None:
        server.close()
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    say(f"listening on {host}:{port}")
    while True:
        connection, _ = server.accept()
        busy.acquire()
        threading.Thread(target=_converse, args=(connection, handler, busy), daemon=True).start()


def _converse(connection: socket.socket, handler: Handler, busy: threading.Semaphore) -> None:
    try:
        with connection, connection.makefile("rb") as reader:
            connection.settimeout(30)
            while True:
                line = reader.readline(_LIMIT)
                parts = line.split()
                if len(parts) != 3:
                    return
                headers = _headers(reader)
                body = reader.read(min(int(headers.get("content-length", "0")), _LIMIT))
                keep = headers.get("connection", "").lower() != "close" and parts[2] == b"HTTP/1.1"
                status, kind, answer = _answer(handler, parts[0].decode("latin-1"), parts[1].decode("latin-1"), body)
                head = (
                    f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(answer)}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n"
                )
                connection.sendall(head.encode() + (b"" if parts[0] == b"HEAD" else answer))
                if not keep:
                    return
    except (OSError, ValueError):
        return
    finally:
        busy.release()


def _headers(reader: object) -> dict[str, str]:
    headers: dict[str, str] = {}
    while True:
        line = reader.readline(_LIMIT).decode("latin-1").rstrip("\r\n")  # type: ignore[attr-defined]
        if not line or len(headers) > 100:
            return headers
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()


def _answer(handler: Handler, method: str, path: str, body: bytes) -> tuple[int, str, bytes]:
    try:
        return handler(method, path.partition("?")[0], body)
    except Exception as fault:
        say(f"error: {method} {path}: {type(fault).__name__}: {fault}")
        return 500, "text/plain", b"internal error\n"


def peer(name: str, default: str) -> str:
    """``host:port`` of a service: ``<NAME>_URL`` of the environment, or ``default``, looked up in the cluster's names.

    The names are looked up anew each time: a service may come back with another address. Raises ``OSError``.
    """
    url = os.environ.get(f"{name}_URL") or default
    host = url.partition("://")[2].partition("/")[0]
    host = host if ":" in host else host + ":80"
    if server := os.environ.get("LAZARUS_DNS"):
        from names import lookup  # type: ignore[import-not-found]

        name, _, port = host.partition(":")
        return f"{lookup(name, server)}:{port}"
    short, _, port = host.partition(":")
    labels = short.split(".")
    namespace = labels[1] if len(labels) > 1 else os.environ.get("POD_NAMESPACE", "default")
    try:
        with open(os.environ.get("LAZARUS_HOSTS", ""), encoding="utf-8") as file:
            return str(json.load(file).get(f"{labels[0]}.{namespace}:{port}") or host)
    except (OSError, ValueError):
        return host


def ask(method: str, address: str, path: str, body: bytes = b"", timeout: float = 3.0) -> tuple[int, bytes]:
    """One request on a connection of its own; raises ``OSError`` when there is no whole answer."""
    host, _, port = address.rpartition(":")
    request = f"{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=timeout) as connection:
        connection.sendall(request.encode() + body)
        with connection.makefile("rb") as reader:
            parts = reader.readline(_LIMIT).split(None, 2)
            if len(parts) < 2 or not parts[1].isdigit():
                raise ConnectionError("the connection ended before an answer")
            length = int(_headers(reader).get("content-length", "0"))
            answer = reader.read(length)
            if len(answer) < length:
                raise ConnectionError("the connection ended inside an answer")
            return int(parts[1]), answer
