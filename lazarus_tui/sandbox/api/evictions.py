"""The eviction subresource: a delete that disruption budgets may refuse."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import BUDGETS, PODS
from lazarus_tui.sandbox.api.answers import Answer, json_answer
from lazarus_tui.sandbox.api.deletion import delete, parse_options
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.selectors import from_selector
from lazarus_tui.sandbox.api.verbs import Verbs, clone

Object = dict[str, Any]

_SUCCESS = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}
_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."


def evict(verbs: Verbs, namespace: str, name: str, eviction: Object, query: dict[str, str]) -> Answer:
    """Takes one disruption from the pod's budget and deletes the pod; 429 when the budget has none left."""
    served = verbs.registry.served(PODS)
    pod = verbs.get(served.kind, namespace, name).obj
    options = parse_options(eviction.get("deleteOptions") or {}, query)
    if not _beyond_budgets(pod):
        _spend(verbs, namespace, pod, dry_run=options.dry_run)
    if not options.dry_run:
        _mark(verbs, namespace, pod)
    delete(verbs, served.kind, namespace, name, options)
    return json_answer(_SUCCESS, 201)


def _beyond_budgets(pod: Object) -> bool:
    """Pods that serve nothing may always go."""
    return bool(
        pod["metadata"].get("deletionTimestamp")
        or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed", "Pending")
    )


def _spend(verbs: Verbs, namespace: str, pod: Object, *, dry_run: bool) -> None:
    kind = verbs.registry.served(BUDGETS).kind
    budgets = [
        entity.obj
        for entity in verbs.store.select(kind.group_resource, namespace)
        if (selector := entity.obj["spec"].get("selector")) is not None and from_selector(selector).matches_object(pod)
    ]
    if not budgets:
        return
    if len(budgets) > 1:
        text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise ApiError(500, "", text)
    (budget,) = budgets
    if _unready(pod) and _lets_unready_go(budget):
        return
    _check(budget)
    if not dry_run:
        _take(verbs, namespace, budget, pod["metadata"]["name"])


def _unready(pod: Object) -> bool:
    found = (pod.get("status") or {}).get("conditions") or ()
    return not any(one["type"] == "Ready" and one["status"] == "True" for one in found)


def _lets_unready_go(budget: Object) -> bool:
    """``AlwaysAllow`` does; otherwise only while enough others are healthy."""
    status = budget.get("status") or {}
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    desired = status.get("desiredHealthy", 0)
    return bool(status.get("currentHealthy", 0) >= desired > 0)


def _check(budget: Object) -> None:
    meta, status = budget["metadata"], budget.get("status") or {}
    name = meta["name"]
    if status.get("observedGeneration", 0) < meta.get("generation", 0):
        raise _too_many(f"The disruption budget {name} is still being processed by the server.", retry=10)
    if status.get("disruptionsAllowed", 0) > 0:
        return
    failed = next((one for one in status.get("conditions") or () if one.get("reason") == "SyncFailed"), None)
    if failed:
        text = f"does not allow evicting pods currently because it failed sync: {failed.get('message', '')}"
        raise _too_many(f"The disruption budget {name} {text}")
    healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    raise _too_many(f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently")


def _too_many(cause: str, retry: int = 0) -> ApiError:
    details: Object = {"causes": [{"reason": "DisruptionBudget", "message": cause}]}
    headers = {}
    if retry:
        details["retryAfterSeconds"] = retry
        headers["Retry-After"] = str(retry)
    return ApiError(429, "TooManyRequests", _REFUSED, details, headers)


def _take(verbs: Verbs, namespace: str, budget: Object, pod: str) -> None:
    def one_less(base: Object) -> Object:
        new = clone(base)
        status = new["status"]
        status["disruptionsAllowed"] -= 1
        status.setdefault("disruptedPods", {})[pod] = rfc3339(verbs.clock.now())
        return new

    served = verbs.registry.served(BUDGETS)
    verbs.update(served, namespace, budget["metadata"]["name"], one_less, subresource="status", patch=True)


def _mark(verbs: Verbs, namespace: str, pod: Object) -> None:
    """The pod says itself why it goes."""
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting",
        "lastTransitionTime": rfc3339(verbs.clock.now()),
    }

    def marked(base: Object) -> Object:
        new = clone(base)
        status = new.setdefault("status", {})
        others = [one for one in status.get("conditions") or () if one["type"] != "DisruptionTarget"]
        status["conditions"] = [*others, condition]
        return new

    served = verbs.registry.served(PODS)
    verbs.update(served, namespace, pod["metadata"]["name"], marked, subresource="status", patch=True)
