"""One way out for everything that is not a Kubernetes API: the name is resolved once, and every address is judged.

Whoever connects goes to the judged address and keeps the name for TLS and Host, so a second answer of the resolver
changes nothing (reference: reliability §5.7).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

from lazarus_tui.model.addresses import AddressPolicy

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Unresolved(OSError):
    """The name has no address from here."""


class AddressRefused(OSError):
    """One of its addresses must not be reached; the message says which and why."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Addresses of a name by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


async def judged(host: str, port: int, policy: AddressPolicy, find: Resolve = resolve) -> Sequence[str]:
    """The addresses of ``host``, all of them allowed; raises ``Unresolved`` or ``AddressRefused``."""
    try:
        found = await find(host, port)
    except (OSError, UnicodeError) as error:
        raise Unresolved(f"{host} cannot be resolved from here") from error
    if not found:
        raise Unresolved(f"{host} has no address")
    for address in found:
        if refusal := policy.refusal(address):
            raise AddressRefused(f"{host}: {refusal}")
    return found
