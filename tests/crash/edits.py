"""Somebody edits what a restore works on, at every step: it stops with a diff or goes on, and forces nothing.

``python -m tests.crash.edits``; its last line is one JSON object of counts. ``QUICK=1`` takes every 10th.
"""

from __future__ import annotations

import asyncio
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.resources import CLAIMS, PODS, STATEFULSETS, VOLUMES
from lazarus_tui.model.snapshots import SNAPSHOTS
from tests.crash.operations import SCENES
from tests.crash.ordeal import Hardship, Ordeal, Told
from tests.crash.tally import Case, tallied
from tests.engine.world import WRITES, Engine
from tests.snapshots.stage import NAME, SPACE, Object, Stage, merged, staged

# Operations a person can meddle with at length, and a claim that both work on.
NAMES = ("restore", "undo")
CLAIM, MANY = "data-db-1", 5
BEGINS, WRITES_FIRST = "begins", "writes"
Moment = tuple[str, str]


class Edit(Hardship, ABC):
    """What one person does, once; ``stands`` says whether it is still as they left it."""

    name = ""

    @abstractmethod
    def make(self, stage: Stage) -> bool:
        """False where there is nothing to edit."""

    def stands(self, stage: Stage) -> bool:
        return True

    # --- when

    def __init__(self, moment: Moment | None = None) -> None:
        self.moment, self.moments = moment, list[Moment]()
        self.mended = False

    def begin(self, engine: Engine, stage: Stage) -> None:
        async def before(request: HttpRequest) -> None:
            for execution in engine.runner._running.values():
                if execution.gate is not None and execution.gate.step:
                    await self._at((execution.gate.step, BEGINS), stage)
                    if request.method in WRITES and "/leases" not in request.path and "reviews" not in request.path:
                        await self._at((execution.gate.step, WRITES_FIRST), stage)

        engine.wire.before = before

    async def _at(self, moment: Moment, stage: Stage) -> None:
        if moment in self.moments:
            return
        self.moments.append(moment)
        if moment == self.moment and self.make(stage):
            self.hits += 1
            await stage.quiet()

    # --- what must hold

    def seen(self, parked: Operation, stage: Stage) -> Sequence[str]:
        return [*super().seen(parked, stage), *self._overwritten(stage)]

    def ended(self, done: Operation, stage: Stage) -> Sequence[str]:
        return self._overwritten(stage)

    def _overwritten(self, stage: Stage) -> list[str]:
        if not self.hits or self.mended or self.stands(stage):
            return []
        return [f"somebody's edit ({self.name}) was overwritten"]


def _patch(stage: Stage, resource: Any, name: str, body: Object) -> bool:
    where = SPACE if resource.namespaced else None
    if stage.get(resource, name) is None:
        return False
    stage.api.patch(resource, name, body, where)
    return True


class Nobody(Edit):
    """Edits nothing: it only sees at which moments somebody could."""

    def make(self, stage: Stage) -> bool:
        return False


class Scales(Edit):
    name = "scales"

    def make(self, stage: Stage) -> bool:
        self.was = stage.workload()["spec"]["replicas"]
        return _patch(stage, STATEFULSETS, NAME, {"spec": {"replicas": MANY}})

    def stands(self, stage: Stage) -> bool:
        return bool(stage.workload()["spec"]["replicas"] == MANY)

    async def mend(self, stage: Stage) -> None:
        """As the message asks: the old number again, and away with the claims that the controller made of nothing."""
        if self.stands(stage):
            _patch(stage, STATEFULSETS, NAME, {"spec": {"replicas": self.was}})
        await _settled(stage, self.was)
        _remove_blank(stage, self)
        await stage.quiet()
        self.mended = True

    def blameless(self, line: str, stage: Stage) -> bool:
        return f"{MANY} replicas" in line or line.startswith("I6")


async def _settled(stage: Stage, replicas: int) -> None:
    await stage.until(lambda: len(stage.pods()) <= max(replicas, 0), "the pods above the number have gone")


def _remove_blank(stage: Stage, edit: Edit) -> None:
    for claim in stage.api.list(CLAIMS, SPACE):
        name, spec = claim["metadata"]["name"], claim["spec"]
        known = spec.get("volumeName") in edit.watch.volumes.values()
        if name in edit.watch.blank and not spec.get("dataSourceRef") and not known:
            stage.api.delete(CLAIMS, name, SPACE)


class EndsPod(Edit):
    name = "deletes a pod"

    def make(self, stage: Stage) -> bool:
        if "db-0" not in stage.pods():
            return False
        stage.api.delete(PODS, "db-0", SPACE)
        return True


