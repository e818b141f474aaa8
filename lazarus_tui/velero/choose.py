"""Choosing the newest usable point of a namespace by the one rule, with what was passed over and why.

Facts: ``point.name``, ``.start``, ``.rule``, ``.passed`` and ``.others``. The claims may be given as the fact
``wanted.claims`` by whoever saw the namespace before it was lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.objects import Backup, Claim, Location, VolumeCopy
from lazarus_tui.model.plan import Danger, Params, Plan, PlanRefused
from lazarus_tui.model.points import Choice, Known, first_usable, newest_first, usability, views
from lazarus_tui.model.resources import BACKUPS, CLAIMS, DATA_UPLOADS, LOCATIONS, POD_VOLUME_BACKUPS
from lazarus_tui.model.scope import Wanted, takes_namespace
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Catalog, Observation, Reader, Seen, Step, StepContext, StepStopped
from lazarus_tui.model.topics import PointView
from lazarus_tui.model.volumes import Coverage, VolumeInfo, VolumeInfoError, coverage, parse_volume_infos
from lazarus_tui.velero import artefacts, names
from lazarus_tui.velero.claims import listed_copies
from lazarus_tui.velero.discover import velero_namespace

KIND = "velero.choose"
MOST_DOWNLOADS = 20  # volume lists read before the choice is given up as too expensive
_OTHERS = 6


async def plan(reader: Reader, params: Params, clock: Clock) -> Plan:
    """Which point would be restored now; params {namespace}. Changes nothing."""
    namespace = str(params.get("namespace") or "")
    if not namespace:
        raise PlanRefused("which namespace?", where="namespace")
    claims = [claim.metadata.name for claim in await reader.list(CLAIMS, namespace, type=Claim)]
    velero = await velero_namespace(reader, str(params.get("velero", "")))
    return Plan(
        kind=KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=namespace,
        title=f"Choose the newest usable point of {namespace}",
        danger=Danger.SAFE,
        params={"velero": velero, "namespace": namespace, "claims": sorted(claims)},
        steps=(),
        made=rfc3339(clock.now()),
    )


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    return (Choose(plan.params),)


class Choose(BaseStep):
    """Newest first, each point is judged; its volume list is read only if nothing else speaks against it."""

    name, title = "point.choose", "Choose the newest usable point"
    poll, limit = 1.0, 300.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.velero, self.params = str(params["velero"]), params

    async def observe(self, context: StepContext) -> Observation:
        name = context.facts.get("point.name")
        if name is None:
            return Observation(Seen.ABSENT)
        passed = context.facts.get("point.passed") or ()
        over = f"; {len(passed)} newer passed over" if passed else ""
        return Observation(Seen.DONE, f"{name}, begun {context.facts.get('point.start')}{over}")

    async def act(self, context: StepContext) -> None:
        claims = context.facts.get("wanted.claims") or self.params.get("claims") or ()
        wanted = Wanted(str(self.params["namespace"]), claims=tuple(map(str, claims)))
        choice, others = await self._choose(context, wanted)
        for view in choice.passed:
            await context.say(f"passed over {view.name}: {'; '.join(view.reasons)}")
        if choice.point is None:
            why = "; ".join(f"{view.name}: {', '.join(view.reasons)}" for view in choice.passed[:3])
            hint = why or "no backup includes this namespace"
            raise StepStopped(f"there is no usable point of {wanted}", hint=hint, park=True)
        await context.say(f"chosen by the rule of the newest usable point: {choice.point.name}")
        facts = {
            "point.name": choice.point.name,
            "point.start": choice.point.start,
            "point.location": choice.point.location,
            "point.rule": choice.rule,
            "point.passed": [_plain(view) for view in choice.passed],
            "point.others": [_plain(view) for view in others],
        }
        await context.remember(**facts)

    async def _choose(self, context: StepContext, wanted: Wanted) -> tuple[Choice, list[PointView]]:
        """The choice, and the points after it as they were judged without reading more."""
        reader = context.reader
        backups = newest_first(await reader.list(BACKUPS, self.velero, type=Backup))
        places = {place.metadata.name: place for place in await reader.list(LOCATIONS, self.velero, type=Location)}
        copies = _by_backup(await listed_copies(reader, self.velero, POD_VOLUME_BACKUPS, DATA_UPLOADS))
        coverages: dict[str, Coverage] = {}
        known = Known(context.clock.now(), places, coverages)
        judged: list[PointView] = []
        rest: list[Backup] = []
        downloads = 0
        for index, backup in enumerate(backups):
            if not takes_namespace(backup.spec, wanted.namespace):
                continue
            own = copies.get(names.label_value(backup.metadata.name), ())
            bare = Wanted(wanted.namespace)
            worth = usability(backup, bare, known).usable is True and downloads < MOST_DOWNLOADS
            infos = await self._infos(context, backup) if worth and wanted.claims else None
            downloads += worth
            coverages[backup.metadata.name] = coverage(infos, own)
            judged.append(usability(backup, wanted, known))
            if judged[-1].usable is True:
                rest = backups[index + 1 :]
                break
        for backup in rest:
            coverages[backup.metadata.name] = coverage(None, copies.get(names.label_value(backup.metadata.name), ()))
        others = [view for view, _ in zip(views(rest, wanted, known), range(_OTHERS), strict=False)]
        return first_usable(judged), others

    async def _infos(self, context: StepContext, backup: Backup) -> tuple[VolumeInfo, ...] | None:
        try:
            data = await artefacts.download(
                context, self.velero, "BackupVolumeInfos", backup.metadata.name, owner=context.op
            )
            return parse_volume_infos(data)
        except artefacts.ArtefactError as error:
            await context.say(f"volume list of {backup.metadata.name}: {error.what}")
        except VolumeInfoError as error:
            await context.say(f"volume list of {backup.metadata.name}: {error}")
        return None


def _by_backup(copies: Sequence[VolumeCopy]) -> dict[str, list[VolumeCopy]]:
    found: dict[str, list[VolumeCopy]] = {}
    for copy in copies:
        found.setdefault(copy.metadata.label(names.BACKUP_NAME_LABEL), []).append(copy)
    return found


def _plain(view: PointView) -> dict[str, Any]:
    return {"name": view.name, "start": view.start, "usable": view.usable, "reasons": list(view.reasons)}
