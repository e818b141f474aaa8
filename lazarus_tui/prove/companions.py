"""What a workload needs beside its volumes: everything its pods name, and the Services that find them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from lazarus_tui.model.resources import CLAIMS, CONFIGMAPS, SECRETS, SERVICEACCOUNTS, SERVICES, Resource
from lazarus_tui.model.steps import Reader
from lazarus_tui.prove.rules.owners import mounted
from lazarus_tui.prove.rules.podspecs import containers

Object = dict[str, Any]
Live: TypeAlias = tuple[Resource, Object]
# In each namespace by itself.
_MADE_BY_ITSELF = frozenset({"kube-root-ca.crt", "openshift-service-ca.crt"})


def named(pod: Mapping[str, Any]) -> dict[Resource, set[str]]:
    """Names of ConfigMaps, Secrets, claims and the ServiceAccount that a pod spec speaks of."""
    maps, secrets = set[str](), set[str]()
    for volume in pod.get("volumes") or ():
        for source in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            maps.add(str((source.get("configMap") or {}).get("name") or ""))
            found = source.get("secret") or {}
            secrets.add(str(found.get("secretName") or found.get("name") or ""))
    for _, one in containers(pod):
        for variable in one.get("env") or ():
            source = variable.get("valueFrom") or {}
            maps.add(str((source.get("configMapKeyRef") or {}).get("name") or ""))
            secrets.add(str((source.get("secretKeyRef") or {}).get("name") or ""))
        for source in one.get("envFrom") or ():
            maps.add(str((source.get("configMapRef") or {}).get("name") or ""))
            secrets.add(str((source.get("secretRef") or {}).get("name") or ""))
    secrets |= {str(one.get("name") or "") for one in pod.get("imagePullSecrets") or ()}
    account = str(pod.get("serviceAccountName") or "")
    return {
        SERVICEACCOUNTS: {account} - {"", "default"},
        CONFIGMAPS: maps - {""} - _MADE_BY_ITSELF,
        SECRETS: secrets - {""},
        CLAIMS: mounted(pod) - {""},
    }


def found_by(service: Mapping[str, Any], labels: Mapping[str, str], governing: str) -> bool:
    """Whether a Service leads to pods with these labels, or gives them their names."""
    selector = (service.get("spec") or {}).get("selector") or {}
    return bool(selector and selector.items() <= labels.items()) or service["metadata"]["name"] == governing


async def of(reader: Reader, namespace: str, workload: Mapping[str, Any]) -> tuple[list[Live], list[str]]:
    """The live companions of a workload in the order they have to be made, and what it names that is not there."""
    template = workload["spec"]["template"]
    labels = (template.get("metadata") or {}).get("labels") or {}
    found: list[Live] = []
    missing: list[str] = []
    for resource, names in named(template.get("spec") or {}).items():
        for name in sorted(names):
            body = await reader.get(resource, name, namespace, type=dict)
            if body is None:
                missing.append(f"{resource.kind} {name}")
            else:
                found.append((resource, whole(resource, body)))
    governing = str(workload["spec"].get("serviceName") or "")
    for service in await reader.list(SERVICES, namespace, type=dict):
        if found_by(service, labels, governing):
            found.append((SERVICES, whole(SERVICES, service)))
    return found, missing


def whole(resource: Resource, body: Mapping[str, Any]) -> Object:
    """An object of a list, which does not say its kind, as one that does."""
    return {**body, "apiVersion": resource.api_version, "kind": resource.kind}


_KEPT_META = ("name", "labels", "annotations")
_OWN_OF_CLUSTER = ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")


def fresh(body: Mapping[str, Any], namespace: str) -> Object:
    """A live object as one that can be created in ``namespace``: without identity, status, owners, addresses."""
    meta = body.get("metadata") or {}
    found = {key: value for key, value in body.items() if key not in ("metadata", "status")}
    found["metadata"] = {**{key: meta[key] for key in _KEPT_META if meta.get(key)}, "namespace": namespace}
    if body.get("kind") == SERVICES.kind:
        spec = dict(body.get("spec") or {})
        headless = spec.get("clusterIP") == "None"
        found["spec"] = {key: value for key, value in spec.items() if key not in _OWN_OF_CLUSTER}
        found["spec"] |= {"clusterIP": "None"} if headless else {}
    if body.get("kind") == SERVICEACCOUNTS.kind:
        found.pop("secrets", None)
    return found


def dependants(found: Iterable[Live]) -> list[Live]:
    """Without the claims: those come from the point."""
    return [(resource, body) for resource, body in found if resource != CLAIMS]
