"""HorizontalPodAutoscalers, by the real controller's rules and without metrics.

What it fights and what it does not: replicas between 1 and ``minReplicas`` are raised, replicas above ``maxReplicas``
are lowered; replicas of **exactly 0 switch it off** (ScalingActive False, ScalingDisabled) until somebody else scales
up, so an autoscaler never undoes a scale to zero. Between the bounds it says that there are no metrics and leaves the
number alone: the sandbox serves no metrics API.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import AUTOSCALERS, Resource
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.scale import scale_of
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.pods import is_ending, write_status
from lazarus_tui.sandbox.controllers.scaling import rescale

# --horizontal-pod-autoscaler-sync-period of the controller manager, in seconds.
_SYNC_SECONDS = 15.0
_NO_METRICS = (
    "unable to get metrics for resource {}: unable to fetch metrics from resource metrics API: "
    "the server could not find the requested resource (get pods.metrics.k8s.io)"
)


class AutoscalerController(Controller):
    """Looks at each autoscaler every 15 s, as the real one; a change of the target alone does not wake it."""

    name = "autoscaler"
    watches: ClassVar[Sequence[Resource]] = (AUTOSCALERS,)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        # Its own status makes it look again no sooner.
        return () if old is not None and old.get("spec") == obj.get("spec") else (key_of(obj),)

    async def reconcile(self, key: Key) -> float | None:
        scaler = self.api.get(AUTOSCALERS, key[1], key[0])
        if scaler is None or is_ending(scaler):
            return None
        status = dict(scaler.get("status") or {})
        conditions = {one["type"]: one for one in status.get("conditions") or ()}
        try:
            self._scale(scaler, status, conditions)
        except LookupError as error:
            text = f"the HPA controller was unable to get the target's current scale: {error}"
            self._set(conditions, "AbleToScale", False, "FailedGetScale", text)
            self._recorder.warning(scaler, "FailedGetScale", str(error))
        status["conditions"] = list(conditions.values())
        write_status(self.api, AUTOSCALERS, scaler, status)
        return _SYNC_SECONDS

    @property
    def _recorder(self) -> Recorder:
        return Recorder(self.api, self.clock, "horizontal-pod-autoscaler")

    def _scale(self, scaler: Object, status: Object, conditions: dict[str, Object]) -> None:
        spec = scaler["spec"]
        resource, target = self._target(scaler)
        scale = scale_of(self.api.registry.served(resource).kind, target)
        able = "the HPA controller was able to get the target's current scale"
        self._set(conditions, "AbleToScale", True, "SucceededGetScale", able)
        current = int(scale["spec"].get("replicas", 0))
        least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
        status |= {"currentReplicas": current, "desiredReplicas": current}
        if current == 0 and least != 0:
            text = "scaling is disabled since the replica count of the target is zero"
            self._set(conditions, "ScalingActive", False, "ScalingDisabled", text)
        elif current > most:
            self._rescale(scaler, resource, status, conditions, most, "above Spec.MaxReplicas")
        elif current < least:
            self._rescale(scaler, resource, status, conditions, least, "below Spec.MinReplicas")
        else:
            self._without_metrics(scaler, conditions)

    def _target(self, scaler: Object) -> tuple[Resource, Object]:
        wanted = scaler["spec"]["scaleTargetRef"]
        for kind in self.api.registry.kinds():
            if kind.kind == wanted["kind"] and kind.group == wanted.get("apiVersion", "").rpartition("/")[0]:
                if kind.scale is None:
                    raise LookupError("the server could not find the requested resource")
                found = self.api.get(kind.resource, wanted["name"], scaler["metadata"]["namespace"])
                if found is None:
                    raise LookupError(f'{kind.group_resource} "{wanted["name"]}" not found')
                return kind.resource, found
        raise LookupError(f'no matches for kind "{wanted["kind"]}" in group "{wanted.get("apiVersion", "")}"')

    def _rescale(
        self, scaler: Object, resource: Resource, status: Object, conditions: dict[str, Object], wanted: int, why: str
    ) -> None:
        reason = f"Current number of replicas {why}"
        name, namespace = scaler["spec"]["scaleTargetRef"]["name"], scaler["metadata"]["namespace"]
        try:
            rescale(self.api, resource, (namespace, name), wanted, manager="kube-controller-manager")
        except ApiError as error:
            text = f"the HPA controller was unable to update the target scale: {error}"
            self._set(conditions, "AbleToScale", False, "FailedUpdateScale", text)
            self._recorder.warning(scaler, "FailedRescale", f"New size: {wanted}; reason: {reason}; error: {error}")
            return
        text = f"the HPA controller was able to update the target scale to {wanted}"
        self._set(conditions, "AbleToScale", True, "SucceededRescale", text)
        self._recorder.normal(scaler, "SuccessfulRescale", f"New size: {wanted}; reason: {reason}")
        status |= {"desiredReplicas": wanted, "lastScaleTime": rfc3339(self.clock.now())}

    def _without_metrics(self, scaler: Object, conditions: dict[str, Object]) -> None:
        metric = next(
            (one["resource"]["name"] for one in scaler["spec"].get("metrics") or () if "resource" in one), "cpu"
        )
        text = f"failed to get {metric} utilization: {_NO_METRICS.format(metric)}"
        told = f"the HPA was unable to compute the replica count: {text}"
        self._set(conditions, "ScalingActive", False, "FailedGetResourceMetric", told)
        self._recorder.warning(scaler, "FailedGetResourceMetric", text)

    def _set(self, conditions: dict[str, Object], kind: str, holds: bool, reason: str, message: str) -> None:
        before, status = conditions.get(kind, {}), "True" if holds else "False"
        since = before.get("lastTransitionTime") if before.get("status") == status else None
        conditions[kind] = {
            "type": kind,
            "status": status,
            "lastTransitionTime": since or rfc3339(self.clock.now()),
            "reason": reason,
            "message": message,
        }
