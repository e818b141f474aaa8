"""Where a pod of a quarantine tries to get to: every place that it must not reach, and those that it must."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.resources import NODES, PODS, SERVICES, SLICES, Resource
from lazarus_tui.model.steps import Reader, StepContext
from lazarus_tui.prove.overrides import Opening, free
from lazarus_tui.prove.quarantine import names
from lazarus_tui.prove.quarantine.names import Quarantine

Object = dict[str, Any]

OPEN, CLOSED, EITHER = "open", "closed", "either"
TCP, UDP = "TCP", "UDP"
IPV4, IPV6 = "IPv4", "IPv6"
# Seconds a way gets to open: a CNI drops what it refuses, so every closed way takes as long. What was lost is sent
# again after one.
SECONDS = 2
# Ways to services tried in one round and family at most: each is a command in the dialer.
MOST_SERVICES = 16
# Ways by what policies of the whole cluster open, and the shortest prefix of a network of which one address is tried.
MOST_OPENED = 8
_LARGEST = {4: 8, 6: 32}
# Where clouds give out credentials, and the port of a node's kubelet.
METADATA, METADATA_6, KUBELET = "169.254.169.254", "fd00:ec2::254", 10250
# Somebody on the IPv6 internet who takes connections from everybody.
OUTSIDE_6 = "2606:4700:4700::1111"
_RESOLVED = "kubernetes.default.svc.cluster.local"


@dataclass(frozen=True, slots=True)
class Target:
    """One way. ``answers`` says that somebody surely answers there, so that silence is the network's doing.

    ``expected`` is open, closed, or either where Kubernetes itself leaves it open. By UDP a name is asked for, of the
    name server ``host``, or of the pod's own without one. ``probe`` is the pod that tries it.
    """

    kind: str
    what: str
    host: str
    port: int
    expected: str
    answers: bool = False
    protocol: str = TCP
    probe: str = names.DIALER

    @property
    def argv(self) -> tuple[str, ...]:
        if self.protocol == UDP:
            return ("nslookup", f"-timeout={SECONDS}", _RESOLVED, *([self.host] if self.host else []))
        return ("nc", "-z", "-w", str(SECONDS), self.host, str(self.port))

    @property
    def place(self) -> str:
        if not self.host:
            return _RESOLVED
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" + ("/udp" if self.protocol == UDP else "")

    @property
    def family(self) -> str:
        """IPv4 or IPv6; "" for the pod's own name server, whose address nobody asked for."""
        return family(self.host) if self.host else ""


def family(address: str) -> str:
    return IPV6 if ":" in address else IPV4


async def targets(
    context: StepContext, wanted: Quarantine, env: Mapping[str, str], more: Iterable[Target] = ()
) -> list[Target]:
    """All ways to try, in every family of addresses that the dialer has; ``env`` is its environment, which tells it
    where the API server is; ``more``: what policies of the whole cluster open."""
    space = context.facts.get("prove.space") or {}
    reader = context.reader
    listeners = [str(one) for one in space.get("listeners") or [space.get("listener") or ""]]
    families = {family(str(one)) for one in space.get("dialers") or [space.get("dialer") or "0.0.0.0"]}
    found = [Target("control", "the other probe", one, names.PORT, OPEN, answers=True) for one in listeners]
    if not wanted.dns:  # else the dialer's own question is answered
        what = "the cluster's names, asked by the other probe"
        found.append(Target("control", what, "", 0, OPEN, answers=True, protocol=UDP, probe=names.LISTENER))
    found += await _api_server(reader, wanted, env)
    found += await _production(reader, wanted)
    found += _outside(wanted)
    found += await _dns(reader, wanted)
    found += [*await _kubelets(reader, wanted), *more]
    fit = [one for one in found if one.family in {"", *families}]
    first = {_way(one): one for one in reversed(fit)}
    return [one for one in fit if first[_way(one)] is one]


def _way(target: Target) -> tuple[str, str, int, str]:
    return target.probe, target.host, target.port, target.protocol


