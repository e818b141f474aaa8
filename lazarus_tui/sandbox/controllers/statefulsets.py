"""StatefulSets: pods with ordinals and volumes of their own, in order.

As the real controller: a claim that is missing is made anew and empty, whatever was there before; that is why a restore
must never scale up early.
"""

from __future__ import annotations

import copy
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
    owner_reference,
    pod_of,
    template_hash,
    write_status,
)

_REVISION = "controller-revision-hash"
_POD_REFERENCE = {"apiVersion": "v1", "kind": "Pod"}


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
        revision = f"{key[1]}-{template_hash(owner['spec']['template'])}"
        wanted = _wanted(owner)
        self._keep_claims(owner, pods, wanted)
        self._drive(owner, pods, wanted, revision)
        self._tell(owner, pods, wanted, revision)
        return None

    def _drive(self, owner: Object, pods: dict[int, Object], wanted: list[int], revision: str) -> None:
        """One step nearer to what is wanted; with OrderedReady one pod at a time."""
        ordered = owner["spec"].get("podManagementPolicy", "OrderedReady") == "OrderedReady"
        for ordinal in wanted:
            pod = pods.get(ordinal)
            if pod is None:
                self._make(owner, ordinal, self._revision_for(owner, ordinal, revision))
                if ordered:
                    return
                continue
            if is_over(pod) and not is_ending(pod):
                self._remove(owner, pod)
                return
            if ordered and (is_ending(pod) or not is_ready(pod)):
                return
        for ordinal in sorted((one for one in pods if one not in wanted), reverse=True):
            if not is_ending(pods[ordinal]):
                self._remove(owner, pods[ordinal])
            if ordered:
                return
        self._roll(owner, pods, wanted, revision)

    def _roll(self, owner: Object, pods: dict[int, Object], wanted: list[int], revision: str) -> None:
        """Replaces one pod of an older revision, the highest ordinal first, when all others are ready."""
        strategy = owner["spec"].get("updateStrategy") or {}
        if strategy.get("type") == "OnDelete":
            return
        partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
        for ordinal in reversed(wanted):
            pod = pods.get(ordinal)
            if pod is None or ordinal < partition:
                return
            if _revision(pod) != revision and not is_ending(pod):
                self._remove(owner, pod)
                return
            if not is_ready(pod):
                return

    @staticmethod
    def _revision_for(owner: Object, ordinal: int, revision: str) -> str:
        partition = ((owner["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}).get("partition") or 0
        current = (owner.get("status") or {}).get("currentRevision") or revision
        return current if ordinal < partition else revision

    def _make(self, owner: Object, ordinal: int, revision: str) -> None:
        meta, name = owner["metadata"], f"{owner['metadata']['name']}-{ordinal}"
        pod = pod_of(owner, STATEFULSETS, owner["spec"]["template"])
        pod["metadata"]["name"] = name
        pod["metadata"]["labels"] |= {
            _REVISION: revision,
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(ordinal),
        }
        templates = owner["spec"].get("volumeClaimTemplates") or []
        names = {one["metadata"]["name"] for one in templates}
        volumes = [one for one in pod["spec"].get("volumes") or () if one["name"] not in names]
        for template in templates:
            claim = self._claim(owner, template, ordinal)
            if is_ending(claim):
                return  # its removal comes back as an event
            volumes.append(
                {
                    "name": template["metadata"]["name"],
                    "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]},
                }
            )
        pod["spec"] |= {"volumes": volumes, "hostname": name, "subdomain": owner["spec"].get("serviceName", "")}
        self.api.create(PODS, pod, meta["namespace"])
        Recorder(self.api, self.clock, "statefulset-controller").normal(
            owner, "SuccessfulCreate", f"create Pod {name} in StatefulSet {meta['name']} successful"
        )

    def _claim(self, owner: Object, template: Object, ordinal: int) -> Object:
        """The claim of one ordinal; a new one if there is none."""
        meta = owner["metadata"]
        name = f"{template['metadata']['name']}-{meta['name']}-{ordinal}"
        if found := self.api.get(CLAIMS, name, meta["namespace"]):
            return found
        labels = (owner["spec"].get("selector") or {}).get("matchLabels") or {}
        claim: Object = {
            "metadata": {
                "name": name,
                "labels": dict(template["metadata"].get("labels") or {}) | labels,
                "annotations": dict(template["metadata"].get("annotations") or {}),
            },
            "spec": copy.deepcopy(template["spec"]),
        }
        if _policy(owner)[1] == "Delete":
            claim["metadata"]["ownerReferences"] = [owner_reference(owner, STATEFULSETS)]
        return self.api.create(CLAIMS, claim, meta["namespace"])

    def _remove(self, owner: Object, pod: Object) -> None:
        meta = pod["metadata"]
        self.api.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"])
        text = f"delete Pod {meta['name']} in StatefulSet {owner['metadata']['name']} successful"
        Recorder(self.api, self.clock, "statefulset-controller").normal(owner, "SuccessfulDelete", text)

    def _keep_claims(self, owner: Object, pods: dict[int, Object], wanted: list[int]) -> None:
        """Gives claims the owners that the retention policy wants: the pod, the StatefulSet, or nobody.

        The garbage collector then removes a claim, and its data, with its owner.
        """
        scaled, deleted = _policy(owner)
        own = owner_reference(owner, STATEFULSETS)
        for ordinal, pod in pods.items():
            condemned = ordinal not in wanted
            reference: Object | None = own if deleted == "Delete" else None
            if scaled == "Delete" and condemned:
                reference = _POD_REFERENCE | {"name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
            elif scaled != "Delete" and condemned and deleted != "Delete":
                reference = None
            for prefix in claim_prefixes(owner):
                self._own(owner, f"{prefix}-{ordinal}", reference)

    def _own(self, owner: Object, claim_name: str, reference: Object | None) -> None:
        namespace = owner["metadata"]["namespace"]
        claim = self.api.get(CLAIMS, claim_name, namespace)
        if claim is None or is_ending(claim):
            return
        before = claim["metadata"].get("ownerReferences") or []
        ours = [one for one in before if one["uid"] == owner["metadata"]["uid"] or one["kind"] == "Pod"]
        after = [one for one in before if one not in ours] + ([reference] if reference else [])
        if [one["uid"] for one in before] != [one["uid"] for one in after]:
            patch = {"metadata": {"uid": claim["metadata"]["uid"], "ownerReferences": after or None}}
            self.api.patch(CLAIMS, claim_name, patch, namespace)

    def _tell(self, owner: Object, pods: dict[int, Object], wanted: list[int], revision: str) -> None:
        fresh = self.api.get(STATEFULSETS, owner["metadata"]["name"], owner["metadata"]["namespace"])
        if fresh is None or fresh["metadata"]["uid"] != owner["metadata"]["uid"]:
            return
        alive = [pod for pod in pods.values() if not is_over(pod)]
        updated = sum(_revision(pod) == revision for pod in alive)
        ready = sum(is_ready(pod) for pod in alive)
        before = fresh.get("status") or {}
        current = before.get("currentRevision") or revision
        if updated == len(wanted) == ready == len(pods):
            current = revision
        status = {
            "observedGeneration": owner["metadata"].get("generation", 0),
            "replicas": len(alive),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "updatedReplicas": updated,
            "currentReplicas": sum(_revision(pod) == current for pod in alive),
            "currentRevision": current,
            "updateRevision": revision,
            "collisionCount": 0,
        }
        write_status(self.api, STATEFULSETS, fresh, status)


def claim_prefixes(owner: Object) -> list[str]:
    """Names of the owner's claims without their ordinals."""
    name = owner["metadata"]["name"]
    return [f"{one['metadata']['name']}-{name}" for one in owner["spec"].get("volumeClaimTemplates") or ()]


def _policy(owner: Object) -> tuple[str, str]:
    """What becomes of claims: (whenScaled, whenDeleted)."""
    policy = owner["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    return policy.get("whenScaled", "Retain"), policy.get("whenDeleted", "Retain")


def _wanted(owner: Object) -> list[int]:
    start = (owner["spec"].get("ordinals") or {}).get("start") or 0
    return list(range(start, start + owner["spec"].get("replicas", 1)))


def _ordinal(owner: Object, pod: Object) -> int:
    prefix, _, last = pod["metadata"]["name"].rpartition("-")
    return int(last) if prefix == owner["metadata"]["name"] and last.isdigit() else -1


def _revision(pod: Object) -> str:
    return str((pod["metadata"].get("labels") or {}).get(_REVISION, ""))
