"""GET on a Service through the API server, so a check needs no route into the cluster."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from lazarus_tui.kube.errors import Invalid, from_oserror, from_response, parse_status
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.resources import SERVICES

if TYPE_CHECKING:
    from lazarus_tui.kube.cluster import Cluster


async def service_proxy(
    cluster: Cluster,
    namespace: str,
    service: str,
    port: int | str,
    path: str,
    *,
    timeout: float = 5.0,
    limit: int = 65536,
) -> tuple[int, bytes]:
    """The application's status and at most ``limit`` bytes of its body, all within ``timeout`` seconds.

    What the API server itself says (no such Service, no endpoints, forbidden) is raised as its error.
    """
    from lazarus_tui.kube.cluster import object_path

    plain, _, query = path.lstrip("/").partition("?")
    if ".." in plain.split("/"):
        raise Invalid("a proxied path must not climb", reason="BadName", resource="services")
    base = object_path(SERVICES, namespace, f"{service}:{port}", "proxy")
    pairs = tuple(parse_qsl(query, keep_blank_values=True))
    request = HttpRequest("GET", f"{base}/{plain}", pairs, {"accept": "*/*"}, timeout=timeout)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout), cluster.transport.stream(request) as stream:
            async for chunk in stream.chunks():
                body += chunk
                if len(body) >= limit:
                    break
            status, headers = stream.status, stream.headers
    except OSError as error:
        raise from_oserror(request, error, "services") from None
    answer = bytes(body[:limit])
    if status >= 400 and (status == 401 or parse_status(answer) is not None):
        raise from_response(request, HttpResponse(status, headers, answer), "services")
    return status, answer
