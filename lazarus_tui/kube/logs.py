"""Container logs, as bytes: what is in them is the application's, and hostile until ``view`` has cleaned it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from lazarus_tui.kube.errors import from_oserror, from_response
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.resources import PODS

if TYPE_CHECKING:
    from lazarus_tui.kube.cluster import Cluster

# Bytes of a log that is not followed; the server is asked for no more either.
LOG_LIMIT = 16 * 1024 * 1024
# Seconds. A followed log may rightly be silent for long.
SILENCE, FOLLOW_SILENCE = 15.0, 3600.0
_ERROR_BODY = 64 * 1024


async def logs(
    cluster: Cluster,
    namespace: str,
    pod: str,
    container: str = "",
    *,
    follow: bool = False,
    tail: int | None = None,
    since_seconds: int | None = None,
    previous: bool = False,
    limit: int | None = None,
) -> AsyncGenerator[bytes, None]:
    """Chunks of the log; their borders mean nothing. Ends after ``limit`` bytes (16 MiB unless followed)."""
    from lazarus_tui.kube.cluster import object_path

    cap = limit if limit is not None or follow else LOG_LIMIT
    query = {
        "container": container,
        "follow": "true" if follow else "",
        "previous": "true" if previous else "",
        "tailLines": "" if tail is None else str(tail),
        "sinceSeconds": "" if since_seconds is None else str(since_seconds),
        "limitBytes": "" if cap is None else str(cap),
    }
    request = HttpRequest(
        "GET",
        object_path(PODS, namespace, pod, "log"),
        tuple((key, value) for key, value in query.items() if value),
        {"accept": "*/*"},
        timeout=FOLLOW_SILENCE if follow else SILENCE,
    )
    sent = 0
    try:
        async with cluster.transport.stream(request) as stream:
            failed = not 200 <= stream.status < 300
            body = bytearray()
            async for chunk in stream.chunks():
                if failed:
                    body += chunk[: _ERROR_BODY - len(body)]
                    continue
                chunk = chunk if cap is None else chunk[: cap - sent]
                sent += len(chunk)
                if chunk:
                    yield chunk
                if cap is not None and sent >= cap:
                    return
            if failed:
                raise from_response(request, HttpResponse(stream.status, stream.headers, bytes(body)), "pods/log")
    except OSError as error:
        raise from_oserror(request, error, "pods/log") from None
