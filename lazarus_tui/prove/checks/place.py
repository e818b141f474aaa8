"""Where a check goes: a service, a workload or a pod of the namespace, as one ready pod and one port of it.

A service is resolved by reading its EndpointSlices, and never by a name service: an endpoint that is no pod of the same
namespace leads out, and is not gone to.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lazarus_tui.model.resources import DAEMONSETS, DEPLOYMENTS, PODS, SERVICES, SLICES, STATEFULSETS
from lazarus_tui.model.scope import in_words
from lazarus_tui.model.steps import Reader
from lazarus_tui.prove.checks.outcome import Wrong
from lazarus_tui.prove.checks.seen import Endpoint, Port, SeenPod, SeenService, SeenWorkload, Slice

SERVICE_NAME = "kubernetes.io/service-name"  # the label that ties a slice to its service
_WORKLOADS = {one.kind: one for one in (STATEFULSETS, DEPLOYMENTS, DAEMONSETS)}


@dataclass(frozen=True, slots=True)
class Place:
    """``port`` is the pod's; ``asked`` the one that was asked for at the service."""

    namespace: str
    pod: str
    port: int
    asked: int = 0


async def place_of(
    reader: Reader, namespace: str, port: int | str | None, *, service: str = "", pod: str = "", workload: str = ""
) -> Place:
    """Raises ``Wrong`` when what was restored has no such place, and kube's errors when it could not be read."""
    if service:
        return await _of_service(reader, namespace, service, port)
    found = await pod_of(reader, namespace, pod=pod, workload=workload)
    number = port if isinstance(port, int) else _named(found, port or "")
    return Place(namespace, found.metadata.name, number, number)


async def pod_of(reader: Reader, namespace: str, *, service: str = "", pod: str = "", workload: str = "") -> SeenPod:
    """A pod of what is named: of several the first that is ready, by name."""
    if service:
        pod = (await _of_service(reader, namespace, service, None)).pod
    if pod:
        found = await reader.get(PODS, pod, namespace, type=SeenPod)
        if found is None:
            raise Wrong(f"there is no pod {pod} in {namespace}")
        return found
    kind, _, name = workload.partition("/")
    owner = await reader.get(_WORKLOADS[kind], name, namespace, type=SeenWorkload)
    if owner is None:
        raise Wrong(f"there is no {workload} in {namespace}")
    selector = in_words(owner.spec.selector)
    if not selector:
        raise Wrong(f"{workload} selects no pods of its own")
    pods = await reader.list(PODS, namespace, type=SeenPod, label_selector=selector)
    ready = sorted((one for one in pods if one.ready), key=lambda one: one.metadata.name)
    if not ready:
        raise Wrong(f"no pod of {workload} is ready ({len(pods)} there)")
    return ready[0]


async def _of_service(reader: Reader, namespace: str, service: str, port: int | str | None) -> Place:
    found = await reader.get(SERVICES, service, namespace, type=SeenService)
    if found is None:
        raise Wrong(f"there is no service {service} in {namespace}")
    if found.spec.type == "ExternalName":
        raise Wrong(f"service {service} leads out of {namespace} (ExternalName): it is not followed")
    ports = found.spec.ports or []
    wanted = next((one for one in ports if port in (one.port, one.name)), None)
    if port is not None and ports and wanted is None:
        known = ", ".join(f"{one.name or '-'} {one.port}" for one in ports)
        raise Wrong(f"service {service} has no port {port} (it has {known})")
    slices = await reader.list(SLICES, namespace, type=Slice, label_selector=f"{SERVICE_NAME}={service}")
    places = sorted(_places(slices, namespace, wanted, port), key=lambda place: place.pod)
    if not places:
        outside = any(not _inside(one, namespace) for part in slices for one in part.endpoints or ())
        why = "leads to addresses that are no pods of it" if outside else "has no ready endpoints"
        raise Wrong(f"{service} does not answer: the service {why}")
    return places[0]


def _places(slices: Iterable[Slice], namespace: str, wanted: Port | None, port: int | str | None) -> Iterable[Place]:
    """The ready pods behind a service. A slice names ports as the service does and has the numbers of the pods."""
    for part in slices:
        numbers = {one.name: one.port for one in part.ports or ()}
        plain = port if isinstance(port, int) else 0
        number = numbers.get(wanted.name, 0) if wanted else plain
        asked = wanted.port if wanted else plain
        if port is not None and not number:
            continue
        for one in part.endpoints or ():
            if one.conditions.ready is not False and _inside(one, namespace) and one.target_ref:
                yield Place(namespace, one.target_ref.name, number, asked)


def _inside(endpoint: Endpoint, namespace: str) -> bool:
    ref = endpoint.target_ref
    return ref is not None and ref.kind == "Pod" and ref.namespace in ("", namespace)


def _named(pod: SeenPod, name: str) -> int:
    for container in pod.spec.containers or ():
        for port in container.ports or ():
            if port.name == name:
                return port.container_port
    raise Wrong(f"pod {pod.metadata.name} has no port named {name!r}")
