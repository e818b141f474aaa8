"""Which groups, versions and resources there are, in the old and in the aggregated form."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec

from lazarus_tui.model.http import HttpResponse
from lazarus_tui.sandbox.api.answers import NOT_KEPT
from lazarus_tui.sandbox.api.kinds import Kind, Served
from lazarus_tui.sandbox.api.registry import Registry

AGGREGATED_TYPE = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

_SCALE = {"group": "autoscaling", "version": "v1", "kind": "Scale"}
_EVICTION = {"group": "policy", "version": "v1", "kind": "Eviction"}
_OPTION_KINDS = {
    "attach": "PodAttachOptions",
    "exec": "PodExecOptions",
    "portforward": "PodPortForwardOptions",
    "binding": "Binding",
}
_SUB_VERBS = {
    "status": ["get", "patch", "update"],
    "approval": ["get", "patch", "update"],
    "ephemeralcontainers": ["get", "patch", "update"],
    "resize": ["get", "patch", "update"],
    "scale": ["get", "patch", "update"],
    "finalize": ["update"],
    "binding": ["create"],
    "eviction": ["create"],
    "token": ["create"],
    "log": ["get"],
    "exec": ["create", "get"],
    "attach": ["create", "get"],
    "portforward": ["create", "get"],
    "proxy": ["create", "delete", "get", "patch", "update"],
}


def wants_aggregated(accept: str) -> bool:
    """Whether the aggregated form is accepted in version v2 exactly (old clients ask for v2beta1)."""
    for part in accept.split(","):
        params = {piece.strip() for piece in part.split(";")}
        if {"as=APIGroupDiscoveryList", "v=v2", "g=apidiscovery.k8s.io"} <= params:
            return True
    return False


def api_versions(address: str) -> dict[str, Any]:
    """``/api``."""
    addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}]
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}


def _groups(registry: Registry) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for served in registry.offered():
        versions = groups.setdefault(served.group, [])
        if served.version not in versions:
            versions.append(served.version)
    return groups


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    entries = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def group_list(registry: Registry) -> dict[str, Any]:
    """``/apis``."""
    groups = [_group(name, versions) for name, versions in _groups(registry).items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(registry: Registry, name: str) -> dict[str, Any]:
    """``/apis/<group>``."""
    versions = _groups(registry).get(name)
    if not name or not versions:
        raise registry.absent(name)
    return {"kind": "APIGroup", "apiVersion": "v1"} | _group(name, versions)


def resource_list(registry: Registry, group_name: str, version: str) -> dict[str, Any]:
    """``/api/v1`` or ``/apis/<group>/<version>``."""
    offered = _offered(registry, group_name, version)
    if not offered:
        raise registry.absent(group_name)
    resources = []
    for kind in (served.kind for served in offered):
        resources.append(_resource(kind))
        resources += [_subresource(kind, sub) for sub in kind.subresources]
    group_version = f"{group_name}/{version}" if group_name else version
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def _offered(registry: Registry, group_name: str, version: str) -> list[Served]:
    return [one for one in registry.offered() if (one.group, one.version) == (group_name, version)]


def _resource(kind: Kind) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    return entry


def _sub_kind(kind: Kind, sub: str) -> dict[str, str]:
    if sub in ("scale", "eviction"):
        return dict(_SCALE if sub == "scale" else _EVICTION)
    if sub == "token":
        return {"kind": "TokenRequest", "group": "authentication.k8s.io", "version": "v1"}
    if sub == "proxy":
        return {"kind": f"{kind.kind}ProxyOptions"}
    return {"kind": _OPTION_KINDS.get(sub, kind.kind)}


def _subresource(kind: Kind, sub: str) -> dict[str, Any]:
    return {
        "name": f"{kind.plural}/{sub}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "verbs": _SUB_VERBS[sub],
    } | _sub_kind(kind, sub)


def aggregated_answer(registry: Registry, path: str, known: str) -> HttpResponse:
    """``/api`` or ``/apis`` in the aggregated form, or 304 for who has it already under its tag."""
    body = msgspec.json.encode(aggregated(registry, core=path == "/api"))
    tag = f'"{sha256(body).hexdigest().upper()}"'
    headers = {"content-type": AGGREGATED_TYPE, "etag": tag, "vary": "Accept", **NOT_KEPT}
    same = tag.strip('"') in known
    return HttpResponse(304 if same else 200, headers, b"" if same else body)


def aggregated(registry: Registry, *, core: bool) -> dict[str, Any]:
    """``/api`` (``core``) or ``/apis`` with all resources in one document."""
    items = []
    for name, versions in _groups(registry).items():
        if core is not (name == ""):
            continue
        entries = [
            {
                "version": version,
                "resources": [_aggregated_resource(one) for one in _offered(registry, name, version)],
                "freshness": "Current",
            }
            for version in versions
        ]
        items.append({"metadata": {"name": name} if name else {}, "versions": entries})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated_resource(served: Served) -> dict[str, Any]:
    kind = served.kind
    entry: dict[str, Any] = {
        "resource": kind.plural,
        "responseKind": {"group": served.group, "version": served.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        entry["shortNames"] = list(kind.short_names)
    if kind.categories:
        entry["categories"] = list(kind.categories)
    if kind.subresources:
        entry["subresources"] = [
            {
                "subresource": sub,
                "responseKind": {"group": served.group, "version": served.version} | _sub_kind(kind, sub),
                "verbs": _SUB_VERBS[sub],
            }
            for sub in kind.subresources
        ]
    return entry
