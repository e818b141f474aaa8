"""The operations on a StatefulSet and its sets that are made to suffer, and what their ends promise."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui import snapshots
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.resources import CLAIMS, CONFIGMAPS
from lazarus_tui.model.snapshots import SNAPSHOTS
from lazarus_tui.snapshots.names import OP
from tests.crash.invariants import Watcher
from tests.snapshots.stage import SPACE, Stage


@dataclass(frozen=True)
class Scene:
    """``after``: a restore that ended well comes first, in peace; ``undo``: it is what is taken back."""

    kind: str
    params: dict[str, Any] = field(default_factory=dict)
    replicas: int = 2
    after: bool = False
    undo: bool = False
    capsule: bool = False


SCENES = {
    "take": Scene(snapshots.taking.KIND, {"name": "s9", "together": "each"}),
    "restore": Scene(snapshots.inplace.KIND, capsule=True),
    "one replica": Scene(snapshots.inplace.KIND, {"ordinal": 1}, capsule=True),
    "undo": Scene(snapshots.inplace.KIND, after=True, undo=True, capsule=True),
    "release": Scene(snapshots.release.KIND, after=True),
    "prune": Scene(snapshots.prune.KIND, {"keep_last": 1}),
}


async def laid_out(scene: Scene, stage: Stage) -> None:
    """The volumes say "after", the newest set holds "before"; a pruning has an older one to take."""
    stage.write("before")
    if scene.kind == snapshots.prune.KIND:
        await stage.cut("s0")
    await stage.cut("s1")
    stage.write("after")


@dataclass(frozen=True)
class Before:
    """What there was before the first restore: volumes by claim, and everything on storage."""

    volumes: dict[str, str]
    handles: set[str]

    @classmethod
    def of(cls, stage: Stage) -> Before:
        return cls({claim: stage.claim(claim)["spec"]["volumeName"] for claim in stage.data()}, stage.handles())


def watcher(scene: Scene, stage: Stage, before: Before) -> Watcher:
    """Sees what is lost, and knows what each operation removes by design."""
    found = Watcher(stage)
    if scene.undo:  # the restored ones go, and only they
        found.handles, found.volumes = before.handles, before.volumes
    elif scene.after:  # the old ones go, and only they
        found.handles = found.handles - before.handles
    return found


def orphans(stage: Stage, known: Collection[str]) -> Iterator[str]:
    """I3: objects of operations nobody knows; ``known`` are beginnings of ids."""
    for resource in (SNAPSHOTS, CONFIGMAPS, CLAIMS):
        for found in stage.api.list(resource, SPACE):
            owner = (found["metadata"].get("labels") or {}).get(OP)
            if owner and owner not in known:
                yield f"I3 {resource.plural} {found['metadata']['name']} belongs to no operation"


def judged(scene: Scene, stage: Stage, watch: Watcher, ended: Operation, known: Collection[str]) -> Iterator[str]:
    """Everything that must hold when an operation has ended."""
    if ended.state.open:
        yield f"I9 it stays {ended.state.value}: {ended.message}"
        return
    yield from (line for line in watch.at_the_end(stage, ended) if not line.startswith("I3"))
    yield from orphans(stage, known)
    yield from _content(scene, stage, watch, ended)


def _content(scene: Scene, stage: Stage, watch: Watcher, ended: Operation) -> Iterator[str]:
    """I9: the sets and the bytes are those the end promises."""
    done = ended.state is OpState.DONE
    usable, every = {one.id for one in stage.sets() if one.usable}, {one.id for one in stage.sets()}
    if scene.kind == snapshots.taking.KIND:
        if done is not ("s9" in usable):
            yield f"I9 {ended.state.value}, but the usable sets are {usable}"
        return
    if scene.kind == snapshots.prune.KIND:
        if not every == usable == {"s1"}:
            yield f"I9 {ended.state.value}, but the sets left are {every}"
        return
    released = scene.kind == snapshots.release.KIND
    if released and stage.handles() != watch.handles:
        yield f"I9 released, and volumes are left: {stage.handles() - watch.handles}"
    ordinal, went_back = scene.params.get("ordinal"), (done and not scene.undo) or released
    wanted = {}
    for claim in watch.volumes:
        part = ordinal is None or claim.endswith(f"-{ordinal}")
        wanted[claim] = f"{'before' if went_back and part else 'after'} {claim}"
    there = {claim: text for claim, text in stage.data().items() if claim in wanted}
    if there != wanted:
        yield f"I9 {ended.state.value}, but the volumes say {stage.data()}"
