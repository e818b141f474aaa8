"""nc, wget and nslookup, as far as somebody needs them who wants to know what can be reached from a pod."""

from __future__ import annotations

import os
import socket
import sys
import time

from names import lookup  # type: ignore[import-not-found]
from wire import peer, say  # type: ignore[import-not-found]

# Seconds that busybox's wget waits; nc gives up after as many, instead of after the kernel's two minutes.
_PATIENCE = 10.0
# A node that takes a connection and finds nobody to pass it on to resets it within this time.
_MOMENT = 0.3
# How often it is looked whether it has been taken: a node that is held up leaves it to the kernel meanwhile.
_LOOK = 0.02
# ESTABLISHED and SYN_RECV (<net/tcp_states.h>): later states belong to no process either.
_OPEN = ("01", "03")


def complain(text: str) -> int:
    sys.stderr.write(text + "\n")
    return 1


def nc(args: list[str]) -> int:
    """``nc -z [-w SECONDS] HOST PORT``: does something take a connection there, and keep it for a moment?

    Outside the cluster the node takes it before it has reached anybody: only an exchange, as of wget, proves more.
    """
    words, patience = list(args), _PATIENCE
    if "-w" in words:
        at = words.index("-w")
        patience = float(words[at + 1])
        del words[at : at + 2]
    if len(words) != 3 or words[0] not in ("-z", "-vz", "-zv") or not words[2].isdigit():
        return complain("nc: only nc -z [-w SECONDS] HOST PORT is known here")
    try:
        place = peer("", f"tcp://{words[1]}:{words[2]}")
    except OSError as fault:
        return complain(f"nc: bad address '{words[1]}': {fault}")
    host, _, port = place.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=patience) as connection:
            _until_taken(connection)
            connection.settimeout(_MOMENT)
            try:
                if not connection.recv(1, socket.MSG_PEEK):
                    return complain(f"nc: {words[1]} ({place}): closed at once")
            except TimeoutError:
                pass  # it stays open: somebody waits for us to speak
    except OSError as fault:
        return complain(f"nc: {words[1]} ({place}): {_why(fault)}")
    say(f"{words[1]} ({place}) open")
    return 0


def _until_taken(connection: socket.socket) -> None:
    """Raises ``TimeoutError`` when nobody takes it: what has only been queued says nothing about a way."""
    try:
        ends = [_told(*connection.getpeername()[:2]), _told(*connection.getsockname()[:2])]
    except OSError:
        return  # it has been reset by now, or is none of IPv4
    end = time.monotonic() + _PATIENCE
    while _queued(ends):
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(_LOOK)


def _queued(ends: list[str]) -> bool:
    """Whether the far end is in this pod's network and belongs to no process yet; False where that is not told."""
    try:
        with open("/proc/self/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file]
    except OSError:
        return False
    return any(row[1:3] == ends and row[3] in _OPEN and row[9] == "0" for row in rows)


def _told(host: str, port: int) -> str:
    """An end of a connection as the kernel writes it."""
    return f"{int.from_bytes(socket.inet_aton(host), sys.byteorder):08X}:{port:04X}"


def nslookup(args: list[str]) -> int:
    """``nslookup [-timeout=SECONDS] NAME [SERVER]``: the first address of a name."""
    options = [word for word in args if word.startswith("-timeout=")]
    name, *servers = [word for word in args if not word.startswith("-")] or [""]
    server = servers[0] if servers else os.environ.get("LAZARUS_DNS", "")
    if not name or len(servers) > 1 or not server:
        return complain("nslookup: " + ("pods have no name server here" if name else "one name is needed"))
    try:
        patience = (float(option.partition("=")[2]) for option in options)
        address = lookup(name, server, *patience)
    except TimeoutError:
        return complain(";; connection timed out; no servers could be reached")
    except OSError as fault:
        unreached = fault.errno is not None  # of the network, not of the name
        return complain(f"nslookup: {server}: {_why(fault)}" if unreached else f"** server can't find {name}: NXDOMAIN")
    say(f"Server:\t\t{server}\n\nName:\t{name}\nAddress: {address}")
    return 0


def wget(args: list[str]) -> int:
    """``wget [-q] [-O -] [-T SECONDS] [--no-check-certificate] URL``: the body goes to the standard output."""
    from http.client import HTTPConnection, HTTPException, HTTPSConnection
    from ssl import CERT_NONE, create_default_context
    from urllib.parse import urlsplit

    words, patience = [word for word in args if word not in ("-q", "-O", "-", "-qO-", "-O-", "-qO")], _PATIENCE
    if "-T" in words:
        at = words.index("-T")
        patience = float(words[at + 1])
        del words[at : at + 2]
    trusting = "--no-check-certificate" in words
    url = urlsplit(words[-1] if words else "")
    if url.scheme not in ("http", "https") or not url.hostname:
        return complain("wget: only http:// and https:// are known here")
    port = url.port or (443 if url.scheme == "https" else 80)
    try:
        host, _, number = peer("", f"tcp://{url.hostname}:{port}").rpartition(":")
        if url.scheme == "https":
            context = create_default_context()
            if trusting:
                context.check_hostname, context.verify_mode = False, CERT_NONE
            connection: HTTPConnection = HTTPSConnection(host, int(number), timeout=patience, context=context)
        else:
            connection = HTTPConnection(host, int(number), timeout=patience)
        connection.request(
            "GET", (url.path or "/") + (f"?{url.query}" if url.query else ""), headers={"Host": url.netloc}
        )
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, HTTPException) as fault:
        return complain(f"wget: can't connect to {url.hostname}: {_why(fault)}")
    if answer.status >= 400:
        return complain(f"wget: server returned error: HTTP/1.1 {answer.status} {answer.reason}")
    sys.stdout.buffer.write(body)
    return 0


def _why(fault: Exception) -> str:
    if isinstance(fault, TimeoutError):
        return "Connection timed out"
    return getattr(fault, "strerror", None) or str(fault) or type(fault).__name__
