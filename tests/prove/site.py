"""A cluster to plan a proof in: a world of objects, backups with real tarballs, and the real planners of others."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from lazarus_tui.engine.registry import Registry
from lazarus_tui.engine.subjects import operation_types, verdicts
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.plan import Params, Plan
from lazarus_tui.model.proofs import ProofView
from lazarus_tui.model.resources import BACKUPS, CLAIMS, LOCATIONS, NAMESPACES, NODES, SECRETS, STORAGECLASSES
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove import plan as proving
from lazarus_tui.sandbox.velero.layout import Item, write_tarball
from tests.prove.hostile import namespaced, resource_of
from tests.velero.lab import START, VELERO, World

Json = dict[str, Any]


def captured(claim: str, namespace: str, *, pod: str = "", method: str = "CSISnapshot", **more: Any) -> Json:
    """An entry of a volume list that says its data was taken."""
    info: Json = {"pvcName": claim, "pvcNamespace": namespace, "backupMethod": method, "result": "succeeded", **more}
    if method == "PodVolumeBackup":
        info["pvbInfo"] = {"snapshotHandle": f"k-{claim}", "size": 1024, "podName": pod, "podNamespace": namespace}
    return info


class Site(World):
    """``plan`` makes a plan of a proof as the engine does; ``denied`` refuses artefacts as a read-only context does."""

    context = "lab"

    def __init__(self) -> None:
        super().__init__()
        self.registry = Registry(operation_types())
        self.denied: Exception | None = None
        self.fetched: list[tuple[str, str]] = []
        self.known: dict[str, tuple[Verdict, str]] = {}
        self.proven: list[ProofView] = []
        self.lengths: dict[str, Sequence[float]] = {}
        status = {"phase": "Available", "lastValidationTime": rfc3339(START)}
        self.put(LOCATIONS, "default", spec={"default": True}, status=status)
        self.put(STORAGECLASSES, "standard", "")
        self.put(NAMESPACES, "shop", "")

    async def get(self, resource: Any, name: str, namespace: str | None = None, *, type: Any) -> Any:
        """Of a Secret the metadata, as every client of Lazarus gets it."""
        found = await super().get(resource, name, namespace, type=type)
        if resource == SECRETS and type is dict and found is not None:
            return {"metadata": found["metadata"]}
        return found

    async def secret(self, namespace: str, name: str) -> dict[str, Any] | None:
        found = self.objects.get((SECRETS.plural, namespace, name))
        return copy.deepcopy(found)

    async def list(self, resource: Any, namespace: str | None = None, *, type: Any, label_selector: str = "",
                   field_selector: str = "") -> Any:  # fmt: skip
        bare = label_selector if label_selector and "=" not in label_selector else ""
        found = await super().list(resource, namespace, type=dict, label_selector="" if bare else label_selector)
        kept = [one for one in found if not bare or bare in (one["metadata"].get("labels") or {})]
        return [msgspec.convert(one, type) for one in kept]

    async def artefact(self, velero: str, kind: str, name: str) -> bytes:
        self.fetched.append((kind, name))
        if self.denied is not None:
            raise self.denied
        found = self.artefacts.get((kind, name))
        if isinstance(found, Exception):
            raise found
        if found is None:
            raise OSError("404")
        return found

    async def make(self, kind: str, params: Params) -> Plan:
        return await self.registry.plan(kind, self, params, self.clock)  # type: ignore[arg-type]

    def proofs(
        self, namespace: str, workload: str, source: str, begun: Mapping[str, str]
    ) -> Mapping[str, tuple[Verdict, str]]:  # fmt: skip
        return {**verdicts(self.proven, namespace, workload, source, begun), **self.known}

    def took(self, namespace: str) -> Sequence[float]:
        return self.lengths.get(namespace, ())

    def backup(
        self, name: str, objects: Iterable[Json], infos: Sequence[Json] = (), *, namespace: str = "shop",
        hours: float = 1, live: bool = True, phase: str = "Completed", expires: float = 240,
    ) -> None:  # fmt: skip
        """A backup of ``namespace`` that began ``hours`` ago; its claims are live too, unless ``live`` is False."""
        objects = [copy.deepcopy(one) for one in objects]
        for one in objects:
            if namespaced(one):
                one["metadata"]["namespace"] = namespace
            if one["kind"] == "PersistentVolumeClaim" and live:
                self.put(CLAIMS, one["metadata"]["name"], namespace, spec=one["spec"])
        moment = START - timedelta(hours=hours)
        ends, errors = rfc3339(START + timedelta(hours=expires)), 0 if phase == "Completed" else 2
        status = {"phase": phase, "startTimestamp": rfc3339(moment), "expiration": ends, "errors": errors}
        self.put(BACKUPS, name, spec={"includedNamespaces": [namespace], "storageLocation": "default"}, status=status)
        places = [(one, namespace if namespaced(one) else "") for one in objects]
        items = [Item(resource_of(one), where, one["metadata"]["name"], one) for one, where in places]
        listed: dict[str, list[str]] = {}
        for item in items:
            where = f"{namespace}/{item.name}" if item.namespace else item.name
            listed.setdefault(f"{item.body['apiVersion']}/{item.kind}", []).append(where)
        self.artefacts[("BackupContents", name)] = write_tarball(items)
        self.artefacts[("BackupVolumeInfos", name)] = json.dumps(list(infos)).encode()
        self.artefacts[("BackupResourceList", name)] = json.dumps(listed).encode()

    def node(self, name: str, cpu: str, memory: str) -> None:
        self.put(NODES, name, "", status={"allocatable": {"cpu": cpu, "memory": memory}})

    async def plan(self, **params: Any) -> Plan:
        given = {"velero": VELERO, "namespace": "shop", **params}
        return await proving.plan(self, given, self.clock)  # type: ignore[arg-type]
