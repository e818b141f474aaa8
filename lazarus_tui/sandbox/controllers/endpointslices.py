"""EndpointSlices: the same addresses as Endpoints, at most a hundred in one object, with more said of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.resources import ENDPOINTS, PODS, SERVICES, SLICES, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.endpoints import hostname_in, labels_of, ports_on, service_selects, target_of
from lazarus_tui.sandbox.controllers.pods import is_ending, is_over, is_ready, owner_reference

SERVICE_NAME = "kubernetes.io/service-name"
"""Label that ties a slice to its service."""

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
"""Label that says whose slice it is: slices of others are left alone."""

_OWN, _MIRROR = "endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"
# --max-endpoints-per-slice of the controller manager.
_MOST = 100

# Port (name, number, protocol).
Ports = tuple[tuple[str, int, str], ...]


class EndpointSliceController(Controller):
    """Slices for services with a selector; for one without, a mirror of the Endpoints somebody wrote by hand."""

    name = "endpointslice"
    watches: ClassVar[Sequence[Resource]] = (SERVICES, PODS, ENDPOINTS, SLICES)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == SLICES:
            name = (obj["metadata"].get("labels") or {}).get(SERVICE_NAME)
            return [(obj["metadata"]["namespace"], name)] if name else []
        if resource != PODS:
            return (key_of(obj),)
        return [
            key_of(service)
            for service in self.api.list(SERVICES, obj["metadata"]["namespace"])
            if service_selects(service, obj) or (old is not None and service_selects(service, old))
        ]

    async def reconcile(self, key: Key) -> float | None:
        service = self.api.get(SERVICES, key[1], key[0])
        if service is not None and is_ending(service):
            return None
        mine = self._slices(key, _OWN)
        selected = service is not None and service["spec"].get("selector")
        if service is not None and selected:
            self._bring(service, mine, _endpoints(service, self.api.list(PODS, key[0])), _OWN)
        else:
            self._remove(mine)
        mirrored = self._slices(key, _MIRROR)
        endpoints = self.api.get(ENDPOINTS, key[1], key[0])
        if service is not None and endpoints is not None and not selected:
            self._bring(service, mirrored, _mirrored(endpoints), _MIRROR)
        else:
            self._remove(mirrored)
        return None

    def _slices(self, key: Key, manager: str) -> list[Object]:
        return self.api.list(SLICES, key[0], labels={SERVICE_NAME: key[1], MANAGED_BY: manager})

    def _remove(self, slices: list[Object]) -> None:
        for one in slices:
            meta = one["metadata"]
            self.api.delete(SLICES, meta["name"], meta["namespace"], uid=meta["uid"])

    def _bring(self, service: Object, slices: list[Object], wanted: dict[Ports, list[Object]], manager: str) -> None:
        """Makes the slices say what is wanted; an endpoint stays in the slice in which it is.

        A service always has one slice of its controller's, if need be an empty one; what is no longer needed is made
        over into what is.
        """
        labels = labels_of(service) | {SERVICE_NAME: service["metadata"]["name"], MANAGED_BY: manager}
        left = {ports: {_identity(one): one for one in endpoints} for ports, endpoints in wanted.items()}
        spare: list[Object] = []
        for one in slices:
            group = left.get(_ports_in(one), {})
            kept = [found for entry in one.get("endpoints") or () if (found := group.pop(_identity(entry), None))]
            kept += [group.pop(name) for name in list(group)[: _MOST - len(kept)]]
            if kept:
                self._change(one, labels, _ports_in(one), kept)
            else:
                spare.append(one)
        lacking = [(ports, part) for ports, group in left.items() for part in _parts(list(group.values()))]
        if not lacking and len(spare) == len(slices) and manager == _OWN:
            lacking = [((), [])]
        for ports, part in lacking:
            if spare:
                self._change(spare.pop(0), labels, ports, part)
            else:
                self._make(service, labels, ports, part)
        self._remove(spare)

    def _change(self, one: Object, labels: dict[str, str], ports: Ports, endpoints: list[Object]) -> None:
        changed = {
            **one,
            "metadata": one["metadata"] | {"labels": labels},
            "endpoints": endpoints,
            "ports": [_port(port) for port in ports],
        }
        if changed != one | {"endpoints": one.get("endpoints") or [], "ports": one.get("ports") or []}:
            self.api.update(SLICES, changed)

    def _make(self, service: Object, labels: dict[str, str], ports: Ports, endpoints: list[Object]) -> None:
        meta = service["metadata"]
        one = {
            "metadata": {
                "generateName": f"{meta['name']}-",
                "labels": labels,
                "ownerReferences": [owner_reference(service, SERVICES)],
            },
            "addressType": "IPv4",
            "endpoints": endpoints,
            "ports": [_port(port) for port in ports],
        }
        self.api.create(SLICES, one, meta["namespace"])


def _port(port: tuple[str, int, str]) -> Object:
    name, number, protocol = port
    return {"name": name, "port": number, "protocol": protocol}


def _parts(endpoints: list[Object]) -> list[list[Object]]:
    return [endpoints[start : start + _MOST] for start in range(0, len(endpoints), _MOST)]


def _endpoints(service: Object, pods: list[Object]) -> dict[Ports, list[Object]]:
    """Endpoints of all pods of the service that have an address, also of those that are not ready or are ending."""
    groups: dict[Ports, list[Object]] = {}
    for pod in pods:
        address = (pod.get("status") or {}).get("podIP")
        if not address or is_over(pod) or not service_selects(service, pod):
            continue
        ports = ports_on(service, pod)
        if ports is None:
            continue
        serving, terminating = is_ready(pod), is_ending(pod)
        ready = bool(service["spec"].get("publishNotReadyAddresses")) or (serving and not terminating)
        endpoint: Object = {
            "addresses": [address],
            "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
            "nodeName": pod["spec"].get("nodeName", ""),
            "targetRef": target_of(pod),
        }
        if name := hostname_in(service, pod):
            endpoint["hostname"] = name
        groups.setdefault(ports, []).append(endpoint)
    return groups


def _mirrored(endpoints: Object) -> dict[Ports, list[Object]]:
    groups: dict[Ports, list[Object]] = {}
    for subset in endpoints.get("subsets") or ():
        ports = tuple(
            (one.get("name", ""), one["port"], one.get("protocol", "TCP")) for one in subset.get("ports") or ()
        )
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            for address in subset.get(field) or ():
                kept = {name: address[name] for name in ("hostname", "nodeName", "targetRef") if name in address}
                one = {"addresses": [address["ip"]], "conditions": {"ready": ready}} | kept
                groups.setdefault(ports, []).append(one)
    return groups


def _identity(endpoint: Object) -> str:
    return str((endpoint.get("targetRef") or {}).get("uid") or endpoint["addresses"][0])


def _ports_in(one: Object) -> Ports:
    return tuple((port.get("name", ""), port["port"], port.get("protocol", "TCP")) for port in one.get("ports") or ())
