"""Whether a node takes a pod, by the filters of the real scheduler that mean something here, and in its words.

Not looked at: requests of processor and memory, preferences, topology spread, host ports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lazarus_tui.sandbox.api.selectors import Requirement, from_selector
from lazarus_tui.sandbox.controllers.base import Object
from lazarus_tui.sandbox.controllers.nodes import MAX_PODS
from lazarus_tui.sandbox.controllers.pods import is_over

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"

_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "absent", "Gt": "gt", "Lt": "lt"}


def objection(pod: Object, node: Object, pods: Iterable[Object]) -> str:
    """The first thing that stands against ``node``, as the scheduler words it; ``""`` when it takes the pod.

    ``pods`` are all pods of the cluster.
    """
    if node["spec"].get("unschedulable") and not tolerates(pod, {"key": UNSCHEDULABLE, "effect": "NoSchedule"}):
        return "node(s) were unschedulable"
    for taint in node["spec"].get("taints") or ():
        if taint["effect"] != "PreferNoSchedule" and not tolerates(pod, taint):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    if not wants(pod, node):
        return "node(s) didn't match Pod's node affinity/selector"
    here = [one for one in pods if one["spec"].get("nodeName") == node["metadata"]["name"] and not is_over(one)]
    if len(here) >= MAX_PODS:
        return "Too many pods"
    return _company(pod, here)


def tolerates(pod: Object, taint: Mapping[str, str]) -> bool:
    """One of the pod's tolerations covers the taint."""
    for one in pod["spec"].get("tolerations") or ():
        if one.get("effect") not in (None, "", taint["effect"]) or one.get("key") not in (None, "", taint["key"]):
            continue
        if one.get("operator") == "Exists" or (one.get("key") and one.get("value", "") == taint.get("value", "")):
            return True
    return False


def wants(pod: Object, node: Object) -> bool:
    """``nodeSelector`` and required node affinity hold for the node."""
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (pod["spec"].get("nodeSelector") or {}).items()):
        return False
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    fields = {"metadata.name": node["metadata"]["name"]}
    return any(
        (term.get("matchExpressions") or term.get("matchFields"))
        and _holds(term.get("matchExpressions"), labels)
        and _holds(term.get("matchFields"), fields)
        for term in required.get("nodeSelectorTerms") or ()
    )


def _holds(expressions: Iterable[Object] | None, labels: Mapping[str, str]) -> bool:
    return all(
        Requirement(one["key"], _OPERATORS[one["operator"]], frozenset(one.get("values") or ())).matches(labels)
        for one in expressions or ()
    )


def _company(pod: Object, here: list[Object]) -> str:
    """Pods it wants beside it, and pods it does not; there is one node, so every topology is the node."""
    affinity = pod["spec"].get("affinity") or {}
    for term in _required(affinity.get("podAffinity")):
        alone = not any(_meant(term, pod, one) for one in here)
        if alone and not _meant(term, pod, pod):
            return "node(s) didn't match pod affinity rules"
    if any(_meant(term, pod, one) for term in _required(affinity.get("podAntiAffinity")) for one in here):
        return "node(s) didn't match pod anti-affinity rules"
    for one in here:
        theirs = ((one["spec"].get("affinity") or {}).get("podAntiAffinity")) or {}
        if any(_meant(term, one, pod) for term in _required(theirs)):
            return "node(s) didn't satisfy existing pods anti-affinity rules"
    return ""


def _required(part: Object | None) -> list[Object]:
    return list((part or {}).get("requiredDuringSchedulingIgnoredDuringExecution") or ())


def _meant(term: Object, owner: Object, other: Object) -> bool:
    """The other pod is one of those the owner's term speaks of."""
    spaces = term.get("namespaces") or [owner["metadata"]["namespace"]]
    selector = term.get("labelSelector")
    return (
        selector is not None
        and other["metadata"]["namespace"] in spaces
        and from_selector(selector).matches_object(other)
    )
