"""Which Veleros run in a cluster, where, and which version: never assumed, always looked up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lazarus_tui.kube.errors import Forbidden, KubeError
from lazarus_tui.model.objects import Location
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import DAEMONSETS, DEPLOYMENTS, LOCATIONS, Resource
from lazarus_tui.model.steps import Reader

USUAL_NAMESPACE = "velero"
OLDEST = (1, 14)
NEWEST = (1, 18)
# Label and field selectors that find the server's Deployment: installed by its own command, by a chart, by hand.
_SELECTORS = (
    ("component=velero", ""),
    ("app.kubernetes.io/name=velero", ""),
    ("deploy=velero", ""),
    ("", "metadata.name=velero"),
)
_VERSION_LABEL = "app.kubernetes.io/version"
# A Velero release at the start of a tag; a date, a digest or a name of somebody's own is none.
_VERSION = re.compile(r"v?(\d)\.(\d{1,3})(?:\.\d+)?(?:[-+_].*)?")


@dataclass(frozen=True, slots=True)
class Installation:
    """One Velero. ``version`` is the image tag, "" if it says none; ``ready``: its server has a ready pod.

    ``deployment`` "" means that no server was found, or with ``hidden`` that we may not look for one.
    """

    namespace: str
    deployment: str = ""
    version: str = ""
    ready: bool = False
    node_agents: int = 0
    args: tuple[str, ...] = ()
    hidden: bool = False

    @property
    def release(self) -> tuple[int, int] | None:
        """Major and minor number, None when the version is not known."""
        match = _VERSION.fullmatch(self.version)
        return (int(match[1]), int(match[2])) if match else None

    @property
    def cron_rule(self) -> str:
        """The rule by which this server reads cron lines (model/cron.py)."""
        release = self.release
        return "velero-1.19" if release is not None and release >= (1, 19) else "velero"

    @property
    def supported(self) -> bool | None:
        """Whether Lazarus is tested with it; None when the version is not known. It is a warning, never a refusal."""
        release = self.release
        return None if release is None else OLDEST <= release <= NEWEST


async def installations(reader: Reader, wanted: str = "") -> tuple[Installation, ...]:
    """Every Velero of the cluster by namespace; storage locations left behind by another one are none.

    ``wanted`` is a namespace that is looked into in any case; without it, where listing the whole cluster is
    forbidden, only the usual one is. Raises ``Forbidden`` where nothing at all may be read.
    """
    try:
        names = await _candidates(reader, None)
    except Forbidden:
        names = await _candidates(reader, wanted or USUAL_NAMESPACE)
    found = {namespace: await inspect(reader, namespace) for namespace in names}
    if wanted and wanted not in found:
        there = await inspect(reader, wanted)
        found |= {wanted: there} if there.deployment or there.hidden else {}
    if any(item.deployment for item in found.values()):
        found = {name: item for name, item in found.items() if item.deployment or item.hidden or name == wanted}
    return tuple(found[name] for name in sorted(found))


async def _candidates(reader: Reader, namespace: str | None) -> list[str]:
    """Namespaces that hold a storage location or a Deployment that looks like a Velero server.

    ``Forbidden`` only if a refusal left nothing to go by: one of the two kinds is enough.
    """
    names: set[str] = set()
    refusal: Forbidden | None = None
    try:
        names |= {place.metadata.namespace for place in await _listed(reader, LOCATIONS, namespace, Location)}
    except Forbidden as error:
        refusal = error
    try:
        for labels, field in _SELECTORS:
            deployments = await _listed(reader, DEPLOYMENTS, namespace, dict[str, Any], labels, field)
            names |= {str(one["metadata"].get("namespace", "")) for one in deployments if _server(one) is not None}
    except Forbidden as error:
        refusal = error
    names.discard("")
    if refusal is not None and not names:
        raise refusal
    return sorted(names)


async def _listed(
    reader: Reader, resource: Resource, namespace: str | None, kind: Any, labels: str = "", fields: str = ""
) -> list[Any]:
    """A list that is empty where the resource is not served at all."""
    try:
        return list(await reader.list(resource, namespace, type=kind, label_selector=labels, field_selector=fields))
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
    except Forbidden:
        return Installation(namespace, hidden=True)
    agents = await _agents(reader, namespace)
    servers = [(item, container) for item in deployments if (container := _server(item)) is not None]
    if not servers:
        return Installation(namespace, node_agents=agents)
    deployment, container = min(servers, key=lambda pair: pair[0]["metadata"].get("name") != "velero")
    return Installation(
        namespace,
        str(deployment["metadata"].get("name", "")),
        _version(deployment, container),
        int((deployment.get("status") or {}).get("readyReplicas", 0) or 0) > 0,
        agents,
        tuple(map(str, container.get("args") or ())),
    )


async def _agents(reader: Reader, namespace: str) -> int:
    """Ready node agents; 0 too where they may not be seen."""
    try:
        daemons = await _listed(reader, DAEMONSETS, namespace, dict[str, Any])
    except Forbidden:
        return 0
    return sum(
        int((daemon.get("status") or {}).get("numberReady", 0))
        for daemon in daemons
        if "node-agent" in str(daemon["metadata"].get("name", ""))
    )


def _version(deployment: Mapping[str, Any], container: Mapping[str, Any]) -> str:
    """The image's tag; the chart's version label where the tag is no version (a digest, ``latest``, a mirror's own)."""
    tag = _tag(str(container.get("image", "")))
    if _VERSION.fullmatch(tag):
        return tag
    label = str((deployment["metadata"].get("labels") or {}).get(_VERSION_LABEL, ""))
    return label if _VERSION.fullmatch(label) else tag


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
            f"several Veleros run in this cluster ({names})",
            where=reader.context,
            hint="choose one in the settings: velero.namespace",
        )
    return found[0].namespace
