"""Who is at which address of the cluster at one moment, and what the policies say about a way between two of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, TypeGuard

from lazarus_tui.model.resources import ENDPOINTS, NAMESPACES, NETWORKPOLICIES, PODS, SERVICES
from lazarus_tui.sandbox.dataplane.addresses import API_SERVICE, DNS_ADDRESS
from lazarus_tui.sandbox.dataplane.environment import Reading
from lazarus_tui.sandbox.dataplane.policy import EVERYWHERE, Block, Party, Policies

Object = dict[str, Any]

API_SERVER = Party("127.0.0.1")
"""What policies see of it, behind its service: an address outside, that of its machine (the Node's InternalIP)."""

API_PORT = 6443
"""The port policies see of it: the usual one of API servers, whatever port it got here."""

DNS = Party(DNS_ADDRESS, "kube-system", {"k8s-app": "kube-dns"}, (("dns", "UDP", 53),))
"""The cluster's name server as policies see it: a pod with the label every distribution gives it."""

NODE = Party("127.42.255.1", node=True)
"""The pods' own node, and the address its connections come from inside a pod."""

# Pods and services live in loopback addresses; none of these is ever outside.
_CLUSTER = ip_network("127.0.0.0/8")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a connection would end: ``party`` at ``port``."""

    party: Party
    port: int


class Atlas:
    """A reading of the API. ``addresses`` are those of the pods with a network of their own, by uid. What is no IPv4
    address leads nowhere here.

    A pod in the machine's network is an address outside: policies do not know it. Without ``heed`` there are none.
    """

    def __init__(self, api: Reading, addresses: Mapping[str, str], *, heed: bool = True) -> None:
        self.parties: dict[str, Party] = {}
        self._at: dict[str, Party] = {}
        for pod in api.list(PODS):
            if address := addresses.get(pod["metadata"]["uid"]):
                party = self.parties[pod["metadata"]["uid"]] = _party(pod, address)
                self._at[address] = party
            elif pod["spec"].get("hostNetwork") and _is_v4(address := (pod.get("status") or {}).get("podIP")):
                self._at[address] = Party(address, ports=_ports(pod))
        self._services = _services(api)
        self._places = _places(self._services, self._at.values())
        spaces = {one["metadata"]["name"]: one["metadata"].get("labels") or {} for one in api.list(NAMESPACES)}
        policies = list(api.list(NETWORKPOLICIES)) if heed else []
        self._policies = Policies(policies, spaces)
        self._closed_to_some = any(self._policies.selecting(party, "Ingress") for party in self._at.values())
        self._facts = (self.parties, self._at, self._services, policies, spaces)
        self._leads: dict[int, list[tuple[str, list[Target]]]] = {}
        self._sorts: dict[int, Hashable] = {}

    def says_the_same_as(self, other: Atlas) -> bool:
        """Whether the other one gives the same answers: most changes in a cluster are of no concern to its network."""
        return self._facts == other._facts

    def ports(self) -> set[int]:
        """Every TCP port that something in the cluster is known to answer on."""
        return set(self._places)

    def places(self, port: int) -> set[str]:
        """The cluster's addresses where ``port`` is known to be answered."""
        return self._places.get(port, set())

    def sort(self, port: int) -> Hashable:
        """What ports have in common that have the same ways out, whoever asks: there are few sorts and many ports."""
        if port not in self._sorts:
            places = self.places(port)
            own = places <= self._at.keys() and not any((place, port) in self._services for place in places)
            self._sorts[port] = self._policies.sort(port) if own else port
        return self._sorts[port]

    def targets(self, address: str, port: int) -> list[Target]:
        """Where a connection to ``address`` may end, after service translation; none when nothing is there."""
        if (address, port) == API_SERVICE:
            return [Target(API_SERVER, API_PORT)]
        if (address, port) in self._services:
            return [Target(self.party_at(one[0]), one[1]) for one in self._services[address, port]]
        if address in self._at:
            return [Target(self._at[address], port)]
        return [] if ip_address(address) in _CLUSTER else [Target(Party(address), port)]

    def party_at(self, address: str) -> Party:
        return self._at.get(address) or Party(address)

    def refusal(self, source: Party, target: Target, protocol: str = "TCP") -> str:
        """Why the policies do not let it through; ``""`` when they do."""
        return self._policies.refusal(source, target.party, target.port, protocol)

    def ways_out(self, source: Party, port: int) -> tuple[list[tuple[str, bool]], list[Block]] | None:
        """What a filter needs for ``port``: known addresses and whether they pass, and blocks; None if all passes.

        A service without a ready endpoint passes: whoever takes the connection refuses it, as kube-proxy does.
        """
        if not self._policies.selecting(source, "Egress") and not self._closed_to_some:
            return None
        blocks = self._policies.open_blocks(source, port)
        known = [
            (address, not targets or any(self._policies.lets(source, one.party, one.port) for one in targets))
            for address, targets in self._leading(port)
        ]
        if blocks == [EVERYWHERE] and all(passes for _, passes in known):
            return None
        return known, blocks

    def _leading(self, port: int) -> list[tuple[str, list[Target]]]:
        """Every known address, and where a connection to its ``port`` may end."""
        if port not in self._leads:
            addresses = sorted(self.places(port) | self._at.keys())
            self._leads[port] = [(address, self.targets(address, port)) for address in addresses]
        return self._leads[port]


def _party(pod: Object, address: str) -> Party:
    meta = pod["metadata"]
    return Party(address, meta["namespace"], meta.get("labels") or {}, _ports(pod))


def _ports(pod: Object) -> tuple[tuple[str, str, int], ...]:
    return tuple(
        (port.get("name", ""), port.get("protocol", "TCP"), int(port["containerPort"]))
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or ()
    )


def _services(api: Reading) -> dict[tuple[str, int], list[tuple[str, int]]]:
    """ClusterIP and port of each service → address and port of each of its ready endpoints."""
    found: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for service in api.list(SERVICES):
        address = service["spec"].get("clusterIP")
        if not _is_v4(address):
            continue
        meta = service["metadata"]
        endpoints = api.get(ENDPOINTS, meta["name"], meta["namespace"]) or {}
        for index, port in enumerate(service["spec"].get("ports") or ()):
            if port.get("protocol", "TCP") == "TCP":
                found[address, port["port"]] = [one for one in ready(endpoints, index) if _is_v4(one[0])]
    return found


def _is_v4(address: object) -> TypeGuard[str]:
    """Nobody has looked at the addresses of Endpoints that somebody wrote by hand."""
    try:
        return isinstance(address, str) and ip_address(address).version == 4
    except ValueError:
        return False


def _places(services: Mapping[tuple[str, int], list[tuple[str, int]]], parties: Iterable[Party]) -> dict[int, set[str]]:
    """By port the addresses known to answer on it: the API's, those of services, of what is behind them, of pods."""
    found = {API_SERVICE[1]: {API_SERVICE[0]}}
    known = [place for front, targets in services.items() for place in (front, *targets)]
    known += [(party.address, port) for party in parties for port in party.tcp_ports]
    for address, port in known:
        found.setdefault(port, set()).add(address)
    return found


def ready(endpoints: Object, index: int) -> Iterable[tuple[str, int]]:
    """Address and port of the ready endpoints behind a service's port number ``index``."""
    for subset in endpoints.get("subsets") or ():
        if len(subset.get("ports") or ()) > index:
            for entry in subset.get("addresses") or ():
                yield entry["ip"], subset["ports"][index]["port"]
