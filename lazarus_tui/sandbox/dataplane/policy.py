"""Which connections the NetworkPolicies of a cluster let through; nothing here knows a socket.

The rules are those of the API's documentation: a pod that no policy selects for a direction is open in it; one that is
selected takes only what the union of these policies lists; a connection needs the consent of both its ends. A pod's
own node and the pod itself are never refused. Addresses are those after service translation: policies see pods.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.selectors import LabelSelector, from_selector

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


_NOBODY = Party("")


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


@dataclass(frozen=True, slots=True)
class _Peer:
    """Addresses, or pods: of the namespaces that ``spaces`` selects, or of the policy's own when that is None."""

    block: Block | None = None
    spaces: LabelSelector | None = None
    pods: LabelSelector = field(default_factory=LabelSelector)

    @classmethod
    def of(cls, peer: Object) -> _Peer:
        if peer.get("ipBlock"):
            return cls(Block.of(peer["ipBlock"]))
        spaces = peer.get("namespaceSelector")
        return cls(None, None if spaces is None else from_selector(spaces), from_selector(peer.get("podSelector")))


@dataclass(frozen=True, slots=True)
class _Port:
    """All ports from ``first`` to ``last``, or one that the target has a ``name`` for."""

    protocol: str
    first: int = 0
    last: int = 65535
    name: str = ""

    @classmethod
    def of(cls, port: Object) -> _Port:
        protocol, first = str(port.get("protocol") or "TCP"), port.get("port")
        if isinstance(first, str):
            return cls(protocol, name=first)
        return cls(protocol) if first is None else cls(protocol, int(first), int(port.get("endPort") or first))

    @property
    def is_range(self) -> bool:
        """Whether it tells some ports from others by their number."""
        return not self.name and (self.first, self.last) != (0, 65535)

    def holds(self, target: Party, port: int, protocol: str) -> bool:
        if self.name:
            return protocol == self.protocol and (self.name, protocol, port) in target.ports
        return protocol == self.protocol and self.first <= port <= self.last


@dataclass(frozen=True, slots=True)
class _Rule:
    """No peers stand for everybody, no ports for all."""

    peers: tuple[_Peer, ...]
    ports: tuple[_Port, ...]

    @classmethod
    def of(cls, rule: Object | None, side: str) -> _Rule:
        rule = rule or {}
        return cls(
            tuple(_Peer.of(one) for one in rule.get(side) or ()),
            tuple(_Port.of(one) for one in rule.get("ports") or ()),
        )

    def is_about(self, target: Party, port: int, protocol: str) -> bool:
        return not self.ports or any(one.holds(target, port, protocol) for one in self.ports)


@dataclass(frozen=True, slots=True)
class _Policy:
    name: str
    selector: LabelSelector
    rules: Mapping[str, tuple[_Rule, ...]]
    """By direction; one that is not here is none of the policy's business."""

    @classmethod
    def of(cls, policy: Object) -> _Policy:
        """A policy with something in it that no server would take closes its whole namespace."""
        name, spec = policy["metadata"]["name"], policy["spec"]
        try:
            rules = {
                direction: tuple(_Rule.of(rule, side) for rule in spec.get(direction.lower()) or ())
                for direction, side in (("Ingress", "from"), ("Egress", "to"))
                if direction in policy_types(spec)
            }
            return cls(name, from_selector(spec.get("podSelector")), rules)
        except (ApiError, ValueError, KeyError, TypeError, AttributeError):
            return cls(name, LabelSelector(), {"Ingress": (), "Egress": ()})

    def ports(self) -> Iterable[_Port]:
        """All that its rules name, in either direction."""
        return (port for rules in self.rules.values() for rule in rules for port in rule.ports)


