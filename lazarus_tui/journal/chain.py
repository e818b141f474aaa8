"""The hash chain over events: any edit, swap or missing row between the first and the newest event shows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from lazarus_tui.model.plan import canonical

# What the first event follows.
GENESIS = bytes(32)

# One row of ``event`` in the order of the table's columns.
Row = tuple[int, str, str, int, str, str, bytes, bytes, bytes]


def link(prev: bytes, seq: int, op: str, at: str, boot_ns: int, actor: str, kind: str, body: bytes) -> bytes:
    """SHA-256 over the previous hash and everything an event says; 32 bytes."""
    head: list[Any] = [seq, op, at, boot_ns, actor, kind, len(body)]
    return hashlib.sha256(prev + canonical(head) + body).digest()


def verify(rows: Iterable[Row], last: int = 0, prev: bytes = GENESIS) -> tuple[int, bytes]:
    """The newest sequence number and hash of a chain; raises ``ValueError`` naming the first bad event.

    ``last`` and ``prev`` are those of what was verified before, when it comes in pieces.
    """
    for seq, op, at, boot_ns, actor, kind, body, stored_prev, stored in rows:
        if seq != last + 1:
            raise ValueError(f"event {last + 1} is missing")
        if stored_prev != prev or stored != link(prev, seq, op, at, boot_ns, actor, kind, body):
            raise ValueError(f"event {seq} was changed")
        last, prev = seq, stored
    return last, prev
