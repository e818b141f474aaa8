"""ResourceQuotas: what objects count for, how much of it a namespace has used, and the 403 when it is enough."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.resources import CLAIMS, PODS, SERVICES, Resource
from lazarus_tui.sandbox.api.amounts import ONE, Amount, count
from lazarus_tui.sandbox.api.demands import (
    Amounts,
    added,
    amounts,
    containers,
    first_containers,
    of_container,
    pod_amounts,
    quality,
)
from lazarus_tui.sandbox.api.kinds import Kind
from lazarus_tui.sandbox.api.store import Store

QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota")

Object = dict[str, Any]

# Core kinds whose number has a name of its own besides count/….
_COUNTED = frozenset(
    {"configmaps", "persistentvolumeclaims", "pods", "replicationcontrollers", "resourcequotas", "secrets", "services"}
)
# Kinds whose usage a change can raise; the others count when they are made.
GROWING = frozenset({"persistentvolumeclaims", "services"})
_POD_SIZES = ("cpu", "memory", "ephemeral-storage")
# Upstream's mistake that is kept: who counts these wants them said of every container.
_TO_BE_SAID = frozenset(f"{part}{name}" for part in ("", "requests.", "limits.") for name in ("cpu", "memory"))
_CLASS = ".storageclass.storage.k8s.io/"
_CLASS_ANNOTATION = "volume.beta.kubernetes.io/storage-class"


def usage(group_resource: str, obj: Object, now: datetime) -> Amounts:
    """What one object counts for, by the names that a quota may limit."""
    counted: Amounts = {f"count/{group_resource}": ONE}
    if group_resource == PODS.group_resource:
        return counted | (_pod(obj) if _alive(obj, now) else {})
    if group_resource in _COUNTED:
        counted[group_resource] = ONE
    if group_resource == SERVICES.group_resource:
        return counted | _service(obj.get("spec") or {})
    if group_resource == CLAIMS.group_resource:
        return counted | _claim(obj)
    return counted


def _alive(pod: Object, now: datetime) -> bool:
    """A pod that is over, or should long be gone, uses nothing any more."""
    if (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
        return False
    meta = pod["metadata"]
    ending, grace = meta.get("deletionTimestamp"), meta.get("deletionGracePeriodSeconds")
    if not ending or grace is None:
        return True
    return now <= parse_rfc3339(ending) + timedelta(seconds=grace)


def _pod(pod: Object) -> Amounts:
    return {"pods": ONE} | _sizes(pod_amounts(pod, "requests"), pod_amounts(pod, "limits"))


def _sizes(requests: Amounts, limits: Amounts) -> Amounts:
    sizes: Amounts = {}
    for name, value in requests.items():
        if name in _POD_SIZES or name.startswith("hugepages-"):
            sizes[name] = value
        if name in _POD_SIZES or name.startswith("hugepages-") or "/" in name:
            sizes[f"requests.{name}"] = value
    return sizes | {f"limits.{name}": value for name, value in limits.items() if name in _POD_SIZES}


def _service(spec: Object) -> Amounts:
    kind, ports = spec.get("type"), spec.get("ports") or ()
    if kind == "NodePort":
        return {"services.nodeports": count(len(ports)), "services.loadbalancers": Amount()}
    if kind == "LoadBalancer":
        if spec.get("allocateLoadBalancerNodePorts") is False:
            ports = [port for port in ports if port.get("nodePort")]
        return {"services.nodeports": count(len(ports)), "services.loadbalancers": ONE}
    return {"services.nodeports": Amount(), "services.loadbalancers": Amount()}


def _claim(claim: Object) -> Amounts:
    spec = claim.get("spec") or {}
    requested = amounts((spec.get("resources") or {}).get("requests")).get("storage")
    counted: Amounts = {} if requested is None else {"requests.storage": requested}
    annotations = claim["metadata"].get("annotations") or {}
    name = annotations.get(_CLASS_ANNOTATION) or spec.get("storageClassName")
    if name:
        counted[f"{name}{_CLASS}persistentvolumeclaims"] = ONE
        if requested is not None:
            counted[f"{name}{_CLASS}requests.storage"] = requested
    return counted


_SCOPES: Mapping[str, Callable[[Object], bool]] = {
    "Terminating": lambda spec: spec.get("activeDeadlineSeconds") is not None,
    "NotTerminating": lambda spec: spec.get("activeDeadlineSeconds") is None,
    "CrossNamespacePodAffinity": lambda spec: _reaches_out(spec.get("affinity") or {}),
}


def _reaches_out(affinity: Object) -> bool:
    terms: list[Object] = []
    for part in ("podAffinity", "podAntiAffinity"):
        wanted = affinity.get(part) or {}
        terms += wanted.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        preferred = wanted.get("preferredDuringSchedulingIgnoredDuringExecution") or ()
        terms += [one.get("podAffinityTerm") or {} for one in preferred]
    return any(term.get("namespaces") or term.get("namespaceSelector") is not None for term in terms)


def in_scope(quota: Object, group_resource: str, obj: Object) -> bool:
    """Whether all scopes of a quota hold for an object; those there are speak of pods alone."""
    spec = quota.get("spec") or {}
    selectors = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or ()]
    selectors += (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
    if group_resource != PODS.group_resource:
        return not selectors
    return all(_holds(selector, obj) for selector in selectors)


def _holds(selector: Mapping[str, Any], pod: Object) -> bool:
    name, spec = str(selector.get("scopeName")), pod.get("spec") or {}
    if name in ("BestEffort", "NotBestEffort"):
        return (quality(pod) == "BestEffort") == (name == "BestEffort")
    if name == "PriorityClass":
        chosen, values = spec.get("priorityClassName") or "", selector.get("values") or ()
        operator = selector.get("operator")
        if operator in ("Exists", "DoesNotExist"):
            return bool(chosen) is (operator == "Exists")
        return bool(chosen in values) is (operator == "In")
    test = _SCOPES.get(name)
    return test is not None and test(spec)


def used(quota: Object, store: Store, kinds: Iterable[str], now: datetime, names: Iterable[str]) -> Amounts:
    """How much of ``names`` the objects of ``kinds`` in the quota's namespace use."""
    wanted = frozenset(names)
    total: Amounts = {}
    for group_resource in kinds:
        for entity in store.select(group_resource, quota["metadata"]["namespace"]):
            if in_scope(quota, group_resource, entity.obj):
                counted = usage(group_resource, entity.obj, now)
                total = added(total, {name: value for name, value in counted.items() if name in wanted})
    return total


