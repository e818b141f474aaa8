"""The claims of StatefulSets: made when they are missing, owned as the retention policy wants, removed by nobody here.

As the real controller: a claim that is missing is made anew and empty, whatever was there before; that is why a restore
must never scale up early.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from lazarus_tui.model.resources import CLAIMS, PODS, STATEFULSETS
from lazarus_tui.sandbox.controllers.base import Object
from lazarus_tui.sandbox.controllers.pods import is_ending, owner_reference

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi


def claim_prefixes(owner: Object) -> list[str]:
    """Names of the owner's claims without their ordinals."""
    name = owner["metadata"]["name"]
    return [f"{one['metadata']['name']}-{name}" for one in owner["spec"].get("volumeClaimTemplates") or ()]


class StatefulClaims:
    """The claims of one StatefulSet."""

    def __init__(self, api: LocalApi, owner: Object) -> None:
        self._api, self._owner = api, owner
        policy = owner["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
        self._scaled, self._deleted = policy.get("whenScaled", "Retain"), policy.get("whenDeleted", "Retain")

    def volumes(self, ordinal: int) -> list[Object] | None:
        """The pod volumes of one ordinal, claims made where missing; None while one of them is being deleted."""
        found = []
        for template in self._owner["spec"].get("volumeClaimTemplates") or ():
            claim = self._claim(template, ordinal)
            if is_ending(claim):
                return None
            source = {"claimName": claim["metadata"]["name"]}
            found.append({"name": template["metadata"]["name"], "persistentVolumeClaim": source})
        return found

    def _claim(self, template: Object, ordinal: int) -> Object:
        meta = self._owner["metadata"]
        name = f"{template['metadata']['name']}-{meta['name']}-{ordinal}"
        if found := self._api.get(CLAIMS, name, meta["namespace"]):
            return found
        labels = (self._owner["spec"].get("selector") or {}).get("matchLabels") or {}
        claim: Object = {
            "metadata": {
                "name": name,
                "labels": dict(template["metadata"].get("labels") or {}) | labels,
                "annotations": dict(template["metadata"].get("annotations") or {}),
            },
            "spec": copy.deepcopy(template["spec"]),
        }
        if self._deleted == "Delete":
            claim["metadata"]["ownerReferences"] = [owner_reference(self._owner, STATEFULSETS)]
        return self._api.create(CLAIMS, claim, meta["namespace"])

    def keep(self, pods: dict[int, Object], wanted: list[int]) -> None:
        """Gives claims the owners that the retention policy wants: the pod, the StatefulSet, or nobody.

        The garbage collector then removes a claim, and its data, with its owner. Claims without a pod are not touched:
        an owner that is gone stays written there.
        """
        for ordinal, pod in pods.items():
            reference: Object | None = None
            if self._scaled == "Delete" and ordinal not in wanted:
                reference = owner_reference(pod, PODS)
            elif self._deleted == "Delete":
                reference = owner_reference(self._owner, STATEFULSETS)
            for prefix in claim_prefixes(self._owner):
                self._own(f"{prefix}-{ordinal}", reference)

    def _own(self, name: str, reference: Object | None) -> None:
        namespace = self._owner["metadata"]["namespace"]
        claim = self._api.get(CLAIMS, name, namespace)
        if claim is None or is_ending(claim):
            return
        uid = self._owner["metadata"]["uid"]
        before = claim["metadata"].get("ownerReferences") or []
        after = [one for one in before if one["uid"] != uid and one["kind"] != PODS.kind]
        after += [reference] if reference else []
        if [one["uid"] for one in before] != [one["uid"] for one in after]:
            patch = {"metadata": {"uid": claim["metadata"]["uid"], "ownerReferences": after or None}}
            self._api.patch(CLAIMS, name, patch, namespace)
