"""Whether a second copy fits: what its pods ask for, what the nodes have left, and the plan's own limits (S18)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Any

import msgspec

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.objects import Meta, Wire
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.quantities import QuantityError, parse, size
from lazarus_tui.model.resources import NODES, PODS
from lazarus_tui.model.steps import Reader
from lazarus_tui.prove.points import Contents, Item
from lazarus_tui.prove.rules import Ruling
from lazarus_tui.prove.rules.owners import Owners
from lazarus_tui.prove.rules.patching import at
from lazarus_tui.prove.rules.podspecs import spec_path

_ENDED = ("Succeeded", "Failed")
# Kinds whose pods are counted, with the field that says how many there are.
_COUNTED = ("deployments.apps", "statefulsets.apps", "replicationcontrollers")


# What Velero's container that waits for volumes asks for (pkg/restore/actions/pod_volume_restore_action.go).
_WAIT: Mapping[str, str] = {"cpu": "100m", "memory": "128Mi"}


class _Resources(Wire, frozen=True):
    requests: dict[str, str] | None = None


class _Container(Wire, frozen=True):
    resources: _Resources = msgspec.field(default_factory=_Resources)


class _PodSpec(Wire, frozen=True):
    node_name: str = ""
    containers: list[_Container] | None = None


class _Phase(Wire, frozen=True):
    phase: str = ""


class _Pod(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: _PodSpec = msgspec.field(default_factory=_PodSpec)
    status: _Phase = msgspec.field(default_factory=_Phase)


class _NodeSpec(Wire, frozen=True):
    unschedulable: bool = False


class _NodeStatus(Wire, frozen=True):
    allocatable: dict[str, str] | None = None


class _Node(Wire, frozen=True):
    metadata: Meta = msgspec.field(default_factory=Meta)
    spec: _NodeSpec = msgspec.field(default_factory=_NodeSpec)
    status: _NodeStatus = msgspec.field(default_factory=_NodeStatus)


@dataclass(frozen=True, slots=True)
class Need:
    """What the copy asks for: cores, bytes of memory, pods, bytes of storage; and the largest of its pods."""

    cpu: Decimal = Decimal(0)
    memory: Decimal = Decimal(0)
    storage: Decimal = Decimal(0)
    pods: int = 0
    largest_cpu: Decimal = Decimal(0)
    largest_memory: Decimal = Decimal(0)

    def words(self) -> str:
        parts = [how_many(self.pods, "pod"), f"{self.cpu.normalize():f} CPU", f"{size(int(self.memory))} memory"]
        return ", ".join([*parts, f"{size(int(self.storage))} storage"] if self.storage else parts)


def needed(contents: Contents, ruling: Ruling, unsaid: Mapping[str, str]) -> Need:
    """From the requests of what is restored, all replicas running, as the API server fills in what they do not say;
    ``unsaid``: what the quarantine's own LimitRange has a container ask for."""
    filled = _filled(contents, ruling, unsaid)
    owners = Owners(contents)
    waiting = {owners.root(name) or f"Pod/{name}" for name in contents.filled_pods}
    cpu = memory = storage = most_cpu = most_memory = Decimal(0)
    pods = 0
    for item in contents.items:
        if item.name not in ruling.created.get(item.resource, ()):
            continue
        if item.resource == "persistentvolumeclaims":
            storage += _amount(at(item.body, ("spec", "resources", "requests")), "storage")
        count = _replicas(item)
        if count:
            waits = f"{item.kind}/{item.name}" in waiting
            one_cpu, one_memory = _asked(at(item.body, spec_path(item)) or {}, filled, waits=waits)
            most_cpu, most_memory = max(most_cpu, one_cpu), max(most_memory, one_memory)
            cpu, memory, pods = cpu + count * one_cpu, memory + count * one_memory, pods + count
    return Need(cpu, memory, storage, pods, most_cpu, most_memory)


def _replicas(item: Item) -> int:
    if item.resource in _COUNTED:
        found = item.spec.get("replicas")
        return 1 if found is None else int(found)
    return 1 if item.resource == "daemonsets.apps" or (item.resource == "pods" and not item.owner[0]) else 0


def _filled(contents: Contents, ruling: Ruling, unsaid: Mapping[str, str]) -> dict[str, Decimal]:
    """What LimitRanges have a container ask for that says nothing, the copy's and the quarantine's: of several the
    most."""
    found = {key: _amount(unsaid, key) for key in unsaid}
    for item in contents.of("limitranges"):
        limits = item.spec.get("limits") if item.name in ruling.created.get(item.resource, ()) else ()
        for one in limits or ():
            if not isinstance(one, Mapping) or one.get("type") != "Container":
                continue
            for key in ("cpu", "memory"):
                asked = one.get("defaultRequest") if key in (one.get("defaultRequest") or {}) else one.get("default")
                found[key] = max(found.get(key, Decimal(0)), _amount(asked, key))
    return found