class RemovesSnapshot(Edit):
    name = "deletes a snapshot"

    def make(self, stage: Stage) -> bool:
        if stage.get(SNAPSHOTS, f"s1-{CLAIM}") is None:
            return False
        stage.api.delete(SNAPSHOTS, f"s1-{CLAIM}", SPACE)
        return True

    def stands(self, stage: Stage) -> bool:
        found = stage.get(SNAPSHOTS, f"s1-{CLAIM}")
        return found is None or bool(found["metadata"].get("deletionTimestamp"))

    async def mend(self, stage: Stage) -> None:
        self.takes_back = True  # what is to be restored is gone for good


class Template(Edit):
    name = "changes the template"

    def make(self, stage: Stage) -> bool:
        return _patch(stage, STATEFULSETS, NAME, {"spec": {"template": {"metadata": {"annotations": {"who": "me"}}}}})

    def stands(self, stage: Stage) -> bool:
        return merged(stage.workload(), "spec", "template", "metadata", "annotations", "who") == "me"


class BlankClaim(Edit):
    name = "makes an empty claim"

    def make(self, stage: Stage) -> bool:
        if stage.get(CLAIMS, CLAIM) is not None:
            return False
        spec = {"accessModes": ["ReadWriteOnce"], "storageClassName": "standard",
                "resources": {"requests": {"storage": "64Mi"}}}  # fmt: skip
        self.uid = stage.api.create(CLAIMS, {"metadata": {"name": CLAIM}, "spec": spec}, SPACE)["metadata"]["uid"]
        return True

    def stands(self, stage: Stage) -> bool:
        found = stage.get(CLAIMS, CLAIM)
        return found is not None and found["metadata"]["uid"] == self.uid

    async def mend(self, stage: Stage) -> None:
        if self.stands(stage):
            stage.api.delete(CLAIMS, CLAIM, SPACE)
            await stage.quiet()
        self.mended = True

    def blameless(self, line: str, stage: Stage) -> bool:
        return line.startswith("I6")


class Reclaims(Edit):
    name = "has the old volume deleted when it is free"

    def make(self, stage: Stage) -> bool:
        self.volume = self.watch.volumes[CLAIM]
        found = stage.get(VOLUMES, self.volume)
        if found is None or found["spec"]["persistentVolumeReclaimPolicy"] == "Delete":
            return False
        self.free = (found.get("status") or {}).get("phase") != "Bound"  # then it is this very edit that deletes it
        self.handle = stage.cluster.volumes.path(found).name
        return _patch(stage, VOLUMES, self.volume, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})

    def stands(self, stage: Stage) -> bool:
        found = stage.get(VOLUMES, self.volume)
        return found is None or found["spec"]["persistentVolumeReclaimPolicy"] == "Delete"

    async def mend(self, stage: Stage) -> None:
        if not _patch(stage, VOLUMES, self.volume, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}}):
            self.gone = True
        self.mended = True

    gone = False

    def blameless(self, line: str, stage: Stage) -> bool:
        """A free volume goes at once; nobody but that person could have kept it, and it must be said."""
        return bool(self.hits) and self.free and (line == f"I1 volumes lost: {[self.handle]}" or self.gone)


class Labels(Edit):
    name = "labels a claim"

    def make(self, stage: Stage) -> bool:
        found = stage.get(CLAIMS, CLAIM)
        if found is None:
            return False
        self.volume = found["spec"].get("volumeName")
        return _patch(stage, CLAIMS, CLAIM, {"metadata": {"labels": {"team": "blue"}}})

    def stands(self, stage: Stage) -> bool:
        """A label of a restored claim goes with it when the restore is taken back."""
        found = stage.get(CLAIMS, CLAIM)
        made = self.watch.volumes[CLAIM] == self.volume
        return not made or merged(found or {}, "metadata", "labels", "team") == "blue"

    async def mend(self, stage: Stage) -> None:
        """The message shows the difference; a person takes it away again."""
        _patch(stage, CLAIMS, CLAIM, {"metadata": {"labels": {"team": None}}})
        self.mended = True


EDITS: dict[str, type[Edit]] = {
    edit.name: edit for edit in (Scales, EndsPod, RemovesSnapshot, Template, BlankClaim, Reclaims, Labels)
}


async def case(name: str, edit: Edit) -> Told:
    scene = SCENES[name]
    async with staged(replicas=scene.replicas) as (stage, engine):
        return await Ordeal(scene, stage, engine, edit).run()


def work(given: tuple[str, str, Moment]) -> Case:
    name, edit, moment = given
    told = asyncio.run(case(name, EDITS[edit](moment)))
    return Case(f"{name}, somebody {edit} when {moment[0]} {moment[1]}", told)


def everything(stride: int) -> list[tuple[str, str, Moment]]:
    found = []
    for name in NAMES:
        nobody = Nobody()
        asyncio.run(case(name, nobody))
        found += [(name, edit, moment) for moment in nobody.moments for edit in EDITS]
    return found[::stride]


if __name__ == "__main__":
    sys.exit(tallied("edits", work, everything))
