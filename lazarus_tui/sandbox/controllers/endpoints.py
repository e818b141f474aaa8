"""Endpoints: where the ready pods of each service are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.resources import ENDPOINTS, PODS, SERVICES, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.pods import is_ending, is_over, is_ready

# Annotation of pods whose ports are mapped to other ones (``8080=41234,…``): only where there is one loopback address.
PORT_MAP = "lazarus.dev/port-map"

MANAGED_BY = "endpoints.kubernetes.io/managed-by"
"""Label of Endpoints that the controller keeps (Kubernetes 1.33 and newer)."""

HEADLESS = "service.kubernetes.io/headless"
"""Label of the endpoints of a service without an address of its own."""


class EndpointsController(Controller):
    """Keeps one Endpoints object for each service with a selector."""

    name = "endpoints"
    watches: ClassVar[Sequence[Resource]] = (SERVICES, PODS, ENDPOINTS)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource != PODS:
            return (key_of(obj),)
        return [
            key_of(service)
            for service in self.api.list(SERVICES, obj["metadata"]["namespace"])
            if service_selects(service, obj) or (old is not None and service_selects(service, old))
        ]

    async def reconcile(self, key: Key) -> float | None:
        service = self.api.get(SERVICES, key[1], key[0])
        found = self.api.get(ENDPOINTS, key[1], key[0])
        if service is None or is_ending(service):
            if found is not None and service is None:
                self.api.delete(ENDPOINTS, key[1], key[0], uid=found["metadata"]["uid"])
            return None
        if not service["spec"].get("selector"):
            return None
        subsets = _subsets(service, [pod for pod in self.api.list(PODS, key[0]) if service_selects(service, pod)])
        labels = labels_of(service) | {MANAGED_BY: "endpoint-controller"}
        wanted: Object = {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": key[1], "namespace": key[0], "labels": labels},
            "subsets": subsets,
        }
        if found is None:
            self.api.create(ENDPOINTS, wanted, key[0])
        elif (found.get("subsets") or []) != subsets or (found["metadata"].get("labels") or {}) != labels:
            self.api.update(
                ENDPOINTS, {**found, "metadata": found["metadata"] | {"labels": labels}, "subsets": subsets}
            )
        return None


def labels_of(service: Object) -> dict[str, str]:
    """The labels that a service's endpoints bear in any form."""
    headless = {HEADLESS: ""} if service["spec"].get("clusterIP") == "None" else {}
    return dict(service["metadata"].get("labels") or {}) | headless


def service_selects(service: Object, pod: Object) -> bool:
    """The service has a selector and it holds for the pod."""
    selector = service["spec"].get("selector") or {}
    labels = pod["metadata"].get("labels") or {}
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _subsets(service: Object, pods: list[Object]) -> list[Object]:
    """Addresses grouped by the ports they serve; those not ready are listed apart."""
    groups: dict[tuple[tuple[str, int, str], ...], Object] = {}
    for pod in sorted(pods, key=lambda one: one["metadata"]["name"]):
        address = (pod.get("status") or {}).get("podIP")
        unready_too = bool(service["spec"].get("publishNotReadyAddresses"))
        if not address or is_over(pod) or (is_ending(pod) and not unready_too):
            continue
        ports = ports_on(service, pod)
        if ports is None:
            continue
        group = groups.setdefault(ports, {"addresses": [], "notReadyAddresses": []})
        ready = is_ready(pod) or unready_too
        group["addresses" if ready else "notReadyAddresses"].append(_entry(service, pod, address))
    return [
        {field: entries for field, entries in group.items() if entries} | {"ports": [_port(*one) for one in ports]}
        for ports, group in sorted(groups.items())
    ]


def _port(name: str, port: int, protocol: str) -> Object:
    return ({"name": name} if name else {}) | {"port": port, "protocol": protocol}


def _entry(service: Object, pod: Object, address: str) -> Object:
    entry: Object = {"ip": address, "nodeName": pod["spec"].get("nodeName", ""), "targetRef": target_of(pod)}
    return entry | ({"hostname": name} if (name := hostname_in(service, pod)) else {})


def target_of(pod: Object) -> Object:
    """What an endpoint says of the pod behind it."""
    meta = pod["metadata"]
    return {"kind": "Pod", "name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]}


def hostname_in(service: Object, pod: Object) -> str:
    """The name the pod has below a headless service that governs it; ``""`` without one."""
    spec = pod["spec"]
    return str(spec.get("hostname") or "") if spec.get("subdomain") == service["metadata"]["name"] else ""


def ports_on(service: Object, pod: Object) -> tuple[tuple[str, int, str], ...] | None:
    """(name, port, protocol) of each service port on this pod; None when a named port is not there."""
    mapped = port_map(pod)
    found = []
    for port in service["spec"].get("ports") or ():
        target = port.get("targetPort", port["port"])
        if isinstance(target, str):
            named = [
                one["containerPort"]
                for container in pod["spec"]["containers"]
                for one in container.get("ports") or ()
                if one.get("name") == target
            ]
            if not named:
                return None
            target = named[0]
        found.append((port.get("name", ""), mapped.get(target, target), port.get("protocol", "TCP")))
    return tuple(found)


def port_map(pod: Object) -> dict[int, int]:
    """Container port → the port it really has, where they differ."""
    text = (pod["metadata"].get("annotations") or {}).get(PORT_MAP, "")
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return {int(port): int(real) for port, _, real in pairs}