def _asked(pod: Mapping[str, Any], filled: Mapping[str, Decimal], *, waits: bool) -> tuple[Decimal, Decimal]:
    """CPU and memory as the scheduler and a quota count them. ``waits``: Velero puts its own container in."""
    return _counted(pod, "cpu", filled, _WAIT if waits else None), _counted(
        pod, "memory", filled, _WAIT if waits else None
    )


def _counted(
    pod: Mapping[str, Any], key: str, filled: Mapping[str, Decimal], wait: Mapping[str, str] | None
) -> Decimal:
    """Containers run together, those before them one after the other, beside those of them that run on
    (k8s.io/component-helpers/resource, PodRequests)."""
    beside, most = Decimal(0), _amount(wait, key)
    for one in pod.get("initContainers") or ():
        own = _request(one, key, filled)
        most = max(most, beside + own)
        beside += own if at(one, ("restartPolicy",)) == "Always" else 0
    return max(most, beside + sum(_request(one, key, filled) for one in pod.get("containers") or ()))


def _request(container: Any, key: str, filled: Mapping[str, Decimal]) -> Decimal:
    """What a container asks for, else its limit, else what a LimitRange says (API server: SetDefaults_Pod, which comes
    before the LimitRanger)."""
    for part in ("requests", "limits"):
        found = at(container, ("resources", part))
        if isinstance(found, Mapping) and key in found:
            return _amount(found, key)
    return filled.get(key, Decimal(0))


def _amount(found: Any, key: str) -> Decimal:
    """0 for what is not asked for, or is no quantity: the server would not have taken that."""
    try:
        return parse(str(found[key])) if isinstance(found, Mapping) and key in found else Decimal(0)
    except QuantityError:
        return Decimal(0)


def within_limits(need: Need, limits: Mapping[str, str]) -> None:
    """Raises ``PlanRefused`` when the quarantine's own quota would refuse what is restored."""
    for key, value in (("cpu", need.cpu), ("memory", need.memory), ("storage", need.storage), ("pods", need.pods)):
        if key in limits and Decimal(value) > parse(limits[key]):
            raise PlanRefused(
                f"the copy asks for {need.words()}: more than the limit of {limits[key]} for {key}",
                where=f"limits.{key}",
                hint="raise the limit, or prove one workload of the namespace",
            )


async def shortage(reader: Reader, need: Need, beside: int = 0) -> list[str]:
    """What the nodes do not have left now, in words; ``beside``: pods of the quarantine itself, next to the copy's.

    A node may come by itself, so this is no refusal.
    """
    try:
        nodes = [one for one in await reader.list(NODES, type=_Node) if not one.spec.unschedulable]
        pods = await reader.list(PODS, type=_Pod)
    except Forbidden:
        return ["whether the nodes have room is not known: nodes or pods may not be listed"]
    if not nodes or not need.pods:
        return []
    used: dict[str, list[list[Mapping[str, str]]]] = {}
    for pod in pods:
        if pod.spec.node_name and pod.status.phase not in _ENDED:
            asked: list[Mapping[str, str]] = [one.resources.requests or {} for one in pod.spec.containers or ()]
            used.setdefault(pod.spec.node_name, []).append(asked)
    found = []
    for key, whole, largest in (
        ("cpu", need.cpu, need.largest_cpu),
        ("memory", need.memory, need.largest_memory),
    ):
        free = [_free(node, chain.from_iterable(used.get(node.metadata.name, ())), key) for node in nodes]
        left = sum(free, Decimal(0))
        if whole > left:
            found.append(f"the nodes have {_shown(key, left)} {key} left, the copy asks for {_shown(key, whole)}")
        elif largest > max(free):
            found.append(f"no node has {_shown(key, largest)} {key} left for the largest pod of the copy")
    return found + _places(nodes, used, need.pods + beside)


def _places(nodes: Iterable[_Node], used: Mapping[str, Sequence[Any]], wanted: int) -> list[str]:
    """A node takes so many pods, whatever they ask for; unknown where a node does not say how many."""
    limits = {one.metadata.name: (one.status.allocatable or {}).get("pods") for one in nodes}
    if None in limits.values():
        return []
    left = sum(max(0, int(_amount({"pods": most}, "pods")) - len(used.get(name, ()))) for name, most in limits.items())
    if wanted <= left:
        return []
    return [f"the nodes take {how_many(left, 'more pod')}, the copy and its probes are {wanted}"]


def _free(node: _Node, used: Iterable[Mapping[str, str]], key: str) -> Decimal:
    left = _amount(node.status.allocatable, key) - sum((_amount(one, key) for one in used), Decimal(0))
    return max(left, Decimal(0))


def _shown(key: str, value: Decimal) -> str:
    return size(int(value)) if key == "memory" else f"{value.normalize():f}"
