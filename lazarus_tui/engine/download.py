"""Downloads from object storage under the address policy: no redirects, no proxies from the environment, all capped.

The name is resolved once, every address is judged, and the connection goes to the judged address with the name kept for
TLS and Host: a second answer of the resolver changes nothing (reference: reliability §5.7).
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from typing import Any

import httpx

from lazarus_tui.model.addresses import AddressPolicy
from lazarus_tui.model.redact import redact
from lazarus_tui.outward import AddressRefused, Resolve, Unresolved, judged, resolve

# Seconds for a connection, and for each silence while the body arrives.
CONNECT, SILENCE = 5.0, 15.0

_GZIP = b"\x1f\x8b"


class DownloadRefused(OSError):
    """Not fetched, or not wholly. The message is safe to show: it never holds the signed part of a URL."""


async def download(
    url: str, *, limit: int, policy: AddressPolicy, ca: str = "", find: Resolve = resolve,
    transport: httpx.AsyncBaseTransport | None = None,
) -> bytes:  # fmt: skip
    """The body of ``url``, unpacked when it is gzip, at most ``limit`` bytes before and after unpacking.

    ``ca`` is PEM text; with it nothing else is trusted. Raises ``DownloadRefused`` (an ``OSError``).
    """
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise DownloadRefused("the storage gave an address that is not a URL") from error
    if target.scheme not in ("http", "https") or not target.host:
        raise DownloadRefused(f"the storage gave a {target.scheme or 'nameless'} address; only http and https are read")
    address = await _judged(target, policy, find)
    verify: ssl.SSLContext | bool = ssl.create_default_context(cadata=ca) if ca else True
    timeout = httpx.Timeout(SILENCE, connect=CONNECT)
    try:
        async with httpx.AsyncClient(
            verify=verify, trust_env=False, follow_redirects=False, timeout=timeout, transport=transport
        ) as client:
            body = await _body(client, target, address, limit)
    except httpx.HTTPError as error:
        raise DownloadRefused(redact(f"{target.host}: {error or type(error).__name__}")) from error
    return await asyncio.to_thread(unpack, body, limit) if body.startswith(_GZIP) else body


async def _judged(target: httpx.URL, policy: AddressPolicy, find: Resolve) -> str:
    """An address of the target; all of them must be allowed."""
    try:
        return (await judged(target.host, target.port or (443 if target.scheme == "https" else 80), policy, find))[0]
    except Unresolved as error:
        inside = "; if it is a name inside the cluster, give the storage location a publicUrl"
        raise DownloadRefused(f"{error}{inside}") from error
    except AddressRefused as error:
        raise DownloadRefused(f"{error}; name its network in the settings to allow it") from error


async def _body(client: httpx.AsyncClient, target: httpx.URL, address: str, limit: int) -> bytes:
    host = target.netloc.decode("ascii").rpartition("@")[2]
    extensions: dict[str, Any] = {"sni_hostname": target.host}
    request = client.build_request(
        "GET",
        target.copy_with(host=address),
        headers={"host": host, "accept-encoding": "identity"},
        extensions=extensions,
    )
    response = await client.send(request, stream=True)
    try:
        if response.status_code != 200:
            raise DownloadRefused(f"{target.host} answered {response.status_code}{_meaning(response.status_code)}")
        parts, size = [], 0
        async for part in response.aiter_raw():
            size += len(part)
            if size > limit:
                raise DownloadRefused(f"{target.host}: larger than {limit} bytes")
            parts.append(part)
    finally:
        await response.aclose()
    return b"".join(parts)


def _meaning(status: int) -> str:
    if 300 <= status < 400:
        return " (a redirect, which is never followed)"
    return {403: " (the signed address has expired or is wrong)", 404: " (there is no such object)"}.get(status, "")


def unpack(body: bytes, limit: int) -> bytes:
    """Gunzip with a cap: a bomb costs ``limit`` bytes and no more."""
    parts, size = [], 0
    try:
        while body:
            machine = zlib.decompressobj(wbits=31)
            part = machine.decompress(body, limit - size + 1)
            size += len(part)
            if size > limit:
                raise DownloadRefused(f"larger than {limit} bytes when unpacked")
            if not machine.eof:
                raise DownloadRefused("the compressed object ends too early")
            parts.append(part)
            body = machine.unused_data.lstrip(b"\0")
    except zlib.error as error:
        raise DownloadRefused(f"the compressed object is damaged: {error}") from error
    return b"".join(parts)
