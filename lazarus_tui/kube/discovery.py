"""Which kinds a server serves, asked of the server itself: what was defined by others is among them."""

from __future__ import annotations

import asyncio

import msgspec

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import KubeError, NotFound
from lazarus_tui.model.resources import Resource


class _Kind(msgspec.Struct, frozen=True):
    name: str = ""
    kind: str = ""
    namespaced: bool = False
    verbs: list[str] | None = None


class _Kinds(msgspec.Struct, frozen=True):
    resources: list[_Kind] | None = None


class _Version(msgspec.Struct, frozen=True, rename="camel"):
    group_version: str = ""
    version: str = ""


class _Group(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    preferred_version: _Version = msgspec.field(default_factory=_Version)


class _Groups(msgspec.Struct, frozen=True):
    groups: list[_Group] | None = None


async def served(cluster: Cluster) -> tuple[tuple[Resource, ...], tuple[str, ...]]:
    """All kinds that can be listed, each in its group's preferred version, and the groups that did not answer.

    An aggregated API whose server is down leaves its group unknown; everything else is known all the same. Raises
    ``KubeError`` when the list of groups itself cannot be read.
    """
    groups = (await cluster.read("/apis", _Groups, kinds=("APIGroupList",))).groups or []
    places = [("", "v1", "/api/v1")]
    places += [
        (group.name, group.preferred_version.version, f"/apis/{group.preferred_version.group_version}")
        for group in groups
    ]
    found = await asyncio.gather(*(_kinds(cluster, path) for _, _, path in places))
    kinds: list[Resource] = []
    silent: list[str] = []
    for (group, version, _), answer in zip(places, found, strict=True):
        if answer is None:
            silent.append(group)
            continue
        kinds += [
            Resource(group, version, one.name, one.kind, namespaced=one.namespaced)
            for one in answer
            if "/" not in one.name and "list" in (one.verbs or ())
        ]
    return tuple(kinds), tuple(silent)


async def _kinds(cluster: Cluster, path: str) -> list[_Kind] | None:
    try:
        return (await cluster.read(path, _Kinds, kinds=("APIResourceList",))).resources or []
    except NotFound:
        return []
    except KubeError:
        return None
