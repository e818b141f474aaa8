"""ReplicaSets: as many pods as asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import PODS, REPLICASETS, Resource
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.pods import (
    adopt,
    is_active,
    is_ending,
    is_ready,
    owner_keys,
    phase,
    pod_of,
    seconds_to_available,
    soonest,
    write_status,
)

# Seconds until another try after the API server has refused a pod (a quota, a webhook).
_RETRY_SECONDS = 5.0


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
        failure = None if is_ending(owner) else self._bring(owner, pods)
        self._tell(owner, pods, failure)
        if failure:
            return _RETRY_SECONDS
        return soonest(seconds_to_available(pod, owner, self.clock.now()) for pod in pods)

    def _bring(self, owner: Object, pods: list[Object]) -> ApiError | None:
        """Makes or deletes pods, and keeps the list true; what the API server had against it."""
        wanted, (namespace, name) = owner["spec"].get("replicas", 1), key_of(owner)
        recorder = Recorder(self.api, self.clock, "replicaset-controller")
        for _ in range(wanted - len(pods)):
            pod = pod_of(owner, REPLICASETS, owner["spec"]["template"])
            pod["metadata"]["generateName"] = f"{name}-"
            try:
                made = self.api.create(PODS, pod, namespace)
            except ApiError as error:
                recorder.warning(owner, "FailedCreate", f"Error creating: {error}")
                return error
            recorder.normal(owner, "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
            pods.append(made)
        # The least useful go first: not scheduled, not ready, youngest.
        by_use = sorted(pods, key=lambda pod: (is_ready(pod), phase(pod) == "Running"))
        for pod in by_use[: max(0, len(pods) - wanted)]:
            meta = pod["metadata"]
            self.api.delete(PODS, meta["name"], namespace, uid=meta["uid"])
            recorder.normal(owner, "SuccessfulDelete", f"Deleted pod: {meta['name']}")
            pods.remove(pod)
        return None

    def _tell(self, owner: Object, pods: list[Object], failure: ApiError | None) -> None:
        now = self.clock.now()
        labels = (owner["spec"]["template"].get("metadata") or {}).get("labels") or {}
        status: Object = {
            "replicas": len(pods),
            "fullyLabeledReplicas": sum(
                labels.items() <= (pod["metadata"].get("labels") or {}).items() for pod in pods
            ),
            "readyReplicas": sum(is_ready(pod) for pod in pods),
            "availableReplicas": sum(seconds_to_available(pod, owner, now) == 0 for pod in pods),
        }
        status = {name: value for name, value in status.items() if value or name == "replicas"}
        status["observedGeneration"] = owner["metadata"].get("generation", 0)
        if failure:
            # Told once: the message names a pod that never was, a new one with each try.
            before = (owner.get("status") or {}).get("conditions")
            condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": str(failure)}
            status["conditions"] = before or [condition | {"lastTransitionTime": rfc3339(now)}]
        write_status(self.api, REPLICASETS, owner, status)
