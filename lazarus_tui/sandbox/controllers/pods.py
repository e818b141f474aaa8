"""What all workload controllers do with pods: make them from a template, own them, judge them."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.resources import PODS, Resource
from lazarus_tui.sandbox.api.selectors import from_selector
from lazarus_tui.sandbox.controllers.base import Key, Object

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi


def owner_reference(owner: Object, resource: Resource) -> Object:
    """The reference with which ``owner`` controls what it makes."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_of(obj: Object) -> Object | None:
    """The owner reference of the object's controller, if it has one."""
    return next((ref for ref in obj["metadata"].get("ownerReferences") or () if ref.get("controller")), None)


def controlled(api: LocalApi, resource: Resource, owner: Object) -> list[Object]:
    """Objects of ``resource`` in the owner's namespace that this very owner controls, oldest first."""
    uid, namespace = owner["metadata"]["uid"], owner["metadata"]["namespace"]
    found = [obj for obj in api.list(resource, namespace) if (controller_of(obj) or {}).get("uid") == uid]
    return sorted(found, key=lambda obj: (obj["metadata"]["creationTimestamp"], obj["metadata"]["name"]))


def selects(owner: Object, obj: Object) -> bool:
    """The owner's selector holds for the object's labels; an empty selector holds for nothing."""
    selector = owner["spec"].get("selector")
    return bool(selector) and from_selector(selector).matches_object(obj)


def adopt(api: LocalApi, resource: Resource, owner: Object, kind: Resource, *, finalizer: str = "") -> list[Object]:
    """What the owner controls, after taking over orphans that its selector matches: a restore leaves such behind.

    ``finalizer`` is put on what is taken over.
    """
    if not owner["metadata"].get("deletionTimestamp"):
        for obj in api.list(resource, owner["metadata"]["namespace"]):
            meta = obj["metadata"]
            if controller_of(obj) is None and not meta.get("deletionTimestamp") and selects(owner, obj):
                references = [*(meta.get("ownerReferences") or ()), owner_reference(owner, kind)]
                patch: Object = {"metadata": {"uid": meta["uid"], "ownerReferences": references}}
                if finalizer:
                    patch["metadata"]["finalizers"] = [*(meta.get("finalizers") or ()), finalizer]
                api.patch(resource, meta["name"], patch, meta["namespace"])
    return controlled(api, resource, owner)


def owner_keys(obj: Object, kind: Resource, owners: Iterable[Object]) -> list[Key]:
    """Keys of the owner of ``kind`` that a changed object concerns; for an orphan, of all that select it."""
    reference = controller_of(obj)
    namespace = obj["metadata"].get("namespace", "")
    if reference is not None:
        return [(namespace, reference["name"])] if reference["kind"] == kind.kind else []
    return [(namespace, owner["metadata"]["name"]) for owner in owners if selects(owner, obj)]


def template_hash(template: Object) -> str:
    """Ten letters that stand for a pod template."""
    digest = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()
    return "".join("bcdfghjkmnpqrtvw"[int(letter, 16)] for letter in digest[:10])


def pod_of(owner: Object, resource: Resource, template: Object) -> Object:
    """A pod as the template wants it, owned and without a name."""
    meta = template.get("metadata") or {}
    pod: Object = {
        "apiVersion": "v1",
        "kind": PODS.kind,
        "metadata": {
            "namespace": owner["metadata"]["namespace"],
            "labels": dict(meta.get("labels") or {}),
            "annotations": dict(meta.get("annotations") or {}),
            "ownerReferences": [owner_reference(owner, resource)],
        },
        "spec": copy.deepcopy(template["spec"]),
    }
    return pod


def is_ready(pod: Object) -> bool:
    found = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in found)


def seconds_to_available(pod: Object, owner: Object, now: datetime) -> float:
    """How long until a pod has been ready for ``minReadySeconds``: 0 when it has, infinite when it is not ready."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    ready = next((one for one in conditions if one["type"] == "Ready" and one["status"] == "True"), None)
    if ready is None:
        return math.inf
    wanted = owner["spec"].get("minReadySeconds") or 0
    if not wanted:
        return 0.0
    return float(max(0.0, wanted - (now - parse_rfc3339(ready["lastTransitionTime"])).total_seconds()))


def soonest(waits: Iterable[float]) -> float | None:
    """The shortest wait that will end; None without one."""
    return min((one for one in waits if 0 < one < math.inf), default=None)


def is_ending(obj: Object) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def is_over(pod: Object) -> bool:
    """Nothing in the pod will run again."""
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Object) -> bool:
    return not is_over(pod) and not is_ending(pod)


def phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase", ""))


def write_status(api: LocalApi, resource: Resource, obj: Object, status: Object) -> None:
    """Writes ``status`` if it says anything new."""
    if (obj.get("status") or {}) != status:
        api.update_status(resource, {**obj, "status": status})
