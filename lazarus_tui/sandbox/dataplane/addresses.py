"""Addresses of pods and services.

On Linux all of 127.0.0.0/8 is loopback: pods get 127.42.x.y and services 127.43.x.y, so ports never clash and podIP,
containerPort and endpoints are true. Elsewhere only 127.0.0.1 exists: then every port is mapped to a free one. ``x`` is
a block that one sandbox holds for itself, so that several sandboxes can run on one machine.
"""

from __future__ import annotations

import hashlib
import socket
import sys
from collections.abc import Iterable
from pathlib import Path

API_SERVICE = ("127.43.255.1", 443)
"""Where pods find the API server: the ClusterIP and port of ``kubernetes.default.svc``."""

DNS_ADDRESS = "127.43.255.10"
"""The ClusterIP of ``kube-dns``."""

_PODS, _SERVICES = "127.42", "127.43"
# Whoever holds this UDP port on the block's first address holds the block; the system frees it when the holder dies.
_HOLD_PORT = 42042
# The last block is every cluster's own: see above.
_BLOCKS = 255


class AddressesExhausted(Exception):
    """All addresses of the block are taken."""


class Addresses:
    """Hands out addresses; ``hold`` before the first and ``release`` after the last."""

    def __init__(self, root: Path, *, mapped: bool | None = None) -> None:
        self.mapped = sys.platform != "linux" if mapped is None else mapped
        self._preferred = hashlib.sha256(str(root).encode()).digest()[0] % _BLOCKS
        self._block = self._preferred
        self._hold: socket.socket | None = None
        self._pods: dict[str, str] = {}
        self._ports: dict[tuple[str, int], int] = {}

    def hold(self) -> None:
        """Takes the block this root had before if it is free, else the next free one."""
        if self.mapped or self._hold:
            return
        for step in range(_BLOCKS):
            block = (self._preferred + step) % _BLOCKS
            holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                holder.bind((f"{_PODS}.{block}.1", _HOLD_PORT))
            except OSError:
                holder.close()
                continue
            self._hold, self._block = holder, block
            return
        raise AddressesExhausted(f"{_BLOCKS} sandboxes run on this machine already")

    def release(self) -> None:
        if self._hold:
            self._hold.close()
            self._hold = None

    def pod(self, uid: str) -> str:
        """The address of pod ``uid``; the same one until it is freed."""
        if self.mapped:
            return "127.0.0.1"
        if uid not in self._pods:
            self._pods[uid] = self._free(_PODS, self._pods.values())
        return self._pods[uid]

    def free_pod(self, uid: str) -> None:
        self._pods.pop(uid, None)
        for key in [key for key in self._ports if key[0] == uid]:
            del self._ports[key]

    @property
    def services(self) -> str:
        """The network of this sandbox's services. Without a loopback net their addresses only name them."""
        return f"{_SERVICES}.{self._block}.0/24"

    def port(self, uid: str, wanted: int) -> int:
        """The port that stands for ``wanted`` of pod ``uid``: itself, or where ports are mapped a free one."""
        if not self.mapped:
            return wanted
        if (uid, wanted) not in self._ports:
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.bind(("127.0.0.1", 0))
                self._ports[uid, wanted] = probe.getsockname()[1]
        return self._ports[uid, wanted]

    def _free(self, net: str, taken: Iterable[str]) -> str:
        used = set(taken)
        for last in range(2, 255):
            if (address := f"{net}.{self._block}.{last}") not in used:
                return address
        raise AddressesExhausted(f"{net}.{self._block}.0 has no free address")
