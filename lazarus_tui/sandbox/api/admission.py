"""What happens to a write between its defaults and the store, in the order of the real server.

First objects are completed, then (in ``verbs``) validated, then limits and quotas have the last word: an object that is
wrong is told so (422) before one that is too much (403). Webhooks are not called.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lazarus_tui.model.resources import CLAIMS, PODS, SERVICEACCOUNTS
from lazarus_tui.sandbox.api.claim_growth import check_growth
from lazarus_tui.sandbox.api.demands import containers, first_containers, quality
from lazarus_tui.sandbox.api.kinds import Kind
from lazarus_tui.sandbox.api.limits import LIMIT_RANGES, check_limits, fill_limit_range, fill_pod
from lazarus_tui.sandbox.api.priorities import PRIORITY_CLASSES, check_default, fill_priority
from lazarus_tui.sandbox.api.quota import GROWING, check_quota
from lazarus_tui.sandbox.api.store import Store

Object = dict[str, Any]
_LIMITED = ("pods", "persistentvolumeclaims")


def complete(kind: Kind, obj: Object, old: Object | None, store: Store) -> None:
    """Fill ``obj`` in place; 403 for a pod whose service account or priority class is not there."""
    if kind.group:
        return
    if kind.group_resource == LIMIT_RANGES.group_resource:
        fill_limit_range(obj)
    elif kind.group_resource == PODS.group_resource and old is None:
        _complete_pod(kind, obj, store)


def _complete_pod(kind: Kind, pod: Object, store: Store) -> None:
    for container in (*containers(pod), *first_containers(pod)):
        resources = container.get("resources") or {}
        if resources.get("limits"):  # who says only how much it may have, asks for that
            requests = {**resources["limits"], **(resources.get("requests") or {})}
            container["resources"] = {**resources, "requests": requests}
    _check_account(kind, pod, store)
    fill_priority(kind, pod, store)
    fill_pod(pod, store)
    if "status" in pod:
        pod["status"]["qosClass"] = quality(pod)


def _check_account(kind: Kind, pod: Object, store: Store) -> None:
    """The ``default`` account comes with its namespace a moment later; nobody has to wait for it here."""
    namespace = pod["metadata"].get("namespace", "")
    name = (pod.get("spec") or {}).get("serviceAccountName") or "default"
    if name != "default" and store.get(SERVICEACCOUNTS.group_resource, (namespace, name)) is None:
        why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise kind.forbidden(pod["metadata"].get("name", ""), why)


def check(kind: Kind, obj: Object, old: Object | None, store: Store, now: datetime) -> None:
    """403 when limits or quotas of the namespace forbid what is otherwise right."""
    if kind.group_resource == PRIORITY_CLASSES.group_resource:
        check_default(kind, obj, old, store)
    if not kind.namespaced:
        return
    changed = old is not None
    if old is not None and kind.group_resource == CLAIMS.group_resource:
        check_growth(kind, obj, old, store)
    if not kind.group and kind.plural in _LIMITED and not (changed and kind.plural == "pods"):
        check_limits(kind, obj, store)
    if not changed or kind.group_resource in GROWING:
        check_quota(kind, obj, old, store, now)
