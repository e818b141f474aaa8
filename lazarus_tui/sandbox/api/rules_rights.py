"""Roles, bindings, quotas, limits, priorities and what extends the server (upstream validation)."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.quantities import QuantityError, parse
from lazarus_tui.sandbox.api.causes import (
    Causes,
    Object,
    forbidden,
    invalid_value,
    part,
    required,
    spec_of,
    unchanged,
    unsupported,
)

_GROUP = "rbac.authorization.k8s.io"
_KINDS = ("ServiceAccount", "User", "Group")
_QUANTITY_TEXT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_SYSTEM_PRIORITIES = ("system-cluster-critical", "system-node-critical")
# What a quota may count of the pods in its scope, by scope; quotas with scopes count nothing else that has these names.
_SIZED = frozenset({"pods", *(f"{part}{name}" for part in ("", "requests.", "limits.") for name in ("cpu", "memory"))})
_SCOPES = {
    "BestEffort": frozenset({"pods"}),
    "NotBestEffort": _SIZED,
    "Terminating": _SIZED,
    "NotTerminating": _SIZED,
    "PriorityClass": _SIZED,
    "CrossNamespacePodAffinity": _SIZED,
}
_QUOTA_NAMES = _SIZED | {
    "configmaps",
    "ephemeral-storage",
    "limits.ephemeral-storage",
    "persistentvolumeclaims",
    "replicationcontrollers",
    "requests.ephemeral-storage",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
}
# Upstream keeps what is above for itself.
_MAX_PRIORITY = 1_000_000_000


def role(obj: Object) -> Causes:
    return _rules(obj, namespaced=True)


def cluster_role(obj: Object) -> Causes:
    return _rules(obj, namespaced=False)


def _rules(obj: Object, *, namespaced: bool) -> Causes:
    causes: Causes = []
    for index, rule in enumerate(obj.get("rules") or ()):
        where = f"rules[{index}]"
        if not rule.get("verbs"):
            causes.append(required(f"{where}.verbs", "verbs must contain at least one value"))
        paths = rule.get("nonResourceURLs") or []
        if paths:
            if namespaced:
                text = "namespaced rules cannot apply to non-resource URLs"
                causes.append(invalid_value(f"{where}.nonResourceURLs", paths, text))
            if any(rule.get(one) for one in ("apiGroups", "resources", "resourceNames")):
                text = "rules cannot apply to both regular resources and non-resource URLs"
                causes.append(invalid_value(f"{where}.nonResourceURLs", paths, text))
            continue
        if not rule.get("apiGroups"):
            causes.append(required(f"{where}.apiGroups", "resource rules must supply at least one api group"))
        if not rule.get("resources"):
            causes.append(required(f"{where}.resources", "resource rules must supply at least one resource"))
    return causes


def role_binding(obj: Object) -> Causes:
    return _binding(obj, ("Role", "ClusterRole"))


def cluster_role_binding(obj: Object) -> Causes:
    return _binding(obj, ("ClusterRole",))


def _binding(obj: Object, kinds: tuple[str, ...]) -> Causes:
    reference = part(obj, "roleRef")
    causes: Causes = []
    if reference.get("apiGroup", _GROUP) != _GROUP:
        causes.append(unsupported("roleRef.apiGroup", reference["apiGroup"], (_GROUP,)))
    if reference.get("kind") not in kinds:
        causes.append(unsupported("roleRef.kind", reference.get("kind", ""), kinds))
    if not reference.get("name"):
        causes.append(required("roleRef.name"))
    for index, subject in enumerate(obj.get("subjects") or ()):
        causes += _subject(subject, f"subjects[{index}]")
    return causes


def _subject(subject: Object, where: str) -> Causes:
    causes: Causes = [] if subject.get("name") else [required(f"{where}.name")]
    kind, group = subject.get("kind", ""), subject.get("apiGroup") or ""
    if kind not in _KINDS:
        return [*causes, unsupported(f"{where}.kind", kind, _KINDS)]
    expected = "" if kind == "ServiceAccount" else _GROUP
    if group != expected:
        causes.append(unsupported(f"{where}.apiGroup", group, (expected,)))
    if kind == "ServiceAccount" and not subject.get("namespace"):
        causes.append(required(f"{where}.namespace"))
    return causes


def binding_update(obj: Object, old: Object) -> Causes:
    if obj.get("roleRef") == old.get("roleRef"):
        return []
    return [invalid_value("roleRef", obj.get("roleRef"), "cannot change roleRef")]


def quota(obj: Object) -> Causes:
    hard = part(spec_of(obj), "hard")
    found = ((name, value, _amount(value)) for name, value in hard.items())
    text = "must be greater than or equal to 0"
    return _scopes(spec_of(obj), hard) + [
        invalid_value(f"spec.hard[{name}]", value, _QUANTITY_TEXT if wrong is None else text)
        for name, value, wrong in found
        if wrong is None or wrong < 0
    ]


def _scopes(spec: Object, hard: Object) -> Causes:
    scopes = spec.get("scopes") or []
    where, causes = "spec.scopes", []
    if any(scope not in _SCOPES for scope in scopes):
        causes.append(invalid_value(where, scopes, "unsupported scope"))
    for name in sorted(hard):
        if any(name in _QUOTA_NAMES and name not in _SCOPES.get(scope, _SIZED) for scope in scopes):
            causes.append(invalid_value(where, scopes, "unsupported scope applied to resource"))
    if any({scope, f"Not{scope}"} <= set(scopes) for scope in _SCOPES):
        causes.append(invalid_value(where, scopes, "conflicting scopes"))
    return causes


def _amount(value: Any) -> float | None:
    try:
        return float(parse(str(value)))
    except QuantityError:
        return None


def quota_update(obj: Object, old: Object) -> Causes:
    return unchanged(spec_of(obj), spec_of(old), "spec", "scopes")


def limit_range(obj: Object) -> Causes:
    causes: Causes = []
    kinds: list[Any] = []
    for index, limit in enumerate(spec_of(obj).get("limits") or ()):
        where, kind = f"spec.limits[{index}]", limit.get("type")
        if not kind:
            causes.append(required(f"{where}.type"))
        elif kind in kinds:
            causes.append(invalid_value(f"{where}.type", kind, "must be unique"))
        kinds.append(kind)
        if kind == "Pod":
            named = [one for one in ("default", "defaultRequest") if limit.get(one)]
            causes += [forbidden(f"{where}.{one}", "may not be specified when `type` is 'Pod'") for one in named]
        least, most = part(limit, "min"), part(limit, "max")
        for name in least.keys() & most.keys():
            low, high = _amount(least[name]), _amount(most[name])
            if low is not None and high is not None and low > high:
                text = f"min value {least[name]} is greater than max value {most[name]}"
                causes.append(invalid_value(f"{where}.min[{name}]", str(least[name]), text))
    return causes


def priority_class(obj: Object) -> Causes:
    name, value = obj["metadata"].get("name", ""), obj.get("value", 0)
    if name.startswith("system-") and name not in _SYSTEM_PRIORITIES:
        text = "priority class names with 'system-' prefix are reserved for system use only"
        return [forbidden("metadata.name", text)]
    if value > _MAX_PRIORITY and name not in _SYSTEM_PRIORITIES:
        text = f"maximum allowed value of a user defined priority is {_MAX_PRIORITY}"
        return [forbidden("value", text)]
    return []


def priority_class_update(obj: Object, old: Object) -> Causes:
    causes = [] if obj.get("value") == old.get("value") else [forbidden("value", "may not be changed in an update.")]
    return causes + unchanged(obj, old, "", "preemptionPolicy")


def api_service(obj: Object) -> Causes:
    spec, name = spec_of(obj), obj["metadata"].get("name", "")
    wanted = f"{spec.get('version', '')}.{spec.get('group', '')}"
    if name == wanted:
        return []
    text = 'must be `spec.version+"."+spec.group`: ' + f'"{wanted}"'
    return [invalid_value("metadata.name", name, text)]


def runtime_class(obj: Object) -> Causes:
    return [] if obj.get("handler") else [required("handler")]


def runtime_class_update(obj: Object, old: Object) -> Causes:
    return unchanged(obj, old, "", "handler")


def certificate_request(obj: Object) -> Causes:
    spec = spec_of(obj)
    causes = [required(f"spec.{field}") for field in ("request", "signerName") if not spec.get(field)]
    return causes if spec.get("usages") else [*causes, required("spec.usages")]


def certificate_request_update(obj: Object, old: Object) -> Causes:
    return [] if obj.get("spec") == old.get("spec") else unchanged(obj, old, "", "spec")
