"""Services, slices, policies and ingresses (upstream core, discovery and networking validation)."""

from __future__ import annotations

import ipaddress
from typing import Any

from lazarus_tui.model.resources import SERVICES
from lazarus_tui.sandbox.api.causes import (
    PORT_TEXT,
    Causes,
    Object,
    chosen,
    duplicate,
    forbidden,
    immutable,
    invalid_value,
    is_port,
    part,
    required,
    spec_of,
    unchanged,
    unsupported,
)
from lazarus_tui.sandbox.api.defaults import NODE_PORTS
from lazarus_tui.sandbox.api.store import Store

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_MAX_ENDPOINTS, _MAX_ADDRESSES = 1000, 100


def service(obj: Object) -> Causes:
    spec = spec_of(obj)
    kind, address = spec.get("type"), spec.get("clusterIP")
    causes = chosen(spec, "spec", type=_TYPES, sessionAffinity=("ClientIP", "None"))
    if not spec.get("ports") and kind != "ExternalName" and address != "None":
        causes.append(required("spec.ports"))
    if kind == "ExternalName" and not spec.get("externalName"):
        causes.append(required("spec.externalName"))
    if address and address != "None" and not _is_address(address):
        causes.append(invalid_value("spec.clusterIPs[0]", address, "must be a valid IP address, (e.g. 10.9.8.7)"))
    return causes + _service_ports(spec.get("ports") or [])


def _service_ports(ports: list[Object]) -> Causes:
    causes: Causes = []
    names: set[Any] = set()
    pairs: set[Any] = set()
    for index, port in enumerate(ports):
        where, name = f"spec.ports[{index}]", port.get("name")
        if not is_port(port.get("port")):
            causes.append(invalid_value(f"{where}.port", port.get("port"), PORT_TEXT))
        if len(ports) > 1 and not name:
            causes.append(required(f"{where}.name"))
        elif name and name in names:
            causes.append(duplicate(f"{where}.name", name))
        names.add(name)
        causes += chosen(port, where, protocol=_PROTOCOLS)
        target = port.get("targetPort")
        if isinstance(target, int) and not is_port(target):
            causes.append(invalid_value(f"{where}.targetPort", target, PORT_TEXT))
        pair = (port.get("port"), port.get("protocol"))
        if pair in pairs:
            causes.append(duplicate(where, {"port": pair[0], "protocol": pair[1]}))
        pairs.add(pair)
    return causes


def _is_address(text: Any) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def service_create(obj: Object, store: Store) -> Causes:
    """Addresses and node ports that somebody else has."""
    spec = spec_of(obj)
    address = spec.get("clusterIP")
    wanted = [port.get("nodePort") for port in spec.get("ports") or ()]
    if (not address or address == "None") and not any(wanted):
        return []
    others = [spec_of(entity.obj) for entity in store.select(SERVICES.group_resource)]
    causes: Causes = []
    if address and address != "None" and address in {other.get("clusterIP") for other in others}:
        text = f"failed to allocate IP {address}: provided IP is already allocated"
        causes.append(invalid_value("spec.clusterIPs", [address], text))
    taken = {port.get("nodePort") for other in others for port in other.get("ports") or ()}
    for index, number in enumerate(wanted):
        where = f"spec.ports[{index}].nodePort"
        if number and number not in NODE_PORTS:
            text = (
                f"provided port is not in the valid range. The range of valid ports is {NODE_PORTS[0]}-{NODE_PORTS[-1]}"
            )
            causes.append(invalid_value(where, number, text))
        elif number and number in taken:
            causes.append(invalid_value(where, number, "provided port is already allocated"))
    return causes


def service_update(obj: Object, old: Object) -> Causes:
    new, before = spec_of(obj), spec_of(old)
    external = "ExternalName" in (new.get("type"), before.get("type"))
    if external or new.get("clusterIP") == before.get("clusterIP"):
        return []
    return [invalid_value("spec.clusterIPs[0]", [new.get("clusterIP")], "may not change once set")]


def endpoint_slice(obj: Object) -> Causes:
    kind = obj.get("addressType")
    causes = [required("addressType")] if not kind else chosen(obj, "", addressType=("FQDN", "IPv4", "IPv6"))
    endpoints = obj.get("endpoints") or []
    if len(endpoints) > _MAX_ENDPOINTS:
        causes.append(invalid_value("endpoints", len(endpoints), f"must have at most {_MAX_ENDPOINTS} items"))
    for index, endpoint in enumerate(endpoints):
        where, addresses = f"endpoints[{index}].addresses", endpoint.get("addresses") or []
        if not addresses:
            causes.append(required(where, "must contain at least 1 address"))
        elif kind != "FQDN":
            wrong = [(at, one) for at, one in enumerate(addresses) if not _is_address(one)]
            text = f"must be a valid {kind} address"
            causes += [invalid_value(f"{where}[{at}]", one, text) for at, one in wrong]
    names = [port.get("name") or "" for port in obj.get("ports") or ()]
    repeated = [(at, name) for at, name in enumerate(names) if name in names[:at]]
    return causes + [duplicate(f"ports[{at}].name", name) for at, name in repeated]


