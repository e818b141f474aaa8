"""Deployments: one ReplicaSet for each version of the template, the newest brought up as the others go down."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import DEPLOYMENTS, PODS, REPLICASETS, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.pods import (
    adopt,
    controlled,
    is_ending,
    owner_keys,
    owner_reference,
    template_hash,
    write_status,
)

_HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"


class DeploymentController(Controller):
    """Simple rollouts: the new version comes up whole, and for each pod that is ready an old one goes.

    ``Recreate`` ends all old pods first.
    """

    name = "deployment"
    watches: ClassVar[Sequence[Resource]] = (DEPLOYMENTS, REPLICASETS)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == DEPLOYMENTS:
            return (key_of(obj),)
        return owner_keys(obj, DEPLOYMENTS, self.api.list(DEPLOYMENTS, obj["metadata"]["namespace"]))

    async def reconcile(self, key: Key) -> float | None:
        owner = self.api.get(DEPLOYMENTS, key[1], key[0])
        if owner is None or is_ending(owner):
            return None
        sets = adopt(self.api, REPLICASETS, owner, DEPLOYMENTS)
        wanted = owner["spec"].get("replicas", 1)
        digest = template_hash(owner["spec"]["template"])
        new = next((one for one in sets if _hash_of(one) == digest), None)
        others = [one for one in sets if one is not new]
        recreate = (owner["spec"].get("strategy") or {}).get("type") == "Recreate"
        if recreate and any(self._pods(one) for one in others):
            self._scale_down(others, 0)
            wait = 0.5
        else:
            new = self._bring_up(owner, new, digest, wanted, others)
            ready = (new.get("status") or {}).get("readyReplicas", 0)
            self._scale_down(others, max(0, wanted - ready))
            self._prune(owner, others)
            wait = 0.0
        self._tell(owner, new, others, wanted)
        return wait or None

    def _pods(self, replicaset: Object) -> list[Object]:
        return controlled(self.api, PODS, replicaset)

    def _bring_up(self, owner: Object, new: Object | None, digest: str, wanted: int, others: list[Object]) -> Object:
        meta = owner["metadata"]
        if new is None:
            revision = 1 + max((_revision(one) for one in others), default=0)
            template = copy.deepcopy(owner["spec"]["template"])
            template.setdefault("metadata", {}).setdefault("labels", {})[_HASH] = digest
            labels = template["metadata"]["labels"]
            selector = copy.deepcopy(owner["spec"]["selector"])
            selector.setdefault("matchLabels", {})[_HASH] = digest
            new = self.api.create(
                REPLICASETS,
                {
                    "metadata": {
                        "name": f"{meta['name']}-{digest}",
                        "labels": dict(labels),
                        "annotations": {_REVISION: str(revision)},
                        "ownerReferences": [owner_reference(owner, DEPLOYMENTS)],
                    },
                    "spec": {"replicas": wanted, "selector": selector, "template": template},
                },
                meta["namespace"],
            )
        elif others and _revision(new) <= (highest := max(_revision(one) for one in others)):
            patch = {"metadata": {"annotations": {_REVISION: str(highest + 1)}}}
            new = self.api.patch(REPLICASETS, new["metadata"]["name"], patch, meta["namespace"])
        self._scale(new, wanted)
        revision_now = {"metadata": {"annotations": {_REVISION: str(_revision(new))}}}
        if (meta.get("annotations") or {}).get(_REVISION) != str(_revision(new)):
            self.api.patch(DEPLOYMENTS, meta["name"], revision_now, meta["namespace"])
        return new

    def _scale_down(self, sets: list[Object], most: int) -> None:
        """The sets together keep at most ``most`` replicas, the newest ones first."""
        left = most
        for one in sorted(sets, key=_revision, reverse=True):
            keep = min(one["spec"].get("replicas", 1), left)
            left -= keep
            self._scale(one, keep)

    def _scale(self, replicaset: Object, replicas: int) -> None:
        if replicaset["spec"].get("replicas", 1) != replicas:
            meta = replicaset["metadata"]
            self.api.patch(REPLICASETS, meta["name"], {"spec": {"replicas": replicas}}, meta["namespace"])

    def _prune(self, owner: Object, others: list[Object]) -> None:
        limit = owner["spec"].get("revisionHistoryLimit", 10)
        empty = [
            one for one in others if not one["spec"].get("replicas") and not (one.get("status") or {}).get("replicas")
        ]
        for one in sorted(empty, key=_revision)[: max(0, len(empty) - limit)]:
            self.api.delete(
                REPLICASETS, one["metadata"]["name"], one["metadata"]["namespace"], uid=one["metadata"]["uid"]
            )

    def _tell(self, owner: Object, new: Object | None, others: list[Object], wanted: int) -> None:
        fresh = self.api.get(DEPLOYMENTS, owner["metadata"]["name"], owner["metadata"]["namespace"])
        if fresh is None or fresh["metadata"]["uid"] != owner["metadata"]["uid"]:
            return
        statuses = [one.get("status") or {} for one in (*others, *([new] if new else []))]
        of_new = (new or {}).get("status") or {}
        replicas = sum(one.get("replicas", 0) for one in statuses)
        ready = sum(one.get("readyReplicas", 0) for one in statuses)
        updated = of_new.get("replicas", 0)
        complete = updated == wanted == ready == replicas
        status = {
            "observedGeneration": owner["metadata"].get("generation", 0),
            "replicas": replicas,
            "updatedReplicas": updated,
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": max(0, wanted - ready),
            "conditions": self._conditions(fresh, new, available=ready >= wanted, complete=complete),
        }
        write_status(
            self.api,
            DEPLOYMENTS,
            fresh,
            {key: value for key, value in status.items() if value != 0 or key == "observedGeneration"},
        )

    def _conditions(self, owner: Object, new: Object | None, *, available: bool, complete: bool) -> list[Object]:
        name = new["metadata"]["name"] if new else ""
        known = {one["type"]: one for one in (owner.get("status") or {}).get("conditions") or ()}
        texts = {
            "Available": (
                "True" if available else "False",
                "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable",
                f"Deployment {'has' if available else 'does not have'} minimum availability.",
            ),
            "Progressing": (
                "True",
                "NewReplicaSetAvailable" if complete else "ReplicaSetUpdated",
                f'ReplicaSet "{name}" {"has successfully progressed" if complete else "is progressing"}.',
            ),
        }
        found = []
        now = rfc3339(self.clock.now())
        for kind, (state, reason, message) in texts.items():
            before = known.get(kind, {})
            same = all(
                before.get(field) == value
                for field, value in (("status", state), ("reason", reason), ("message", message))
            )
            moved = before.get("lastTransitionTime", now) if before.get("status") == state else now
            updated = before.get("lastUpdateTime", now) if same else now
            found.append(
                {"type": kind, "status": state, "reason": reason, "message": message,
                 "lastTransitionTime": moved, "lastUpdateTime": updated}
            )  # fmt: skip
        return found


def _hash_of(replicaset: Object) -> str:
    """The version a ReplicaSet stands for; its own label, or for one that came from elsewhere its template's."""
    return str((replicaset["metadata"].get("labels") or {}).get(_HASH, ""))


def _revision(replicaset: Object) -> int:
    text = str((replicaset["metadata"].get("annotations") or {}).get(_REVISION, "0"))
    return int(text) if text.isdigit() else 0