def check_quota(kind: Kind, obj: Object, old: Object | None, store: Store, now: datetime) -> None:
    """403 when a quota of the namespace has no room for a new object, or for what a change adds."""
    quotas = store.select(QUOTAS.group_resource, obj["metadata"].get("namespace", ""))
    if not quotas:
        return
    group_resource = kind.group_resource
    wanted = usage(group_resource, obj, now)
    if old is not None:
        before = usage(group_resource, old, now)
        wanted = {name: value - before.get(name, Amount()) for name, value in wanted.items()}
    for entity in quotas:
        quota = entity.obj
        if not in_scope(quota, group_resource, obj):
            continue
        hard = amounts((quota.get("spec") or {}).get("hard"))
        if group_resource == PODS.group_resource:
            _check_said(kind, quota, hard, obj)
        asked = {name: value for name, value in wanted.items() if name in hard and value > Amount()}
        present = used(quota, store, (group_resource,), now, asked) if asked else {}
        over = [name for name in sorted(asked) if present.get(name, Amount()) + asked[name] > hard[name]]
        if over:
            raise kind.forbidden(obj["metadata"]["name"], _exceeded(quota, over, asked, present, hard))


def _exceeded(quota: Object, over: list[str], asked: Amounts, present: Amounts, hard: Amounts) -> str:
    def told(values: Amounts) -> str:
        return ",".join(f"{name}={values.get(name, Amount())}" for name in over)

    name = quota["metadata"]["name"]
    return f"exceeded quota: {name}, requested: {told(asked)}, used: {told(present)}, limited: {told(hard)}"


def _check_said(kind: Kind, quota: Object, hard: Amounts, pod: Object) -> None:
    """Every container has to say how much it wants of what is limited."""
    missing: dict[str, list[str]] = {}
    for container in (*containers(pod), *first_containers(pod)):
        said = _sizes(of_container(container, "requests"), of_container(container, "limits"))
        for name in _TO_BE_SAID & hard.keys() - said.keys():
            missing.setdefault(name, []).append(str(container.get("name", "")))
    if missing:
        listed = "; ".join(f"{name} for: {','.join(sorted(set(missing[name])))}" for name in sorted(missing))
        name = quota["metadata"]["name"]
        raise kind.forbidden(pod["metadata"]["name"], f"failed quota: {name}: must specify {listed}")


def kinds_of(names: Iterable[str], served: Iterable[str]) -> dict[str, str]:
    """The kind that each name counts, as ``plural.group``; names that count nothing here are left out."""
    known = frozenset(served)
    found = {name: _kind_of(name) for name in names}
    return {name: kind for name, kind in found.items() if kind in known}


def _kind_of(name: str) -> str:
    if name.startswith("count/"):
        return name.removeprefix("count/")
    if name in _COUNTED:
        return name
    if name.startswith("services."):
        return SERVICES.group_resource
    if name == "requests.storage" or _CLASS in name:
        return CLAIMS.group_resource
    sized = name in _POD_SIZES or name.startswith(("requests.", "limits.", "hugepages-"))
    return PODS.group_resource if sized else ""
