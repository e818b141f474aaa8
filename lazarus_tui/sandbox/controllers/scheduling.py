"""The scheduler: there is one node, so the question is only whether a pod's claims can be had."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import CLAIMS, NODES, PODS, STORAGECLASSES, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.claims import SELECTED_NODE
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.nodes import MAX_PODS
from lazarus_tui.sandbox.controllers.pods import is_ending, is_over


class Scheduler(Controller):
    """Binds pods to the node; a claim that waits for its first consumer learns of it here."""

    name = "scheduler"
    watches: ClassVar[Sequence[Resource]] = (PODS, CLAIMS, NODES)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == PODS and not obj["spec"].get("nodeName"):
            return (key_of(obj),)
        if resource == PODS and not is_over(obj) and self._there(obj):
            return ()
        # Room came free, a claim changed, or a node did: those that wait look again.
        where = obj["metadata"].get("namespace") if resource == CLAIMS else None
        return [key_of(pod) for pod in self.api.list(PODS, where) if not pod["spec"].get("nodeName")]

    async def reconcile(self, key: Key) -> float | None:
        pod = self.api.get(PODS, key[1], key[0])
        if pod is None or pod["spec"].get("nodeName") or is_ending(pod) or pod["spec"].get("schedulingGates"):
            return None
        if sum(bool(one["spec"].get("nodeName")) and not is_over(one) for one in self.api.list(PODS)) >= MAX_PODS:
            self._refuse(pod, "0/1 nodes are available: 1 Too many pods.")
            return None
        nodes = [one["metadata"]["name"] for one in self.api.list(NODES) if not one["spec"].get("unschedulable")]
        if not nodes:
            self._refuse(pod, "0/1 nodes are available: 1 node(s) were unschedulable.")
            return None
        waits, wrong = self._claims(pod, nodes[0])
        if wrong:
            self._refuse(pod, f"0/1 nodes are available: {wrong}.")
        elif not waits:
            self.api.bind(key[1], key[0], nodes[0])
            Recorder(self.api, self.clock, "default-scheduler").normal(
                pod, "Scheduled", f"Successfully assigned {key[0]}/{key[1]} to {nodes[0]}"
            )
        return None

    def _there(self, pod: Object) -> bool:
        found = self.api.get(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"])
        return found is not None and found["metadata"]["uid"] == pod["metadata"]["uid"]

    def _claims(self, pod: Object, node: str) -> tuple[bool, str]:
        """Whether a claim is still on its way, and what stands against the pod."""
        namespace, waits = pod["metadata"]["namespace"], False
        for volume in pod["spec"].get("volumes") or ():
            if not volume.get("persistentVolumeClaim"):
                continue
            name = volume["persistentVolumeClaim"]["claimName"]
            claim = self.api.get(CLAIMS, name, namespace)
            if claim is None:
                return False, f'persistentvolumeclaim "{name}" not found'
            if is_ending(claim):
                return False, f'persistentvolumeclaim "{name}" is being deleted'
            phase = (claim.get("status") or {}).get("phase")
            if phase == "Lost":
                return False, f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume'
            if phase == "Bound":
                continue
            storage = self.api.get(STORAGECLASSES, claim["spec"].get("storageClassName") or "")
            late = (storage or {}).get("volumeBindingMode") == "WaitForFirstConsumer"
            if claim["spec"].get("volumeName") or not late:
                return False, "pod has unbound immediate PersistentVolumeClaims"
            waits = True
            if SELECTED_NODE not in (claim["metadata"].get("annotations") or {}):
                self.api.patch(CLAIMS, name, {"metadata": {"annotations": {SELECTED_NODE: node}}}, namespace)
        return waits, ""

    def _refuse(self, pod: Object, message: str) -> None:
        status = pod.get("status") or {}
        others = [one for one in status.get("conditions") or () if one["type"] != "PodScheduled"]
        before: Object = next((one for one in status.get("conditions") or () if one["type"] == "PodScheduled"), {})
        if before.get("message") == message:
            return
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": before.get("lastTransitionTime") or rfc3339(self.clock.now()),
        }
        self.api.update_status(
            PODS, {**pod, "status": status | {"phase": "Pending", "conditions": [*others, condition]}}
        )
        Recorder(self.api, self.clock, "default-scheduler").warning(pod, "FailedScheduling", message)
