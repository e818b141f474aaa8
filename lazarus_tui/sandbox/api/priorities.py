"""Priority admission: a pod's class decides its priority, and a class that is not there refuses the pod.

Facts of kube-apiserver's Priority plugin (plugin/pkg/admission/priority); without a default class a pod has 0.
"""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.resources import Resource
from lazarus_tui.sandbox.api.kinds import Kind
from lazarus_tui.sandbox.api.store import Store

PRIORITY_CLASSES = Resource("scheduling.k8s.io", "v1", "priorityclasses", "PriorityClass", namespaced=False)
_PUSHES = "PreemptLowerPriority"

Object = dict[str, Any]


def system_classes() -> list[Object]:
    """Fresh objects: the two that every cluster starts with."""
    made = {
        "system-cluster-critical": (2_000_000_000, "for system critical pods that must run in the cluster, but can be"
                                    " moved to another node if necessary."),
        "system-node-critical": (2_000_001_000, "for system critical pods that must not be moved from their current"
                                 " node."),
    }  # fmt: skip
    return [
        {"metadata": {"name": name}, "value": value, "preemptionPolicy": _PUSHES, "description": f"Used {words}"}
        for name, (value, words) in made.items()
    ]


def fill_priority(kind: Kind, pod: Object, store: Store) -> None:
    """Fill class, priority and policy of a new pod in place; 403 when what it says itself is something else."""
    spec, name = pod.setdefault("spec", {}), pod["metadata"].get("name", "")
    wanted = spec.get("priorityClassName")
    entity = store.get(PRIORITY_CLASSES.group_resource, ("", wanted)) if wanted else None
    if wanted and entity is None:
        raise kind.forbidden(name, f"no PriorityClass with name {wanted} was found")
    found = entity.obj if entity is not None else _default(store)
    value, policy = found.get("value", 0), found.get("preemptionPolicy", _PUSHES)
    computed = "must not be provided in pod spec; priority admission controller computed"
    if spec.get("priority", value) != value:
        why = f"the integer value of priority ({spec['priority']}) {computed} {value} from the given PriorityClass name"
        raise kind.forbidden(name, why)
    if spec.get("preemptionPolicy", policy) != policy:
        said = spec["preemptionPolicy"]
        why = f"the string value of PreemptionPolicy ({said}) {computed} {policy} from the given PriorityClass name"
        raise kind.forbidden(name, why)
    named = (found.get("metadata") or {}).get("name")
    spec |= {"priority": value, "preemptionPolicy": policy} | ({"priorityClassName": named} if named else {})


def check_default(kind: Kind, obj: Object, old: Object | None, store: Store) -> None:
    """403 for a second class that is to be everybody's."""
    if not obj.get("globalDefault") or (old or {}).get("globalDefault"):
        return
    name = obj["metadata"].get("name", "")
    for entity in store.select(PRIORITY_CLASSES.group_resource, ""):
        other = entity.obj["metadata"]["name"]
        if entity.obj.get("globalDefault") and other != name:
            why = f"PriorityClass {other} is already marked as default. Only one default can exist"
            raise kind.forbidden(name, why)


def _default(store: Store) -> Object:
    """The lowest of the default classes; {} without one."""
    every = (entity.obj for entity in store.select(PRIORITY_CLASSES.group_resource, ""))
    return min((one for one in every if one.get("globalDefault")), key=lambda one: int(one["value"]), default={})
