"""What exec and port-forward share: opening a channel WebSocket to a pod, and saying why it was refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from lazarus_tui.kube.errors import (
    Invalid,
    KubeError,
    NotFound,
    ServerFault,
    from_oserror,
    from_response,
    line,
    parse_status,
)
from lazarus_tui.model.http import HandshakeRefused, HttpRequest, WebSocket
from lazarus_tui.model.objects import Pod
from lazarus_tui.model.resources import PODS

if TYPE_CHECKING:
    from lazarus_tui.kube.cluster import Cluster

# With v5 a channel can be closed alone ([255, channel]), so stdin has an end; v4 cannot (kubernetes#89899).
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"


@asynccontextmanager
async def open_channels(
    cluster: Cluster,
    namespace: str,
    pod: str,
    subresource: str,
    query: tuple[tuple[str, str], ...],
    subprotocols: tuple[str, ...],
    timeout: float,
) -> AsyncIterator[tuple[HttpRequest, WebSocket]]:
    """The WebSocket, or the most telling error there is."""
    from lazarus_tui.kube.cluster import object_path

    request = HttpRequest("GET", object_path(PODS, namespace, pod, subresource), query, {}, timeout=timeout)
    resource = f"pods/{subresource}"
    try:
        async with cluster.transport.websocket(request, subprotocols) as socket:
            yield request, socket
    except HandshakeRefused as error:
        refused = from_response(request, error.response, resource)
        if parse_status(error.response.body) is None:
            # The client library drops the body of a refused upgrade, so the pod is asked instead.
            refused = await _explain(cluster, namespace, pod, request, refused)
        raise refused from None
    except OSError as error:
        raise from_oserror(request, error, resource) from None


async def _explain(cluster: Cluster, namespace: str, pod: str, request: HttpRequest, refused: KubeError) -> KubeError:
    if refused.status in (401, 403):
        return refused
    try:
        found = await cluster.get(PODS, pod, namespace, type=Pod)
    except KubeError:
        return refused
    if found is None:
        return NotFound(f"pod {namespace}/{pod} does not exist", request=line(request), status=404, reason="NotFound")
    if found.status.phase != "Running":
        text = f"pod {namespace}/{pod} is {found.status.phase or 'not started'}, not Running"
        return Invalid(text, request=line(request), status=refused.status, reason="NotRunning")
    if refused.status == 404:  # the API server knows it: a kubelet that has just begun says so of its pods for a while
        text = f"the kubelet does not know pod {namespace}/{pod} yet, or any more"
        return ServerFault(text, request=line(request), status=404, reason="NotFound")
    return refused