def opened_by(openings: Iterable[Opening], beside: Sequence[str]) -> list[Target]:
    """An address of each network that a policy opens, the first in it; where the plan lets it stand it is recorded."""
    found = []
    for one in openings:
        expected = EITHER if free(one.policy, beside) else CLOSED
        for network, port in one.places:
            if address := _first(network):
                found.append(Target("policy", f"what {one.kind} {one.name} opens", address, port, expected))
    return found[:MOST_OPENED]


def _first(network: str) -> str:
    """ "" for what is no network, or so large that an address of it says nothing."""
    try:
        found = ip_network(network, strict=False)
    except ValueError:
        return ""
    if found.prefixlen < _LARGEST[found.version]:
        return ""
    return str(found[0] if found.num_addresses == 1 else found[1])


async def _api_server(reader: Reader, wanted: Quarantine, env: Mapping[str, str]) -> list[Target]:
    """By the address that pods are told, by its service, and by each address behind it: all lead to who answers here.

    One on the dialer's own node is recorded and not judged: see ``_kubelets``.
    """
    found = []
    host, port = env.get("KUBERNETES_SERVICE_HOST", ""), env.get("KUBERNETES_SERVICE_PORT", "")
    if host and port.isdigit():
        found.append(Target("api", "the API server", host, int(port), CLOSED, answers=True))
    for one in await _listed(reader, SERVICES, "default", "component=apiserver"):
        found += [
            Target("api", "service kubernetes.default", address, number, CLOSED, answers=True)
            for address, number in _ways(one)
        ]
    dialer = await reader.get(PODS, names.DIALER, wanted.name, type=dict)
    home = str(((dialer or {}).get("status") or {}).get("hostIP") or "")
    for one in await _listed(reader, SLICES, "default", "kubernetes.io/service-name=kubernetes"):
        found += [
            Target("api", "an API server behind it", address, int(port["port"]), *_beside(address == home))
            for end in one.get("endpoints") or ()
            if (end.get("conditions") or {}).get("ready") is not False
            for address in end.get("addresses") or ()
            for port in one.get("ports") or ()
            if port.get("port")
        ]
    return found


def _beside(own: bool) -> tuple[str, bool]:
    """What is expected of something on a node, and whether it surely answers."""
    return (EITHER, False) if own else (CLOSED, True)


def _outside(wanted: Quarantine) -> list[Target]:
    """Where clouds give out credentials, and the internet, in both families; their name servers too."""
    host, _, port = wanted.outside.rpartition(":")
    host = host.strip("[]")
    found = [Target("metadata", "the cloud's metadata service", one, 80, CLOSED) for one in (METADATA, METADATA_6)]
    found.append(Target("metadata", "the cloud's name server", METADATA, 53, CLOSED, protocol=UDP))
    found.append(Target("internet", "the internet", host, int(port), CLOSED))
    if family(host) == IPV4:
        found.append(Target("internet", "the internet", OUTSIDE_6, 443, CLOSED))
    return [*found, Target("internet", "a name server on the internet", host, 53, CLOSED, protocol=UDP)]


async def _production(reader: Reader, wanted: Quarantine) -> list[Target]:
    """The services of the namespace the data comes from, those of the workload first, and one of its pods."""
    if not wanted.source:
        return []
    pods = [pod for pod in await _listed(reader, PODS, wanted.source) if _ready(pod)]
    services = await _listed(reader, SERVICES, wanted.source)
    workload = wanted.workload.rpartition("/")[2]
    own = [pod for pod in pods if workload and pod["metadata"]["name"].startswith(f"{workload}-")]

    def behind(service: Object, of: Sequence[Object]) -> bool:
        selector = (service.get("spec") or {}).get("selector") or {}
        return bool(selector) and any(selector.items() <= (pod["metadata"].get("labels") or {}).items() for pod in of)

    services.sort(key=lambda one: (not behind(one, own), not behind(one, pods), one["metadata"]["name"]))
    found = [
        Target("service", f"{wanted.source}/{one['metadata']['name']}", address, number, CLOSED, behind(one, pods))
        for one in services
        for address, number in _ways(one)
    ]
    some = [one for kind in (IPV4, IPV6) for one in [way for way in found if way.family == kind][:MOST_SERVICES]]
    return [*some, *_pod(wanted, [*own, *pods])]


