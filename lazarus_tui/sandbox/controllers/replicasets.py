"""ReplicaSets: as many pods as asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.resources import PODS, REPLICASETS, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.pods import (
    adopt,
    is_active,
    is_ending,
    is_ready,
    owner_keys,
    phase,
    pod_of,
    write_status,
)


class ReplicaSetController(Controller):
    """Makes and removes the pods of ReplicaSets."""

    name = "replicaset"
    watches: ClassVar[Sequence[Resource]] = (REPLICASETS, PODS)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == REPLICASETS:
            return (key_of(obj),)
        return owner_keys(obj, REPLICASETS, self.api.list(REPLICASETS, obj["metadata"]["namespace"]))

    async def reconcile(self, key: Key) -> float | None:
        owner = self.api.get(REPLICASETS, key[1], key[0])
        if owner is None:
            return None
        pods = [pod for pod in adopt(self.api, PODS, owner, REPLICASETS) if is_active(pod)]
        wanted = owner["spec"].get("replicas", 1)
        if not is_ending(owner):
            for _ in range(wanted - len(pods)):
                pod = pod_of(owner, REPLICASETS, owner["spec"]["template"])
                pod["metadata"]["generateName"] = f"{key[1]}-"
                pods.append(self.api.create(PODS, pod, key[0]))
            # The least useful go first: not scheduled, not ready, youngest.
            by_use = sorted(pods, key=lambda pod: (is_ready(pod), phase(pod) == "Running"))
            for pod in by_use[: max(0, len(pods) - wanted)]:
                meta = pod["metadata"]
                self.api.delete(PODS, meta["name"], key[0], uid=meta["uid"])
                pods.remove(pod)
        ready = sum(is_ready(pod) for pod in pods)
        status = {
            "replicas": len(pods),
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "observedGeneration": owner["metadata"].get("generation", 0),
        }
        write_status(self.api, REPLICASETS, owner, status)
        return None