class Policies:
    """The policies of one moment; ``namespaces`` gives the labels of each namespace."""

    def __init__(self, policies: Iterable[Object], namespaces: Mapping[str, Mapping[str, str]]) -> None:
        self._namespaces = namespaces
        self._by_namespace: dict[str, list[_Policy]] = {}
        # What has been found out already: parties of one moment differ by their addresses.
        self._selected: dict[tuple[str, str], list[_Policy]] = {}
        self._listed: dict[Hashable, tuple[_Peer, ...] | None] = {}
        for policy in policies:
            self._by_namespace.setdefault(policy["metadata"]["namespace"], []).append(_Policy.of(policy))
        ports = {port for some in self._by_namespace.values() for one in some for port in one.ports()}
        self._by_name = any(port.name for port in ports)
        self._ranges = sorted({(port.first, port.last) for port in ports if port.is_range})

    def refusal(self, source: Party, target: Party, port: int, protocol: str = "TCP") -> str:
        """Why a connection is not let through, naming the policies; ``""`` when it is."""
        if self.lets(source, target, port, protocol):
            return ""
        out = not self._lets("Egress", source, target, target, port, protocol)
        direction, subject = ("Egress", source) if out else ("Ingress", target)
        names = ", ".join(sorted(policy.name for policy in self.selecting(subject, direction)))
        return f"{direction.lower()} of a pod in {subject.namespace} is closed by {names}"

    def lets(self, source: Party, target: Party, port: int, protocol: str = "TCP") -> bool:
        """Whether a connection is let through."""
        if source.node or source.address == target.address:
            return True
        return self._lets("Egress", source, target, target, port, protocol) and self._lets(
            "Ingress", target, source, target, port, protocol
        )

    def open_blocks(self, source: Party, port: int, protocol: str = "TCP") -> list[Block]:
        """Where outside the cluster a pod may go on ``port``, as far as its own side is concerned."""
        selecting = self.selecting(source, "Egress")
        if not selecting:
            return [EVERYWHERE]
        found: list[Block] = []
        for policy in selecting:
            for rule in policy.rules["Egress"]:
                if not rule.is_about(_NOBODY, port, protocol):
                    continue
                if not rule.peers:
                    return [EVERYWHERE]
                found += [peer.block for peer in rule.peers if peer.block]
        return found

    def selecting(self, subject: Party, direction: str) -> list[_Policy]:
        """The policies that close ``subject`` in ``direction``, but for what they list."""
        if not subject.is_pod or subject.namespace not in self._by_namespace:
            return []
        key = (subject.address, direction)
        if key not in self._selected:
            self._selected[key] = [
                policy
                for policy in self._by_namespace[subject.namespace]
                if direction in policy.rules and policy.selector.matches(subject.labels)
            ]
        return self._selected[key]

    def sort(self, port: int) -> Hashable:
        """What ports have in common that no policy tells apart, whatever it is about; a tuple."""
        return (port,) if self._by_name else tuple(first <= port <= last for first, last in self._ranges)

    def _lets(self, direction: str, subject: Party, other: Party, target: Party, port: int, protocol: str) -> bool:
        """Whether the policies of one end take the other end."""
        if not self.selecting(subject, direction):
            return True
        key = (direction, subject.address, port, protocol, target.ports if self._by_name else ())
        if key not in self._listed:
            self._listed[key] = self._peers(direction, subject, target, port, protocol)
        peers = self._listed[key]
        return peers is None or any(self._is_peer(peer, subject.namespace, other) for peer in peers)

    def _peers(
        self, direction: str, subject: Party, target: Party, port: int, protocol: str
    ) -> tuple[_Peer, ...] | None:
        """Whom ``subject``, which policies close, takes or may go to; None for everybody."""
        about = [
            rule
            for policy in self.selecting(subject, direction)
            for rule in policy.rules[direction]
            if rule.is_about(target, port, protocol)
        ]
        if not all(rule.peers for rule in about):
            return None
        return tuple(peer for rule in about for peer in rule.peers)

    def _is_peer(self, peer: _Peer, home: str, other: Party) -> bool:
        if peer.block:
            return peer.block.holds(other.address)
        if not other.is_pod:
            return False
        if peer.spaces is None:
            return other.namespace == home and peer.pods.matches(other.labels)
        labels = {"kubernetes.io/metadata.name": other.namespace} | dict(self._namespaces.get(other.namespace, {}))
        return peer.spaces.matches(labels) and peer.pods.matches(other.labels)


def policy_types(spec: Object) -> tuple[str, ...]:
    """The directions a policy is about: as it says, else Ingress, and Egress when it has egress rules."""
    if named := spec.get("policyTypes"):
        return tuple(named)
    return ("Ingress", "Egress") if spec.get("egress") else ("Ingress",)