def _pod(wanted: Quarantine, pods: Iterable[Object]) -> list[Target]:
    """The first pod that says on which port it listens, by its own addresses."""
    for pod in pods:
        for container in pod["spec"]["containers"]:
            for port in container.get("ports") or ():
                if port.get("protocol", TCP) == TCP:
                    what, number = f"pod {wanted.source}/{pod['metadata']['name']}", int(port["containerPort"])
                    return [Target("pod", what, one, number, CLOSED, answers=True) for one in addresses(pod)]
    return []


async def _dns(reader: Reader, wanted: Quarantine) -> list[Target]:
    """The cluster's name server, as pods use it and by its addresses; open only where the plan says so."""
    expected = OPEN if wanted.dns else CLOSED
    found = [Target("dns", "the cluster's names", "", 0, expected, protocol=UDP)]
    for one in await _listed(reader, SERVICES, "kube-system", "k8s-app=kube-dns"):
        ways = [(ip, port) for ip, port in _ways(one) if port == 53]
        found += [Target("dns", "the cluster's name server", ip, port, expected) for ip, port in ways]
        found += [Target("dns", "the cluster's name server", ip, 53, expected, protocol=UDP) for ip in _addresses(one)]
    ready = [pod for pod in await _listed(reader, PODS, "kube-system", "k8s-app=kube-dns") if _ready(pod)]
    for pod in ready[:1] if not wanted.dns else ():
        found += [Target("dns", "a name server's pod", one, 53, CLOSED, answers=True) for one in addresses(pod)]
    return found


async def _kubelets(reader: Reader, wanted: Quarantine) -> list[Target]:
    """A node's kubelet. Kubernetes never closes the way between a pod and its own node, so that one proves nothing."""
    dialer = await reader.get(PODS, names.DIALER, wanted.name, type=dict)
    home = ((dialer or {}).get("spec") or {}).get("nodeName")
    nodes = sorted(await _listed(reader, NODES, None), key=lambda one: one["metadata"]["name"] == home)
    for node in nodes[:1]:
        name = node["metadata"]["name"]
        own = name == home
        what = f"kubelet of {'its own node' if own else name}"
        told = (node.get("status") or {}).get("addresses") or ()
        inner = [str(one["address"]) for one in told if one.get("type") == "InternalIP"]
        return [Target("kubelet", what, one, KUBELET, EITHER if own else CLOSED) for one in inner]
    return []


def addresses(pod: Object) -> list[str]:
    """Every address of a pod, the first family first; none before it has one."""
    status = pod.get("status") or {}
    every = [str(one["ip"]) for one in status.get("podIPs") or () if one.get("ip")]
    return every or [str(status["podIP"])] if status.get("podIP") else every


def _addresses(service: Object) -> list[str]:
    """ClusterIPs of a service; none for a headless one."""
    spec = service.get("spec") or {}
    every = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return [str(one) for one in every if one and one != "None"]


def _ways(service: Object) -> list[tuple[str, int]]:
    """Every ClusterIP with each TCP port."""
    ports = (service.get("spec") or {}).get("ports") or ()
    numbers = [int(port["port"]) for port in ports if port.get("protocol", TCP) == TCP]
    return [(address, number) for address in _addresses(service) for number in numbers]


def _ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return ready and bool(pod["status"].get("podIP")) and not pod["metadata"].get("deletionTimestamp")


async def _listed(reader: Reader, resource: Resource, namespace: str | None, selector: str = "") -> list[Object]:
    """What may be seen: a way that is not known of is not tried, and the record shows which were."""
    try:
        return await reader.list(resource, namespace, type=dict, label_selector=selector)
    except (Forbidden, NotFound):
        return []
