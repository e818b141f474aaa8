"""Who fights a scale to zero: look-alikes of Argo CD's self-heal and of KEDA.

A HorizontalPodAutoscaler does not (see ``autoscalers``); these do, and a restore must hold them first. Both sleep until
their CustomResourceDefinition and an object of it are there (``scenarios/gitops.yaml``, ``scenarios/keda.yaml``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import DEPLOYMENTS, STATEFULSETS, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.pods import is_ending
from lazarus_tui.sandbox.controllers.scaling import rescale

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

APPLICATIONS = Resource("argoproj.io", "v1alpha1", "applications", "Application")
SCALED_OBJECTS = Resource("keda.sh", "v1alpha1", "scaledobjects", "ScaledObject")

_SCALABLE = (DEPLOYMENTS, STATEFULSETS)
_TRACKING = "argocd.argoproj.io/tracking-id"
_INSTANCE = "app.kubernetes.io/instance"
_SKIP = "argocd.argoproj.io/skip-reconcile"
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
# Argo CD waits so long before it heals (--self-heal-timeout-seconds), KEDA looks this often (pollingInterval).
_HEAL_SECONDS, _POLL_SECONDS = 5.0, 30


class SelfHealer(Controller):
    """Restores ``spec.replicas`` of tracked Deployments and StatefulSets to what was applied.

    An object is tracked by Argo CD's tracking annotation or instance label, if the Application of that name has
    ``syncPolicy.automated.selfHeal``; the annotation ``skip-reconcile: "true"`` on it stops this. In place of a Git
    repository stands the object's own last-applied-configuration. Keys are (namespace, "plural/name").
    """

    name = "self-healer"
    watches: ClassVar[Sequence[Resource]] = (APPLICATIONS, *_SCALABLE)

    def __init__(self, api: LocalApi, clock: Clock) -> None:
        super().__init__(api, clock)
        self._since: dict[Key, float] = {}

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource in _SCALABLE:
            return self._key(resource, obj)
        return [
            key
            for kind in _SCALABLE
            for one in self.api.list(kind)
            if _application(one) == obj["metadata"]["name"]
            for key in self._key(kind, one)
        ]

    @staticmethod
    def _key(resource: Resource, obj: Object) -> list[Key]:
        namespace, name = key_of(obj)
        return [(namespace, f"{resource.plural}/{name}")] if _application(obj) else []

    async def reconcile(self, key: Key) -> float | None:
        plural, _, name = key[1].partition("/")
        resource = next(one for one in _SCALABLE if one.plural == plural)
        obj = self.api.get(resource, name, key[0])
        wanted = _applied_replicas(obj) if obj and not is_ending(obj) and self._heals(obj) else None
        if obj is None or wanted is None or obj["spec"].get("replicas", 1) == wanted:
            self._since.pop(key, None)
            return None
        now = self.clock.monotonic()
        left = self._since.setdefault(key, now) + _HEAL_SECONDS - now
        if left > 0:
            return left
        rescale(self.api, resource, (key[0], name), wanted, manager="argocd-controller")
        return None

    def _heals(self, obj: Object) -> bool:
        name = _application(obj)
        for one in self.api.list(APPLICATIONS):
            if one["metadata"]["name"] == name:
                automated = (one["spec"].get("syncPolicy") or {}).get("automated") or {}
                skipped = (one["metadata"].get("annotations") or {}).get(_SKIP) == "true"
                return bool(automated.get("selfHeal")) and not skipped
        return False


def _application(obj: Object) -> str:
    meta = obj["metadata"]
    tracking = (meta.get("annotations") or {}).get(_TRACKING, "")
    return tracking.partition(":")[0] or str((meta.get("labels") or {}).get(_INSTANCE, ""))


def _applied_replicas(obj: Object) -> int | None:
    """What was applied last; None when replicas were left open, which leaves them to others."""
    try:
        applied = json.loads((obj["metadata"].get("annotations") or {}).get(_APPLIED, "{}"))
        replicas = (applied.get("spec") or {}).get("replicas")
    except (ValueError, AttributeError):
        return None
    return replicas if isinstance(replicas, int) else None


class KedaScaler(Controller):
    """Keeps the target of each ScaledObject at ``minReplicaCount`` or more, as if its triggers were always active.

    ``autoscaling.keda.sh/paused-replicas`` holds it at that number, ``autoscaling.keda.sh/paused`` leaves it alone.
    """

    name = "keda"
    watches: ClassVar[Sequence[Resource]] = (SCALED_OBJECTS,)

    async def reconcile(self, key: Key) -> float | None:
        scaled = self.api.get(SCALED_OBJECTS, key[1], key[0])
        if scaled is None or is_ending(scaled):
            return None
        target = scaled["spec"]["scaleTargetRef"]
        resource = next((one for one in _SCALABLE if one.kind == target.get("kind", "Deployment")), None)
        found = self.api.get(resource, target["name"], key[0]) if resource else None
        if resource and found:
            replicas = found["spec"].get("replicas", 1)
            wanted = _keda_replicas(scaled, replicas)
            if wanted != replicas:
                rescale(self.api, resource, (key[0], target["name"]), wanted, manager="keda-operator")
        return float(scaled["spec"].get("pollingInterval") or _POLL_SECONDS)


def _keda_replicas(scaled: Object, replicas: int) -> int:
    annotations = scaled["metadata"].get("annotations") or {}
    held = str(annotations.get("autoscaling.keda.sh/paused-replicas", ""))
    if held.isdigit():
        return int(held)
    if annotations.get("autoscaling.keda.sh/paused") == "true":
        return replicas
    spec = scaled["spec"]
    return min(max(replicas, int(spec.get("minReplicaCount", 0)), 1), int(spec.get("maxReplicaCount", 100)))
