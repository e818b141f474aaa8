"""Which Veleros run in a cluster, where, and which version: never assumed, always looked up."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lazarus_tui.kube.errors import Forbidden, KubeError
from lazarus_tui.model.objects import Location
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import BACKUPS, CRDS, DAEMONSETS, DEPLOYMENTS, LOCATIONS, Resource
from lazarus_tui.model.steps import Reader

USUAL_NAMESPACE = "velero"
OLDEST = (1, 14)
NEWEST = (1, 19)
_SELECTORS = ("component=velero", "app.kubernetes.io/name=velero", "deploy=velero")
_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?(-[0-9A-Za-z.-]+)?$")


@dataclass(frozen=True, slots=True)
class Installation:
    """One Velero. ``version`` is the image tag, "" if it says none; ``ready``: its server has a ready pod."""

    namespace: str
    deployment: str = ""
    version: str = ""
    ready: bool = False
    node_agents: int = 0
    args: tuple[str, ...] = ()

    @property
    def release(self) -> tuple[int, int] | None:
        """Major and minor number, None when the version is not known."""
        match = _VERSION.search(self.version)
        return (int(match[1]), int(match[2])) if match else None

    @property
    def cron_rule(self) -> str:
        """The rule by which this server reads cron lines (model/cron.py)."""
        release = self.release
        return "velero-1.19" if release is not None and release >= (1, 19) else "velero"

    @property
    def supported(self) -> bool | None:
        release = self.release
        return None if release is None else OLDEST <= release <= NEWEST


async def installations(reader: Reader) -> tuple[Installation, ...]:
    """Every Velero of the cluster by namespace. Where listing all is forbidden only the usual namespace is tried."""
    found: dict[str, Installation] = {}
    try:
        for namespace in await _candidates(reader, None):
            found[namespace] = await inspect(reader, namespace)
    except Forbidden:
        for namespace in await _candidates(reader, USUAL_NAMESPACE):
            found[namespace] = await inspect(reader, namespace)
    return tuple(found[name] for name in sorted(found))


async def _candidates(reader: Reader, namespace: str | None) -> list[str]:
    """Namespaces that hold a storage location or a Deployment that looks like a Velero server."""
    names = {place.metadata.namespace for place in await _listed(reader, LOCATIONS, namespace, Location)}
    for selector in _SELECTORS:
        for deployment in await _listed(reader, DEPLOYMENTS, namespace, dict[str, Any], selector):
            if _server(deployment) is not None:
                names.add(str(deployment["metadata"].get("namespace", "")))
    return sorted(name for name in names if name)


async def _listed(
    reader: Reader, resource: Resource, namespace: str | None, kind: Any, selector: str = ""
) -> list[Any]:
    """A list that is empty where the resource is not served at all."""
    try:
        return list(await reader.list(resource, namespace, type=kind, label_selector=selector))
    except Forbidden:
        raise
    except KubeError as error:
        if error.status == 404:
            return []
        raise


async def inspect(reader: Reader, namespace: str) -> Installation:
    """What runs in one namespace, read from its Deployment and DaemonSet; both may be hidden from us."""
    try:
        deployments = await _listed(reader, DEPLOYMENTS, namespace, dict[str, Any])
        daemons = await _listed(reader, DAEMONSETS, namespace, dict[str, Any])
    except Forbidden:
        return Installation(namespace)
    agents = sum(
        int((daemon.get("status") or {}).get("numberReady", 0))
        for daemon in daemons
        if "node-agent" in str(daemon["metadata"].get("name", ""))
    )
    servers = [(item, container) for item in deployments if (container := _server(item)) is not None]
    if not servers:
        return Installation(namespace, node_agents=agents)
    deployment, container = min(servers, key=lambda pair: pair[0]["metadata"].get("name") != "velero")
    return Installation(
        namespace,
        str(deployment["metadata"].get("name", "")),
        _tag(str(container.get("image", ""))),
        int((deployment.get("status") or {}).get("readyReplicas", 0) or 0) > 0,
        agents,
        tuple(map(str, container.get("args") or ())),
    )


def _server(deployment: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The container that runs ``velero server``."""
    template = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
    for container in template.get("containers") or ():
        words = [*(container.get("command") or ()), *(container.get("args") or ())]
        if "server" in words and ("velero" in str(container.get("image", "")) or "/velero" in words):
            return dict(container)
    return None


def _tag(image: str) -> str:
    name = image.partition("@")[0].rpartition("/")[2]
    return name.partition(":")[2]


async def velero_namespace(reader: Reader, wanted: str = "") -> str:
    """The namespace of the Velero to use; raises ``PlanRefused`` when there is none or a choice is needed."""
    if wanted:
        return wanted
    found = await installations(reader)
    if not found:
        raise PlanRefused(
            "no Velero runs in this cluster",
            where=reader.context,
            hint="install Velero, or choose another context; lazarus doctor tells more",
        )
    if len(found) > 1:
        names = ", ".join(item.namespace for item in found)
        raise PlanRefused(
            f"several Veleros run in this cluster ({names})", where=reader.context, hint="name one: velero=NAMESPACE"
        )
    return found[0].namespace


async def served_fields(reader: Reader, resource: Resource = BACKUPS) -> frozenset[str]:
    """Names of the spec fields that the installed CRD serves; unknown ones would be pruned without a word."""
    crd = await reader.get(CRDS, f"{resource.plural}.{resource.group}", type=dict)
    versions: Iterable[Mapping[str, Any]] = ((crd or {}).get("spec") or {}).get("versions") or ()
    for version in versions:
        if version.get("name") == resource.version:
            schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
            spec = (schema.get("properties") or {}).get("spec") or {}
            return frozenset(spec.get("properties") or ())
    return frozenset()
