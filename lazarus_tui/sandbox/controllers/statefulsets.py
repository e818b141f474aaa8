"""StatefulSets: pods with ordinals and volumes of their own, in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.resources import CLAIMS, PODS, STATEFULSETS, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.pods import (
    adopt,
    is_ending,
    is_over,
    is_ready,
    owner_keys,
    phase,
    pod_of,
    seconds_to_available,
    soonest,
    write_status,
)
from lazarus_tui.sandbox.controllers.revisions import POD_REVISION, Revisions, template_of
from lazarus_tui.sandbox.controllers.stateful_claims import StatefulClaims, claim_prefixes


class StatefulSetController(Controller):
    """Makes, replaces and removes the pods of StatefulSets, and makes their claims."""

    name = "statefulset"
    watches: ClassVar[Sequence[Resource]] = (STATEFULSETS, PODS, CLAIMS)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == STATEFULSETS:
            return (key_of(obj),)
        owners = self.api.list(STATEFULSETS, obj["metadata"]["namespace"])
        if resource == PODS:
            return owner_keys(obj, STATEFULSETS, owners)
        name = obj["metadata"]["name"]
        return [key_of(one) for one in owners if any(name.startswith(f"{p}-") for p in claim_prefixes(one))]

    async def reconcile(self, key: Key) -> float | None:
        owner = self.api.get(STATEFULSETS, key[1], key[0])
        if owner is None or is_ending(owner):
            return None
        pods = {
            ordinal: pod for pod in adopt(self.api, PODS, owner, STATEFULSETS) if (ordinal := _ordinal(owner, pod)) >= 0
        }
        revisions = Revisions(self.api, owner, STATEFULSETS)
        wanted = _wanted(owner)
        StatefulClaims(self.api, owner).keep(pods, wanted)
        self._drive(owner, pods, wanted, revisions)
        self._tell(owner, pods, wanted, revisions)
        current = str((owner.get("status") or {}).get("currentRevision", ""))
        revisions.prune({_revision(pod) for pod in pods.values()} | {current})
        return soonest(seconds_to_available(pod, owner, self.clock.now()) for pod in pods.values())

    def _drive(self, owner: Object, pods: dict[int, Object], wanted: list[int], revisions: Revisions) -> None:
        """One step nearer to what is wanted; with OrderedReady one pod at a time."""
        ordered = owner["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        if self._bring_up(owner, pods, wanted, revisions, ordered) and self._bring_down(owner, pods, wanted, ordered):
            self._roll(owner, pods, wanted, revisions.newest["metadata"]["name"])

    def _bring_up(
        self, owner: Object, pods: dict[int, Object], wanted: list[int], revisions: Revisions, ordered: bool
    ) -> bool:
        """False when nothing more may be done in this step."""
        for place, ordinal in enumerate(wanted):
            pod = pods.get(ordinal)
            if pod is None:
                self._make(owner, ordinal, self._revision_for(owner, place, revisions))
                if ordered:
                    return False
                continue
            if is_over(pod) and not is_ending(pod):
                self._remove(owner, pod)
                return False
            if phase(pod) == "Pending" and not is_ending(pod):
                StatefulClaims(self.api, owner).volumes(ordinal)  # a claim that went missing is made again
            if ordered and (is_ending(pod) or self._wait(owner, pod)):
                return False
        return True

    def _bring_down(self, owner: Object, pods: dict[int, Object], wanted: list[int], ordered: bool) -> bool:
        """The highest ordinal goes first; one that is not ready blocks all but the lowest such pod."""
        condemned = sorted((one for one in pods if one not in wanted), reverse=True)
        unhealthy = min((one for one, pod in pods.items() if not is_ready(pod) or is_ending(pod)), default=-1)
        for ordinal in condemned:
            pod = pods[ordinal]
            stuck = ordered and not is_ready(pod) and ordinal != unhealthy
            if not is_ending(pod) and not stuck:
                self._remove(owner, pod)
            if ordered:
                return False
        return True

    def _wait(self, owner: Object, pod: Object) -> float:
        return seconds_to_available(pod, owner, self.clock.now())

    def _roll(self, owner: Object, pods: dict[int, Object], wanted: list[int], revision: str) -> None:
        """Replaces one pod of an older revision, the highest ordinal first, when all above it are available."""
        strategy = owner["spec"].get("updateStrategy") or {}
        if strategy.get("type") == "OnDelete":
            return
        for ordinal in reversed(wanted[_partition(owner) :]):
            pod = pods.get(ordinal)
            if pod is None:
                return
            if _revision(pod) != revision and not is_ending(pod):
                self._remove(owner, pod)
                return
            if is_ending(pod) or self._wait(owner, pod):
                return

    @staticmethod
    def _revision_for(owner: Object, place: int, revisions: Revisions) -> Object:
        """Below the partition a pod is made as it was."""
        if (owner["spec"].get("updateStrategy") or {}).get("type") == "OnDelete" or place >= _partition(owner):
            return revisions.newest
        return revisions.named(str((owner.get("status") or {}).get("currentRevision", "")))

    def _make(self, owner: Object, ordinal: int, revision: Object) -> None:
        meta, name = owner["metadata"], f"{owner['metadata']['name']}-{ordinal}"
        pod = pod_of(owner, STATEFULSETS, template_of(revision))
        pod["metadata"]["name"] = name
        pod["metadata"]["labels"] |= {
            POD_REVISION: revision["metadata"]["name"],
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(ordinal),
        }
        recorder, where = Recorder(self.api, self.clock, "statefulset-controller"), f"StatefulSet {meta['name']}"
        with recorder.telling_refusals(owner, f"create Claim for Pod {name} in {where} failed error"):
            own = StatefulClaims(self.api, owner).volumes(ordinal)
        if own is None:
            return  # the removal of the claim comes back as an event
        names = {one["name"] for one in own}
        volumes = [one for one in pod["spec"].get("volumes") or () if one["name"] not in names] + own
        pod["spec"] |= {"volumes": volumes, "hostname": name, "subdomain": owner["spec"].get("serviceName", "")}
        with recorder.telling_refusals(owner, f"create Pod {name} in {where} failed error"):
            self.api.create(PODS, pod, meta["namespace"])
        recorder.normal(owner, "SuccessfulCreate", f"create Pod {name} in {where} successful")

    def _remove(self, owner: Object, pod: Object) -> None:
        meta = pod["metadata"]
        self.api.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"])
        text = f"delete Pod {meta['name']} in StatefulSet {owner['metadata']['name']} successful"
        Recorder(self.api, self.clock, "statefulset-controller").normal(owner, "SuccessfulDelete", text)

    def _tell(self, owner: Object, pods: dict[int, Object], wanted: list[int], revisions: Revisions) -> None:
        fresh = self.api.get(STATEFULSETS, owner["metadata"]["name"], owner["metadata"]["namespace"])
        if fresh is None or fresh["metadata"]["uid"] != owner["metadata"]["uid"]:
            return
        alive = [pod for pod in pods.values() if not is_over(pod)]
        staying = [pod for pod in alive if not is_ending(pod)]
        newest = revisions.newest["metadata"]["name"]
        current = str((fresh.get("status") or {}).get("currentRevision") or newest)
        updated = sum(_revision(pod) == newest for pod in staying)
        ready = sum(is_ready(pod) for pod in alive)
        rolling = (owner["spec"].get("updateStrategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"
        if rolling and updated == len(wanted) == ready == len(pods):
            current = newest
        status = {
            "observedGeneration": owner["metadata"].get("generation", 0),
            "replicas": len(alive),
            "readyReplicas": ready,
            "availableReplicas": sum(self._wait(owner, pod) == 0 for pod in alive),
            "updatedReplicas": updated,
            "currentReplicas": sum(_revision(pod) == current for pod in staying),
            "currentRevision": current,
            "updateRevision": newest,
            "collisionCount": 0,
        }
        write_status(self.api, STATEFULSETS, fresh, status)


def _partition(owner: Object) -> int:
    """How many of the lowest ordinals an update leaves alone."""
    return int(((owner["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition") or 0)


def _wanted(owner: Object) -> list[int]:
    start = (owner["spec"].get("ordinals") or {}).get("start") or 0
    return list(range(start, start + owner["spec"].get("replicas", 1)))


def _ordinal(owner: Object, pod: Object) -> int:
    prefix, _, last = pod["metadata"]["name"].rpartition("-")
    return int(last) if prefix == owner["metadata"]["name"] and last.isdigit() else -1


def _revision(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get(POD_REVISION, ""))
