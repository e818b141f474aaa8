"""The roles and bindings that every cluster starts with, as far as anybody in the sandbox can hold them.

Facts of kube-apiserver's bootstrap policy; roles of components that do not run here (scheduler, kubelet) are left out.
"""

from __future__ import annotations

from typing import Any

from lazarus_tui.sandbox.api.identity import AUTHENTICATED, MASTERS, UNAUTHENTICATED
from lazarus_tui.sandbox.api.rights import RBAC

Object = dict[str, Any]

_READ = ("get", "list", "watch")
_WRITE = ("create", "delete", "deletecollection", "patch", "update")
_ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_INFO = ("/healthz", "/livez", "/readyz", "/version", "/version/")


def _rule(group: str, resources: str, *verbs: str) -> Object:
    return {"apiGroups": [group], "resources": resources.split(), "verbs": list(verbs)}


def _paths(*paths: str) -> list[Object]:
    return [{"nonResourceURLs": list(paths), "verbs": ["get"]}]


_IN_PODS = "pods/attach pods/exec pods/portforward pods/proxy"
_SCALED = "deployments deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale"

_TO_ADMIN = [
    _rule("authorization.k8s.io", "localsubjectaccessreviews", "create"),
    _rule(RBAC, "rolebindings roles", *_ALL),
]
_TO_EDIT = [
    _rule("", f"{_IN_PODS} secrets services/proxy", *_READ),
    _rule("", "serviceaccounts", "impersonate"),
    _rule("", f"pods {_IN_PODS}", *_WRITE),
    _rule("", "pods/eviction", "create"),
    _rule(
        "",
        "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets "
        "serviceaccounts services services/proxy",
        *_WRITE,
    ),
    _rule("", "serviceaccounts/token", "create"),
    _rule("apps", f"daemonsets deployments/rollback {_SCALED}", *_WRITE),
    _rule("autoscaling", "horizontalpodautoscalers", *_WRITE),
    _rule("batch", "cronjobs jobs", *_WRITE),
    _rule("policy", "poddisruptionbudgets", *_WRITE),
    _rule("networking.k8s.io", "ingresses networkpolicies", *_WRITE),
    _rule("coordination.k8s.io", "leases", *_ALL),
]
_TO_VIEW = [
    _rule(
        "",
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers "
        "replicationcontrollers/scale serviceaccounts services services/status",
        *_READ,
    ),
    _rule(
        "",
        "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status "
        "resourcequotas resourcequotas/status",
        *_READ,
    ),
    _rule("", "namespaces", *_READ),
    _rule("discovery.k8s.io", "endpointslices", *_READ),
    _rule(
        "apps",
        "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets "
        "replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status",
        *_READ,
    ),
    _rule("autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status", *_READ),
    _rule("batch", "cronjobs cronjobs/status jobs jobs/status", *_READ),
    _rule("policy", "poddisruptionbudgets poddisruptionbudgets/status", *_READ),
    _rule("networking.k8s.io", "ingresses ingresses/status networkpolicies", *_READ),
]
_EVERYTHING = [_rule("*", "*", "*"), {"nonResourceURLs": ["*"], "verbs": ["*"]}]
_DISCOVERY = _paths("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_INFO)
_BASIC = [
    _rule("authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews", "create"),
    _rule("authentication.k8s.io", "selfsubjectreviews", "create"),
]
_MONITORING = _paths(
    "/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/metrics/slis", "/readyz", "/readyz/*"
)
_DELEGATOR = [
    _rule("authentication.k8s.io", "tokenreviews", "create"),
    _rule("authorization.k8s.io", "subjectaccessreviews", "create"),
]

# Name → (what it is aggregated into, rules); None for the rules of roles that are aggregated from others.
_ROLES: dict[str, tuple[str, list[Object] | None]] = {
    "cluster-admin": ("", _EVERYTHING),
    "admin": ("", None),
    "edit": ("admin", None),
    "view": ("edit", None),
    "system:aggregate-to-admin": ("admin", _TO_ADMIN),
    "system:aggregate-to-edit": ("edit", _TO_EDIT),
    "system:aggregate-to-view": ("view", _TO_VIEW),
    "system:auth-delegator": ("", _DELEGATOR),
    "system:basic-user": ("", _BASIC),
    "system:discovery": ("", _DISCOVERY),
    "system:monitoring": ("", _MONITORING),
    "system:public-info-viewer": ("", _paths(*_INFO)),
}
_BINDINGS: dict[str, tuple[str, ...]] = {
    "cluster-admin": (MASTERS,),
    "system:basic-user": (AUTHENTICATED,),
    "system:discovery": (AUTHENTICATED,),
    "system:monitoring": ("system:monitoring",),
    "system:public-info-viewer": (AUTHENTICATED, UNAUTHENTICATED),
}


def _meta(name: str, into: str = "") -> Object:
    labels = {"kubernetes.io/bootstrapping": "rbac-defaults"}
    if into:
        labels[f"{RBAC}/aggregate-to-{into}"] = "true"
    return {"name": name, "labels": labels, "annotations": {"rbac.authorization.kubernetes.io/autoupdate": "true"}}


def cluster_roles() -> list[Object]:
    """Fresh objects; aggregated roles come without rules, which a controller fills in."""
    made = []
    for name, (into, rules) in _ROLES.items():
        role: Object = {"metadata": _meta(name, into), "rules": rules}
        if rules is None:
            selector = {"matchLabels": {f"{RBAC}/aggregate-to-{name}": "true"}}
            role |= {"aggregationRule": {"clusterRoleSelectors": [selector]}, "rules": None}
        made.append(role)
    return made


def cluster_role_bindings() -> list[Object]:
    """Fresh objects: each binds the role of its own name to groups."""
    return [
        {
            "metadata": _meta(name),
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
            "subjects": [{"apiGroup": RBAC, "kind": "Group", "name": group} for group in groups],
        }
        for name, groups in _BINDINGS.items()
    ]
