"""Where a pod of a quarantine tries to get to: every place that it must not reach, and the one that it must."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.resources import NODES, PODS, SERVICES, Resource
from lazarus_tui.model.steps import Reader, StepContext
from lazarus_tui.prove.quarantine import names
from lazarus_tui.prove.quarantine.names import Quarantine

Object = dict[str, Any]

OPEN, CLOSED, EITHER = "open", "closed", "either"
# Seconds a way gets to open: a CNI drops what it refuses, so every closed way takes as long. What was lost is sent
# again after one.
SECONDS = 2
# Services tried in one round at most: each way is a command in the dialer.
MOST_SERVICES = 16
# Where clouds give out credentials, and the port of a node's kubelet.
METADATA, KUBELET = "169.254.169.254", 10250
_RESOLVED = "kubernetes.default.svc.cluster.local"


@dataclass(frozen=True, slots=True)
class Target:
    """One way. ``answers`` says that somebody surely answers there, so that silence is the network's doing.

    ``expected`` is open, closed, or either where Kubernetes itself leaves it open. An empty ``port`` asks for a name.
    """

    kind: str
    what: str
    host: str
    port: int
    expected: str
    answers: bool = False

    @property
    def argv(self) -> tuple[str, ...]:
        if not self.port:
            return ("nslookup", f"-timeout={SECONDS}", self.host)
        return ("nc", "-z", "-w", str(SECONDS), self.host, str(self.port))


async def targets(context: StepContext, wanted: Quarantine, env: Mapping[str, str]) -> list[Target]:
    """All ways to try; ``env`` is the dialer's environment, which tells it where the API server is."""
    space = context.facts.get("prove.space") or {}
    reader = context.reader
    found = [Target("control", "the other probe", str(space.get("listener") or ""), names.PORT, OPEN, answers=True)]
    found += await _api_server(reader, env)
    found += await _production(reader, wanted)
    found.append(Target("metadata", "the cloud's metadata service", METADATA, 80, CLOSED))
    host, _, port = wanted.outside.rpartition(":")
    found.append(Target("internet", "the internet", host.strip("[]"), int(port), CLOSED))
    found += await _dns(reader, wanted)
    found += await _kubelets(reader, wanted)
    first = {(one.host, one.port): one for one in reversed(found) if one.host}
    return [one for one in found if first.get((one.host, one.port)) is one]


async def _api_server(reader: Reader, env: Mapping[str, str]) -> list[Target]:
    """By the address that pods are told, and by its service: both lead to whoever answers us here."""
    found = []
    host, port = env.get("KUBERNETES_SERVICE_HOST", ""), env.get("KUBERNETES_SERVICE_PORT", "")
    if host and port.isdigit():
        found.append(Target("api", "the API server", host, int(port), CLOSED, answers=True))
    for one in await _listed(reader, SERVICES, "default", "component=apiserver"):
        found += [
            Target("api", "service kubernetes.default", address, number, CLOSED, answers=True)
            for address, number in _ways(one)
        ]
    return found


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
    return [*found[:MOST_SERVICES], *_pod(wanted, [*own, *pods])]


def _pod(wanted: Quarantine, pods: Iterable[Object]) -> list[Target]:
    """The first pod that says on which port it listens, by its own address."""
    for pod in pods:
        for container in pod["spec"]["containers"]:
            for port in container.get("ports") or ():
                if port.get("protocol", "TCP") == "TCP":
                    what = f"pod {wanted.source}/{pod['metadata']['name']}"
                    return [
                        Target("pod", what, pod["status"]["podIP"], int(port["containerPort"]), CLOSED, answers=True)
                    ]
    return []


async def _dns(reader: Reader, wanted: Quarantine) -> list[Target]:
    """The cluster's name server, as pods use it and by its address; open only where the plan says so."""
    expected = OPEN if wanted.dns else CLOSED
    found = [Target("dns", "the cluster's names", _RESOLVED, 0, expected)]
    for one in await _listed(reader, SERVICES, "kube-system", "k8s-app=kube-dns"):
        found += [
            Target("dns", "the cluster's name server", ip, port, expected) for ip, port in _ways(one) if port == 53
        ]
    return found


async def _kubelets(reader: Reader, wanted: Quarantine) -> list[Target]:
    """A node's kubelet. Kubernetes never closes the way between a pod and its own node, so that one proves nothing."""
    dialer = await reader.get(PODS, names.DIALER, wanted.name, type=dict)
    home = ((dialer or {}).get("spec") or {}).get("nodeName")
    nodes = sorted(await _listed(reader, NODES, None), key=lambda one: one["metadata"]["name"] == home)
    for node in nodes[:1]:
        name = node["metadata"]["name"]
        own = name == home
        for one in (node.get("status") or {}).get("addresses") or ():
            if one.get("type") == "InternalIP":
                what = f"kubelet of {'its own node' if own else name}"
                return [Target("kubelet", what, one["address"], KUBELET, EITHER if own else CLOSED)]
    return []


def _ways(service: Object) -> list[tuple[str, int]]:
    """ClusterIP and TCP ports of a service; none for a headless one."""
    spec = service.get("spec") or {}
    address = str(spec.get("clusterIP") or "")
    if not address or address == "None":
        return []
    return [(address, int(port["port"])) for port in spec.get("ports") or () if port.get("protocol", "TCP") == "TCP"]


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
