"""Velero's backups as a ``Source`` of points: judged by the one rule of the newest usable point."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.labels import BACKUP_NAME_LABEL, label_value
from lazarus_tui.model.objects import Backup, Claim, Location, VolumeCopy, Workload
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.planning import ProofReader
from lazarus_tui.model.points import Known, newest_first, usability
from lazarus_tui.model.resources import (
    BACKUPS,
    CLAIMS,
    DATA_UPLOADS,
    DEPLOYMENTS,
    LOCATIONS,
    POD_VOLUME_BACKUPS,
    STATEFULSETS,
)
from lazarus_tui.model.scope import Wanted, takes_namespace
from lazarus_tui.model.steps import ArtefactReader, Reader
from lazarus_tui.model.topics import PointView
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.model.volumes import Coverage, VolumeInfoError, coverage, parse_volume_infos
from lazarus_tui.prove.contents import ContentsError, assemble
from lazarus_tui.prove.points import Contents

MOST_LISTS = 20  # volume lists fetched before the search for a usable point is given up as too expensive
_KINDS = {"StatefulSet": STATEFULSETS, "Deployment": DEPLOYMENTS}


class VeleroPoints:
    """The backups that Velero in namespace ``velero`` knows."""

    kind = "velero"

    def __init__(self, reader: Reader, velero: str, clock: Clock) -> None:
        self._reader, self._velero, self._clock = reader, velero, clock
        self._infos: dict[str, Sequence[Any]] = {}

    async def points(self, namespace: str, workload: str, *, sure: int) -> Sequence[PointView]:
        """Newest first. Volume lists are read until ``sure`` of them are usable, ``MOST_LISTS`` at most."""
        wanted = await self._wanted(namespace, workload)
        backups = newest_first(await self._reader.list(BACKUPS, self._velero, type=Backup))
        copies = await self._copies()
        coverages: dict[str, Coverage] = {}
        places = {one.metadata.name: one for one in await self._reader.list(LOCATIONS, self._velero, type=Location)}
        begun = {one.metadata.name: one.status.start_timestamp or "" for one in backups}
        known = Known(self._clock.now(), places, coverages, proofs=self._proofs(namespace, workload, begun))
        found: list[PointView] = []
        for backup in backups:
            name = backup.metadata.name
            if not takes_namespace(backup.spec, namespace):
                continue
            sound = usability(backup, Wanted(namespace), known).usable is True
            worth = sure > 0 and wanted.claims and sound and len(self._infos) < MOST_LISTS
            infos = await self._list(name) if worth else None
            coverages[name] = coverage(infos, copies.get(label_value(name), ()))
            found.append(usability(backup, wanted, known))
            sure -= found[-1].usable is True
        return found

    async def contents(self, point: str, namespace: str, workload: str) -> Contents:
        """Everything the backup holds of the namespace; raises ``PlanRefused`` when it cannot be read from here."""
        backup = await self._reader.get(BACKUPS, point, self._velero, type=Backup)
        if backup is None:
            raise PlanRefused(f"there is no backup {point}", where=f"namespace {self._velero}")
        tarball = await self._fetched("BackupContents", point)
        infos = await self._raw_list(point)
        listed, unlisted = await self._object_list(point)
        copies = (await self._copies()).get(label_value(point), ())
        try:
            held = coverage(parse_volume_infos(infos), copies)
            found = assemble(
                point, namespace, tarball, held, infos,
                start=backup.status.start_timestamp or "", expires=backup.status.expiration or "", listed=listed,
                unlisted=unlisted,
            )  # fmt: skip
        except (ContentsError, VolumeInfoError) as error:
            what = f"what backup {point} holds cannot be used: {error}"
            raise PlanRefused(what, where=point, hint="choose another point; this one may be damaged") from error
        if not found.items:
            raise PlanRefused(f"backup {point} holds nothing of namespace {namespace}", hint="choose another point")
        return found

    async def _wanted(self, namespace: str, workload: str) -> Wanted:
        """What has to be in a usable point: the claims that are there now."""
        kind, _, name = workload.partition("/")
        if kind in _KINDS:
            live = await self._reader.get(_KINDS[kind], name, namespace, type=Workload)
            if live is not None:
                return Wanted(namespace, kind, name, live.claims(), live.metadata.labels or {})
        claims = tuple(one.metadata.name for one in await self._reader.list(CLAIMS, namespace, type=Claim))
        return Wanted(namespace, claims=tuple(sorted(claims)))

    def _proofs(
        self, namespace: str, workload: str, begun: Mapping[str, str]
    ) -> Mapping[str, tuple[Verdict, str]]:  # fmt: skip
        if not isinstance(self._reader, ProofReader):
            return {}
        return self._reader.proofs(namespace, workload, self.kind, begun)

    async def _copies(self) -> dict[str, list[VolumeCopy]]:
        found: dict[str, list[VolumeCopy]] = {}
        for resource in (POD_VOLUME_BACKUPS, DATA_UPLOADS):
            try:
                for copy in await self._reader.list(resource, self._velero, type=VolumeCopy):
                    found.setdefault(copy.metadata.label(BACKUP_NAME_LABEL), []).append(copy)
            except (Forbidden, NotFound):
                continue
        return found

    async def _list(self, name: str) -> Any:
        """The volume list for judging a point; one that cannot be read leaves the point unknown."""
        try:
            return parse_volume_infos(await self._raw_list(name))
        except (PlanRefused, VolumeInfoError):
            self._infos.setdefault(name, ())
            return None

    async def _raw_list(self, name: str) -> Sequence[Any]:
        if not self._infos.get(name):
            data = await self._fetched("BackupVolumeInfos", name)
            try:
                found = json.loads(data or b"[]")
            except (ValueError, RecursionError) as error:
                raise PlanRefused(f"the volume list of {name} is not JSON", where=name) from error
            self._infos[name] = found if isinstance(found, list) else ()
        return self._infos[name]

    async def _object_list(self, name: str) -> tuple[Any, str]:
        """What the backup says it took, and in words why that is not known."""
        try:
            return json.loads(await self._fetched("BackupResourceList", name) or b"{}"), ""
        except PlanRefused as refused:
            return {}, f"its own list of objects could not be read: {refused.what}"
        except (ValueError, RecursionError):
            return {}, "its own list of objects is not JSON"

    async def _fetched(self, kind: str, name: str) -> bytes:
        if not isinstance(self._reader, ArtefactReader):
            raise PlanRefused(f"what backup {name} holds cannot be read from here", where=kind)
        try:
            return await self._reader.artefact(self._velero, kind, name)
        except PlanRefused:
            raise
        except Exception as error:  # the engine's own refusals carry where and hint; nothing is planned without it
            what = f"what backup {name} holds is not known: {getattr(error, 'what', error)}"
            hint = str(getattr(error, "hint", "")) or "the plan of a proof is made from the backup's contents"
            raise PlanRefused(what, where=kind, hint=hint) from error
