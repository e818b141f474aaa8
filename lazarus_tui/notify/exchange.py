"""One request to an address outside, one answer: every address judged, no redirect followed, no proxy used.

The connection goes to the address that was judged, with the name kept for TLS and Host. The transport of httpx is used
without its client, which writes addresses into logs (reference: reliability §5.7).
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from lazarus_tui.model.addresses import AddressPolicy
from lazarus_tui.outward import Resolve, judged, resolve

# Seconds for a connection, and for each silence.
CONNECT, SILENCE = 5.0, 10.0
AGENT = "lazarus"


class Unusable(Exception):
    """An address cannot be used as it is; the message does not hold it."""


@dataclass(frozen=True)
class Reply:
    """``body``: at most as many bytes as were asked for."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Way:
    """How something is reached: where it may be, what it is trusted by (None: this machine's authorities)."""

    policy: AddressPolicy
    ca_file: Path | None = None
    find: Resolve = resolve


async def target(url: str, way: Way) -> tuple[httpx.URL, str]:
    """The address as a URL and the literal to connect to. Plain http goes only where a network was opened.

    Raises ``Unusable``, ``outward.Unresolved`` and ``outward.AddressRefused``.
    """
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:
        raise Unusable("its address is not a URL") from None
    if found.scheme not in ("http", "https") or not found.host:
        raise Unusable("its address is neither http nor https")
    if found.userinfo:
        raise Unusable("its address has a user in it, which is not supported")
    port = found.port or (443 if found.scheme == "https" else 80)
    if port > 65535:
        raise Unusable("its address names a port that there is not")
    addresses = await judged(found.host, port, way.policy, way.find)
    if found.scheme == "http" and not all(way.policy.allows_by_name(address) for address in addresses):
        raise Unusable(f"{found.host}: plain http is spoken only to addresses in a network that was opened")
    return found, addresses[0]


async def exchange(
    method: str, url: str, way: Way, *, headers: Mapping[str, str], body: bytes = b"", limit: int
) -> Reply:  # fmt: skip
    """At most ``limit`` bytes of the answer are read. Raises as ``target`` does, and ``httpx.HTTPError``."""
    found, address = await target(url, way)
    host = found.netloc.decode("ascii").rpartition("@")[2]
    request = httpx.Request(
        method, found.copy_with(host=address), content=body,
        headers={**headers, "host": host, "user-agent": AGENT, "accept-encoding": "identity"},
        extensions={
            "timeout": httpx.Timeout(SILENCE, connect=CONNECT).as_dict(), "sni_hostname": found.host,
        },
    )  # fmt: skip
    trust = found.scheme == "https" and _trust(way.ca_file)
    async with httpx.AsyncHTTPTransport(verify=trust, trust_env=False, retries=0) as transport:
        response = await transport.handle_async_request(request)
        try:
            return Reply(response.status_code, response.headers, await _beginning(response, limit))
        finally:
            await response.aclose()


def _trust(ca_file: Path | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        raise Unusable(f"its ca_file cannot be used: {error.strerror or type(error).__name__}") from None


async def _beginning(response: httpx.Response, limit: int) -> bytes:
    """As much of an answer as is looked at, whatever its length."""
    found = b""
    async for part in response.aiter_raw():
        found += part
        if len(found) >= limit:
            break
    return found[:limit]