def endpoint_slice_update(obj: Object, old: Object) -> Causes:
    return unchanged(obj, old, "", "addressType")


def network_policy(obj: Object) -> Causes:
    spec = spec_of(obj)
    kinds = ("Egress", "Ingress")
    given = spec.get("policyTypes") or []
    causes = [unsupported("spec.policyTypes", one, kinds) for one in given if one not in kinds]
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in enumerate(spec.get(direction) or ()):
            where = f"spec.{direction}[{index}]"
            for at, port in enumerate(rule.get("ports") or ()):
                causes += _policy_port(port, f"{where}.ports[{at}]")
            for at, peer in enumerate(rule.get(peers) or ()):
                causes += _peer(peer, f"{where}.{peers}[{at}]")
    return causes


def _policy_port(port: Object, where: str) -> Causes:
    causes = chosen(port, where, protocol=_PROTOCOLS)
    number, last = port.get("port"), port.get("endPort")
    if isinstance(number, int) and not is_port(number):
        causes.append(invalid_value(f"{where}.port", number, PORT_TEXT))
    if last is not None:
        if number is None:
            causes.append(required(f"{where}.port", "must be specified if `endPort` is specified"))
        elif not isinstance(number, int):
            causes.append(invalid_value(f"{where}.endPort", last, "may not specify endPort when `port` is non-numeric"))
        elif last < number:
            causes.append(invalid_value(f"{where}.endPort", last, "must be greater than or equal to `port`"))
    return causes


def _peer(peer: Object, where: str) -> Causes:
    given = [one for one in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(one) is not None]
    if not given:
        return [required(where, "must specify a peer")]
    if "ipBlock" not in given:
        return []
    if len(given) > 1:
        return [forbidden(where, "may not specify both ipBlock and another peer")]
    block = peer["ipBlock"]
    outer = _network(block.get("cidr"))
    if outer is None:
        text = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        return [invalid_value(f"{where}.ipBlock.cidr", block.get("cidr", ""), text)]
    causes = []
    for index, one in enumerate(block.get("except") or ()):
        inner = _network(one)
        if inner is None or inner.version != outer.version or not inner.subnet_of(outer) or inner == outer:  # type: ignore[arg-type]
            text = "must be a strict subset of `cidr`"
            causes.append(invalid_value(f"{where}.ipBlock.except[{index}]", one, text))
    return causes


def _network(text: Any) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text or "")
    except ValueError:
        return None


def ingress(obj: Object) -> Causes:
    spec = spec_of(obj)
    if not spec.get("defaultBackend") and not spec.get("rules"):
        text = "either `defaultBackend` or `rules` must be specified"
        return [invalid_value("spec", spec, text)]
    causes: Causes = []
    if spec.get("defaultBackend"):
        causes += _backend(spec["defaultBackend"], "spec.defaultBackend")
    for index, rule in enumerate(spec.get("rules") or ()):
        for at, path in enumerate(part(rule, "http").get("paths") or ()):
            where = f"spec.rules[{index}].http.paths[{at}]"
            kind = path.get("pathType")
            if not kind:
                causes.append(required(f"{where}.pathType", "pathType must be specified"))
            causes += chosen(path, where, pathType=("Exact", "ImplementationSpecific", "Prefix"))
            if kind in ("Exact", "Prefix") and not str(path.get("path", "")).startswith("/"):
                causes.append(invalid_value(f"{where}.path", path.get("path", ""), "must be an absolute path"))
            causes += _backend(part(path, "backend"), f"{where}.backend")
    return causes


def _backend(backend: Object, where: str) -> Causes:
    if backend.get("resource") and backend.get("service"):
        return [invalid_value(where, "", "cannot set both resource and service backends")]
    if backend.get("resource"):
        return []
    found = part(backend, "service")
    if not found:
        return [required(where, "resource or service backend is required")]
    causes = [] if found.get("name") else [required(f"{where}.service.name")]
    port = part(found, "port")
    if not port.get("name") and not port.get("number"):
        causes.append(required(f"{where}.service.port", "port name or number is required"))
    return causes


def ingress_class_update(obj: Object, old: Object) -> Causes:
    new, before = spec_of(obj).get("controller"), spec_of(old).get("controller")
    return [] if new == before else [immutable("spec.controller", new)]
