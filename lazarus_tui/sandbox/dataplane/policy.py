"""Which connections the NetworkPolicies of a cluster let through; nothing here knows a socket.

The rules are those of the API's documentation: a pod that no policy selects for a direction is open in it; one that is
selected takes only what the union of these policies lists; a connection needs the consent of both its ends. A pod's
own node and the pod itself are never refused. Addresses are those after service translation: policies see pods.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.selectors import from_selector

Object = dict[str, Any]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a connection: a pod, or an address outside when ``namespace`` is empty.

    ``ports`` are a pod's named ports as (name, protocol, number). ``node`` is the pods' own node: kubelet traffic.
    """

    address: str
    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[tuple[str, str, int], ...] = ()
    node: bool = False

    @property
    def is_pod(self) -> bool:
        return bool(self.namespace)

    @property
    def tcp_ports(self) -> set[int]:
        return {number for _, protocol, number in self.ports if protocol == "TCP"}


@dataclass(frozen=True, slots=True)
class Block:
    """An address range without its exceptions."""

    range: Network
    excepted: tuple[Network, ...] = ()

    def holds(self, address: str) -> bool:
        found = ipaddress.ip_address(address)
        return found in self.range and not any(found in one for one in self.excepted)

    @classmethod
    def of(cls, block: Object) -> Block:
        cidr = ipaddress.ip_network(block["cidr"], strict=False)
        return cls(cidr, tuple(ipaddress.ip_network(one, strict=False) for one in block.get("except") or ()))


EVERYWHERE = Block(ipaddress.ip_network("0.0.0.0/0"))
_CLOSED: Object = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


class Policies:
    """The policies of one moment; ``namespaces`` gives the labels of each namespace.

    A policy with something in it that no server would take (an address that is none) closes its whole namespace.
    """

    def __init__(self, policies: Iterable[Object], namespaces: Mapping[str, Mapping[str, str]]) -> None:
        self._namespaces = namespaces
        self._by_namespace: dict[str, list[Object]] = {}
        for policy in policies:
            if not _makes_sense(policy["spec"]):
                policy = {**policy, "spec": _CLOSED}
            self._by_namespace.setdefault(policy["metadata"]["namespace"], []).append(policy)

    def refusal(self, source: Party, target: Party, port: int, protocol: str = "TCP") -> str:
        """Why a connection is not let through, naming the policies; ``""`` when it is."""
        if source.node or source.address == target.address:
            return ""
        return self._closed("Egress", source, target, target, port, protocol) or self._closed(
            "Ingress", target, source, target, port, protocol
        )

    def open_blocks(self, source: Party, port: int, protocol: str = "TCP") -> list[Block]:
        """Where outside the cluster a pod may go on ``port``, as far as its own side is concerned."""
        selecting = self._selecting(source, "Egress")
        if not selecting:
            return [EVERYWHERE]
        found: list[Block] = []
        for rule in _rules(selecting, "Egress"):
            if not _ports_match(rule, Party(""), port, protocol):
                continue
            if not rule.get("to"):
                return [EVERYWHERE]
            found += [Block.of(peer["ipBlock"]) for peer in rule["to"] if peer.get("ipBlock")]
        return found

    def _closed(self, direction: str, subject: Party, other: Party, target: Party, port: int, protocol: str) -> str:
        """Why ``subject`` refuses ``other`` in ``direction``."""
        selecting = self._selecting(subject, direction)
        if not selecting:
            return ""
        for rule in _rules(selecting, direction):
            peers = rule.get("to" if direction == "Egress" else "from")
            if not _ports_match(rule, target, port, protocol):
                continue
            if not peers or any(self._is_peer(peer, subject.namespace, other) for peer in peers):
                return ""
        names = ", ".join(sorted(policy["metadata"]["name"] for policy in selecting))
        return f"{direction.lower()} of a pod in {subject.namespace} is closed by {names}"

    def _selecting(self, subject: Party, direction: str) -> list[Object]:
        if not subject.is_pod:
            return []
        return [
            policy
            for policy in self._by_namespace.get(subject.namespace, ())
            if direction in policy_types(policy["spec"])
            and from_selector(policy["spec"].get("podSelector")).matches(subject.labels)
        ]

    def _is_peer(self, peer: Object, home: str, other: Party) -> bool:
        if block := peer.get("ipBlock"):
            return Block.of(block).holds(other.address)
        if not other.is_pod:
            return False
        if (selector := peer.get("namespaceSelector")) is None:
            namespace_fits = other.namespace == home
        else:
            labels = {"kubernetes.io/metadata.name": other.namespace} | dict(self._namespaces.get(other.namespace, {}))
            namespace_fits = from_selector(selector).matches(labels)
        pods = peer.get("podSelector")
        return namespace_fits and (pods is None or from_selector(pods).matches(other.labels))


def policy_types(spec: Object) -> tuple[str, ...]:
    """The directions a policy is about: as it says, else Ingress, and Egress when it has egress rules."""
    if named := spec.get("policyTypes"):
        return tuple(named)
    return ("Ingress", "Egress") if spec.get("egress") else ("Ingress",)


def _makes_sense(spec: Object) -> bool:
    try:
        from_selector(spec.get("podSelector"))
        for rule in (*(spec.get("ingress") or ()), *(spec.get("egress") or ())):
            for port in (rule or {}).get("ports") or ():
                _port_matches({**port, "protocol": "TCP"}, Party(""), 65535, "TCP")
            for peer in (*((rule or {}).get("from") or ()), *((rule or {}).get("to") or ())):
                if peer.get("ipBlock"):
                    Block.of(peer["ipBlock"])
                from_selector(peer.get("podSelector"))
                from_selector(peer.get("namespaceSelector"))
    except (ApiError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return True


def _rules(policies: Iterable[Object], direction: str) -> Iterator[Object]:
    for policy in policies:
        for rule in policy["spec"].get(direction.lower()) or ():
            yield rule or {}


def _ports_match(rule: Object, target: Party, port: int, protocol: str) -> bool:
    """No ports stand for all. A named port is looked up at the target; outside the cluster there are no names."""
    wanted = rule.get("ports")
    return not wanted or any(_port_matches(one, target, port, protocol) for one in wanted)


def _port_matches(wanted: Object, target: Party, port: int, protocol: str) -> bool:
    if wanted.get("protocol", "TCP") != protocol:
        return False
    first = wanted.get("port")
    if first is None:
        return True
    if isinstance(first, str):
        return (first, protocol, port) in target.ports
    return int(first) <= port <= int(wanted.get("endPort") or first)
