"""DaemonSets: one pod on every node that takes it, and the sandbox has one node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.resources import DAEMONSETS, NODES, PODS, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.node_fit import tolerates, wants
from lazarus_tui.sandbox.controllers.pods import (
    adopt,
    is_ending,
    is_over,
    is_ready,
    owner_keys,
    pod_of,
    seconds_to_available,
    soonest,
    write_status,
)
from lazarus_tui.sandbox.controllers.quantities import portion
from lazarus_tui.sandbox.controllers.revisions import POD_REVISION, Revisions, hash_of

# Troubles of a node that no daemon minds: taint → effects (what the real controller adds to each pod).
_TOLERATED = {
    "node.kubernetes.io/not-ready": ("NoExecute",),
    "node.kubernetes.io/unreachable": ("NoExecute",),
    "node.kubernetes.io/disk-pressure": ("NoSchedule",),
    "node.kubernetes.io/memory-pressure": ("NoSchedule",),
    "node.kubernetes.io/pid-pressure": ("NoSchedule",),
    "node.kubernetes.io/unschedulable": ("NoSchedule",),
}

_GENERATION = "deprecated.daemonset.template.generation"


class DaemonSetController(Controller):
    """Makes and replaces the pods of DaemonSets; of a rolling update ``maxSurge`` is read as ``maxUnavailable`` 1."""

    name = "daemonset"
    watches: ClassVar[Sequence[Resource]] = (DAEMONSETS, PODS, NODES)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == DAEMONSETS:
            return (key_of(obj),)
        if resource == NODES:
            same = old is not None and (old["spec"], old["metadata"].get("labels")) == (
                obj["spec"],
                obj["metadata"].get("labels"),
            )
            return [] if same else [key_of(one) for one in self.api.list(DAEMONSETS)]
        return owner_keys(obj, DAEMONSETS, self.api.list(DAEMONSETS, obj["metadata"]["namespace"]))

    async def reconcile(self, key: Key) -> float | None:
        owner = self.api.get(DAEMONSETS, key[1], key[0])
        if owner is None or is_ending(owner):
            return None
        revisions = Revisions(self.api, owner, DAEMONSETS)
        digest = hash_of(revisions.newest)
        pods = adopt(self.api, PODS, owner, DAEMONSETS)
        nodes = self.api.list(NODES)
        fitting = [node["metadata"]["name"] for node in nodes if _takes(owner, node)]
        kept = [node["metadata"]["name"] for node in nodes if _takes(owner, node, there=True)]
        self._place(owner, pods, fitting, kept, digest)
        pods = adopt(self.api, PODS, owner, DAEMONSETS)
        self._roll(owner, pods, len(fitting), digest)
        self._tell(owner, pods, fitting, digest)
        revisions.prune({f"{key[1]}-{_hash(pod)}" for pod in pods})
        return soonest(seconds_to_available(pod, owner, self.clock.now()) for pod in pods)

    def _place(self, owner: Object, pods: list[Object], fitting: list[str], kept: list[str], digest: str) -> None:
        """One pod on each node that takes it and none where it may not stay; one that is over is made again."""
        for pod in pods:
            misplaced = _node(pod) not in ("", *kept)
            if not is_ending(pod) and (is_over(pod) or misplaced):
                self._remove(owner, pod)
        for node in fitting:
            here = [pod for pod in pods if _node(pod) == node]
            if not here:
                self._make(owner, node, digest)
            alive = sorted((pod for pod in here if not is_ending(pod) and not is_over(pod)), key=is_ready)
            for pod in alive[:-1]:
                self._remove(owner, pod)

    def _roll(self, owner: Object, pods: list[Object], desired: int, digest: str) -> None:
        """Replaces pods of an older revision: those that do not serve at once, others as many as may be missed."""
        strategy = owner["spec"].get("updateStrategy") or {}
        if strategy.get("type") == "OnDelete":
            return
        rolling = strategy.get("rollingUpdate") or {}
        most = max(1, portion(rolling.get("maxUnavailable", 1), desired))
        now = self.clock.now()
        serving = [pod for pod in pods if not is_ending(pod) and seconds_to_available(pod, owner, now) == 0]
        room = most - (desired - len(serving))
        for pod in pods:
            if is_ending(pod) or _hash(pod) in (digest, ""):
                continue
            if pod in serving:
                if room <= 0:
                    continue
                room -= 1
            self._remove(owner, pod)

    def _make(self, owner: Object, node: str, digest: str) -> None:
        pod = pod_of(owner, DAEMONSETS, owner["spec"]["template"])
        pod["metadata"]["generateName"] = f"{owner['metadata']['name']}-"
        pod["metadata"]["labels"] |= {
            POD_REVISION: digest,
            "pod-template-generation": str((owner["metadata"].get("annotations") or {}).get(_GENERATION, "1")),
        }
        spec = pod["spec"]
        field = {"key": "metadata.name", "operator": "In", "values": [node]}
        required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchFields": [field]}]}}
        affinity = spec.get("affinity") or {}
        spec["affinity"] = affinity | {"nodeAffinity": (affinity.get("nodeAffinity") or {}) | required}
        spec["tolerations"] = [*(spec.get("tolerations") or ()), *_tolerations()]
        with self._recorder.telling_refusals(owner, "Error creating"):
            made = self.api.create(PODS, pod, owner["metadata"]["namespace"])
        self._recorder.normal(owner, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")

    def _remove(self, owner: Object, pod: Object) -> None:
        meta = pod["metadata"]
        self.api.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"])
        self._recorder.normal(owner, "SuccessfulDelete", f"Deleted pod: {meta['name']}")

    @property
    def _recorder(self) -> Recorder:
        return Recorder(self.api, self.clock, "daemonset-controller")

    def _tell(self, owner: Object, pods: list[Object], fitting: list[str], digest: str) -> None:
        now = self.clock.now()
        placed = [pod for pod in pods if not is_ending(pod) and not is_over(pod)]
        able = sum(seconds_to_available(pod, owner, now) == 0 for pod in placed)
        status = {
            "currentNumberScheduled": len({_node(pod) for pod in placed} & set(fitting)),
            "desiredNumberScheduled": len(fitting),
            "numberMisscheduled": sum(_node(pod) not in ("", *fitting) for pod in placed),
            "numberReady": sum(is_ready(pod) for pod in placed),
            "numberAvailable": able,
            "numberUnavailable": max(0, len(fitting) - able),
            "updatedNumberScheduled": sum(_hash(pod) in (digest, "") for pod in placed),
            "observedGeneration": owner["metadata"].get("generation", 0),
        }
        optional = ("numberAvailable", "numberUnavailable", "updatedNumberScheduled")
        shown = {name: value for name, value in status.items() if value or name not in optional}
        fresh = self.api.get(DAEMONSETS, owner["metadata"]["name"], owner["metadata"]["namespace"])
        if fresh and fresh["metadata"]["uid"] == owner["metadata"]["uid"]:
            write_status(self.api, DAEMONSETS, fresh, shown)


def _tolerations() -> list[Object]:
    return [
        {"key": key, "operator": "Exists", "effect": effect}
        for key, effects in _TOLERATED.items()
        for effect in effects
    ]


def _takes(owner: Object, node: Object, *, there: bool = False) -> bool:
    """Whether a daemon may start on the node, or if it is ``there`` already, may stay: only NoExecute drives it out."""
    template = owner["spec"]["template"]["spec"]
    pod = {"spec": {**template, "tolerations": [*(template.get("tolerations") or ()), *_tolerations()]}}
    effects = ("NoExecute",) if there else ("NoExecute", "NoSchedule")
    keeping = [one for one in node["spec"].get("taints") or () if one["effect"] in effects]
    return wants(pod, node) and all(tolerates(pod, taint) for taint in keeping)


def _node(pod: Object) -> str:
    """The node a pod runs on or is meant for; ``""`` for one that came from elsewhere and has none yet."""
    if name := pod["spec"].get("nodeName"):
        return str(name)
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for one in term.get("matchFields") or ():
            if one["key"] == "metadata.name" and one.get("values"):
                return str(one["values"][0])
    return ""


def _hash(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get(POD_REVISION, ""))
