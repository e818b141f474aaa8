"""The cluster's DNS as a pod's resolver asks it: with the search list and the patience of its resolv.conf."""

from __future__ import annotations

import os
import re
import socket
import struct

_PATIENCE, _ATTEMPTS = 2.0, 4
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")


def lookup(name: str, server: str, patience: float = _PATIENCE) -> str:
    """The first address of ``name``; raises ``OSError``: no such name, or no answer for ``patience`` seconds."""
    if _ADDRESS.fullmatch(name):
        return name
    namespace = os.environ.get("POD_NAMESPACE", "default")
    search = (f"{namespace}.svc.cluster.local", "svc.cluster.local", "cluster.local")
    absolute = name.endswith(".")
    candidates = [name.rstrip("."), *([] if absolute else [f"{name}.{domain}" for domain in search])]
    if name.count(".") < 5 and not absolute:  # options ndots:5
        candidates = [*candidates[1:], candidates[0]]
    for candidate in candidates:
        found = _ask(candidate, server, patience)
        if found:
            return found[0]
    raise OSError(f"{name}: no such name")


def _ask(name: str, server: str, patience: float) -> list[str]:
    number = struct.unpack("!H", os.urandom(2))[0]
    labels = b"".join(bytes((len(part),)) + part.encode("idna") for part in name.split("."))
    query = struct.pack("!HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.settimeout(patience / _ATTEMPTS)
        wire.connect((server, 53))
        for _ in range(_ATTEMPTS):
            try:
                wire.send(query)
                while True:
                    reply = wire.recv(4096)
                    if reply[:2] == query[:2]:
                        return _addresses(reply, len(query))
            except TimeoutError:
                continue
    raise TimeoutError(f"{name}: no answer from the name server {server}")


def _addresses(reply: bytes, at: int) -> list[str]:
    """A records behind the question, which ends at ``at``: names in them are two bytes long, references to it."""
    found = []
    for _ in range(struct.unpack_from("!H", reply, 6)[0]):
        kind, _, _, length = struct.unpack_from("!HHIH", reply, at + 2)
        if kind == 1 and length == 4:
            found.append(socket.inet_ntoa(reply[at + 12 : at + 16]))
        at += 12 + length
    return found
