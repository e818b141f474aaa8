"""The scheduler: finds the node that takes a pod, and waits for the pod's claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import CLAIMS, NODES, PODS, STORAGECLASSES, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.claims import SELECTED_NODE
from lazarus_tui.sandbox.controllers.ephemeral import ephemeral_claim
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.node_fit import objection
from lazarus_tui.sandbox.controllers.pods import controller_of, is_ending, is_over

_NAME = "default-scheduler"


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
        if pod is None or pod["spec"].get("nodeName") or is_ending(pod):
            return None
        if pod["spec"].get("schedulerName", _NAME) != _NAME:
            return None
        if pod["spec"].get("schedulingGates"):
            text = "Scheduling is blocked due to non-empty scheduling gates"
            self._condition(pod, "SchedulingGated", text)
            return None
        nodes, pods = self.api.list(NODES), self.api.list(PODS)
        reasons = {node["metadata"]["name"]: objection(pod, node, pods) for node in nodes}
        fitting = [name for name, reason in reasons.items() if not reason]
        if not fitting:
            self._refuse(pod, _summary(reasons))
            return None
        waits, wrong = self._claims(pod, fitting[0])
        if wrong:
            self._refuse(pod, f"0/{len(nodes)} nodes are available: {wrong}. {_hopeless(len(nodes))}")
        elif not waits:
            self.api.bind(key[1], key[0], fitting[0])
            Recorder(self.api, self.clock, _NAME).normal(
                pod, "Scheduled", f"Successfully assigned {key[0]}/{key[1]} to {fitting[0]}"
            )
        return None

    def _there(self, pod: Object) -> bool:
        found = self.api.get(PODS, pod["metadata"]["name"], pod["metadata"]["namespace"])
        return found is not None and found["metadata"]["uid"] == pod["metadata"]["uid"]

    def _claims(self, pod: Object, node: str) -> tuple[bool, str]:
        """Whether a claim is still on its way, and what stands against the pod."""
        namespace, waits = pod["metadata"]["namespace"], False
        for volume in pod["spec"].get("volumes") or ():
            ephemeral = bool(volume.get("ephemeral"))
            if not volume.get("persistentVolumeClaim") and not ephemeral:
                continue
            name = ephemeral_claim(pod, volume) if ephemeral else volume["persistentVolumeClaim"]["claimName"]
            claim = self.api.get(CLAIMS, name, namespace)
            if claim is None and ephemeral:
                return False, f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
            if claim is None:
                return False, f'persistentvolumeclaim "{name}" not found'
            if ephemeral and (controller_of(claim) or {}).get("uid") != pod["metadata"]["uid"]:
                return (
                    False,
                    f"PVC {namespace}/{name} was not created for pod {'/'.join(key_of(pod))} (pod is not owner)",
                )
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
        if self._condition(pod, "Unschedulable", message):
            Recorder(self.api, self.clock, _NAME).warning(pod, "FailedScheduling", message)

    def _condition(self, pod: Object, reason: str, message: str) -> bool:
        """Says why the pod has no node; False when that is known."""
        status = pod.get("status") or {}
        others = [one for one in status.get("conditions") or () if one["type"] != "PodScheduled"]
        before: Object = next((one for one in status.get("conditions") or () if one["type"] == "PodScheduled"), {})
        if before.get("message") == message:
            return False
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": reason,
            "message": message,
            "lastTransitionTime": before.get("lastTransitionTime") or rfc3339(self.clock.now()),
        }
        told = status | {"phase": "Pending", "conditions": [*others, condition]}
        self.api.update_status(PODS, {**pod, "status": told})
        return True


def _summary(reasons: dict[str, str]) -> str:
    """Why no node will do, counted."""
    if not reasons:
        return "no nodes available to schedule pods"
    counted = sorted(f"{count} {reason}" for reason, count in Counter(reasons.values()).items())
    head = f"0/{len(reasons)} nodes are available: {', '.join(counted)}. "
    if set(reasons.values()) == {"Too many pods"}:
        text = f"{len(reasons)} No preemption victims found for incoming pod."
        return f"{head}preemption: 0/{len(reasons)} nodes are available: {text}"
    return head + _hopeless(len(reasons))


def _hopeless(nodes: int) -> str:
    return f"preemption: 0/{nodes} nodes are available: {nodes} Preemption is not helpful for scheduling."
