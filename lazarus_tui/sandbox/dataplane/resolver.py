"""Names of services and pods, as the cluster's DNS answers them: A records over UDP, and nothing else (RFC 1035)."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from lazarus_tui.model.resources import ENDPOINTS, SERVICES
from lazarus_tui.sandbox.dataplane.environment import Reading

DOMAIN = "cluster.local"
_A, _INTERNET = 1, 1
_NO_ERROR, _NAME_ERROR = 0, 3
# Seconds an answer may be kept: a service may come back with another address at once.
_TTL = 5
_HEADER = struct.Struct("!HHHHHH")


@dataclass(frozen=True, slots=True)
class Question:
    """One question: ``name`` in lower case without the last dot; ``raw`` is the query's own question section."""

    number: int
    flags: int
    name: str
    kind: int
    raw: bytes


def question(data: bytes) -> Question | None:
    """What a query asks; None for what is not a query with exactly one question."""
    try:
        number, flags, questions, _, _, _ = _HEADER.unpack_from(data)
        labels, at = [], _HEADER.size
        while length := data[at]:
            if length > 63:
                return None
            labels.append(data[at + 1 : at + 1 + length].decode("ascii").lower())
            at += 1 + length
        kind, family = struct.unpack_from("!HH", data, at + 1)
    except (struct.error, IndexError, UnicodeDecodeError):
        return None
    if flags & 0x8000 or questions != 1 or family != _INTERNET:
        return None
    return Question(number, flags, ".".join(labels), kind, data[_HEADER.size : at + 5])


def answer(asked: Question, addresses: Sequence[str] | None) -> bytes:
    """The reply: ``addresses`` of the name, or None for a name that does not exist."""
    code = _NAME_ERROR if addresses is None else _NO_ERROR
    found = list(addresses or ()) if asked.kind == _A else []
    # Response, recursion as asked, recursion available.
    flags = 0x8000 | (asked.flags & 0x0100) | 0x0080 | code
    records = b"".join(
        struct.pack("!HHHIH", 0xC00C, _A, _INTERNET, _TTL, 4) + ipaddress.IPv4Address(address).packed
        for address in found
    )
    return _HEADER.pack(asked.number, flags, 1, len(found), 0, 0) + asked.raw + records


def cluster_addresses(api: Reading, name: str) -> list[str] | None:
    """Addresses of ``[pod.]service.namespace.svc.cluster.local``; None when there is no such name."""
    labels = name.removesuffix(f".svc.{DOMAIN}").split(".")
    if len(labels) not in (2, 3):
        return None
    namespace, service = labels[-1], labels[-2]
    found = api.get(SERVICES, service, namespace)
    if found is None:
        return None
    address = found["spec"].get("clusterIP")
    if address and address != "None":
        return [address] if len(labels) == 2 else None
    entries = [
        entry
        for subset in (api.get(ENDPOINTS, service, namespace) or {}).get("subsets") or ()
        for entry in subset.get("addresses") or ()
    ]
    if len(labels) == 2:
        return [entry["ip"] for entry in entries]
    own = [entry["ip"] for entry in entries if (entry.get("targetRef") or {}).get("name") == labels[0]]
    return own or None
