"""One cluster as the engine last saw it: every kind followed on its own, published by topic.

A kind that cannot be read (403) fails alone, with its reason; a cluster that does not answer leaves its data in place
with its age. Nothing here is ever the ground of a decision that destroys: steps read again (design.md §5).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import msgspec

from lazarus_tui.engine.hub import Hub
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import Ambiguous, KubeError, NotFound, NotSent
from lazarus_tui.kube.watch import Batch
from lazarus_tui.model import resources as r
from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.objects import Backup, Claim, Location, Restore, Schedule, VolumeCopy, Workload
from lazarus_tui.model.resources import Resource
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS, Content, Snapshot
from lazarus_tui.model.topics import Topic, WorkloadRow

log = logging.getLogger(__name__)

# Seconds between two computations of the Overview at least, and the period in which time alone changes it.
OVERVIEW_GAP, OVERVIEW_PERIOD = 1.0, 60.0
# How many times its CPU time an Overview rests: at most a tenth of a core, however many backups there are.
OVERVIEW_REST = 9.0
# Seconds before a watcher that died of a defect is started again: doubled from the first to the last.
RESTART_FIRST, RESTART_LAST = 1.0, 60.0
# Seconds after which a cluster without a Velero is asked for one again.
LOOK_AGAIN = 30.0

NO_VELERO = "no Velero found in this cluster"
NO_VELERO_HINT = "install Velero, or name its namespace in the settings (velero.namespace)"
SEVERAL_HINT = "choose one in the settings: velero.namespace"


Aside = Callable[[Callable[[], Iterable[WorkloadRow]]], Awaitable[Iterable[WorkloadRow]]]


class Follow(Protocol):
    """``kube.watch.follow``."""

    def __call__(
        self, cluster: Cluster, resource: Resource, namespace: str | None, *, type: type[Any]
    ) -> AsyncIterator[Batch[Any]]: ...


@dataclass(frozen=True, slots=True)
class Source:
    """One kind to follow. ``topic`` "": it only feeds the Overview; ``optional``: the server may not serve it.

    ``absent`` says that then, beside a topic that is ready and empty.
    """

    resource: Resource
    type: type[Any]
    topic: str = ""
    velero: bool = True
    optional: bool = False
    absent: str = ""

    def key(self, name: str) -> str:
        """The key in the topic of the object ``namespace/name``; volume copies of four kinds share one topic."""
        short = name.partition("/")[2] if self.velero else name
        return f"{self.resource.plural}/{short}" if self.topic == Topic.COPIES else short


NO_SNAPSHOTS = "this cluster has no snapshot API (snapshot.storage.k8s.io)"

SOURCES: tuple[Source, ...] = (
    Source(r.BACKUPS, Backup, Topic.BACKUPS),
    Source(r.SCHEDULES, Schedule, Topic.SCHEDULES),
    Source(r.RESTORES, Restore, Topic.RESTORES),
    Source(r.LOCATIONS, Location, Topic.LOCATIONS),
    Source(r.POD_VOLUME_BACKUPS, VolumeCopy, Topic.COPIES, optional=True),
    Source(r.POD_VOLUME_RESTORES, VolumeCopy, Topic.COPIES, optional=True),
    Source(r.DATA_UPLOADS, VolumeCopy, Topic.COPIES, optional=True),
    Source(r.DATA_DOWNLOADS, VolumeCopy, Topic.COPIES, optional=True),
    Source(r.STATEFULSETS, Workload, velero=False),
    Source(r.DEPLOYMENTS, Workload, velero=False),
    Source(r.CLAIMS, Claim, velero=False),
    Source(SNAPSHOTS, Snapshot, Topic.SNAPSHOTS, velero=False, optional=True, absent=NO_SNAPSHOTS),
    Source(CONTENTS, Content, Topic.SNAPSHOT_CONTENTS, velero=False, optional=True, absent=NO_SNAPSHOTS),
)


@dataclass
class _Kind:
    """What is known of one source."""

    source: Source
    records: dict[str, Any] = field(default_factory=dict)
    state: str = "loading"
    reason: str = ""
    hint: str = ""
    as_of: str = ""


@dataclass(frozen=True, slots=True)
class Sight:
    """Everything the Overview is computed from, as last seen."""

    now: datetime
    workloads: Sequence[Workload]
    claims: Sequence[Claim]
    backups: Sequence[Backup]
    schedules: Sequence[Schedule]
    restores: Sequence[Restore]
    locations: Sequence[Location] | None  # None: they could not be read
    copies: Mapping[str, VolumeCopy]  # by "<plural>/<name>"
    velero: str = ""  # Velero's namespace
    rule: str = "velero"  # how its server reads cron lines (model/cron.py)
    unlisted: frozenset[str] = frozenset()  # of what is needed those that could not be listed
    snapshots: Sequence[Snapshot] = ()
    contents: Sequence[Content] = ()


class Mirror:
    """Follows one cluster while ``run`` runs.

    ``velero`` is the namespace to follow, "" with ``several`` naming the candidates or with none. ``overview`` gives,
    for what is seen, the work that makes the rows; ``aside`` does it off the loop. ``heard(reason, hint)`` is told
    whether the cluster answers (``words`` may say better why not), ``shown(rows)`` what the Overview says now;
    ``beside`` runs as long as the rest. Without a Velero the run ends after a while: whoever started it looks again.
    """

    def __init__(
        self,
        hub: Hub,
        clock: Clock,
        cluster: Cluster,
        context: str,
        *,
        velero: str,
        several: Sequence[str] = (),
        rule: str = "velero",
        follow: Follow,
        overview: Callable[[Sight], Callable[[], Iterable[WorkloadRow]]],
        heard: Callable[[str, str], None] = lambda reason, hint: None,
        words: Callable[[str, str], tuple[str, str]] = lambda reason, hint: (reason, hint),
        shown: Callable[[Sequence[WorkloadRow]], None] = lambda rows: None,
        beside: Callable[[], Coroutine[Any, Any, None]] | None = None,
        aside: Aside = asyncio.to_thread,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        self._hub, self._clock, self._cluster, self._context = hub, clock, cluster, context
        self._velero, self._several, self._rule = velero, tuple(several), rule
        self._follow, self._overview, self._heard, self._aside = follow, overview, heard, aside
        self._kinds = {source.resource.plural: _Kind(source) for source in SOURCES}
        self._cpu, self._took = cpu, 0.0
        self._shown, self._beside, self._words = shown, beside, words
        self._dirty = asyncio.Event()

    def topic(self, name: str) -> str:
        return f"{name}/{self._context}"

    def touch(self) -> None:
        """Something the Overview shows has changed outside the cluster (a verdict): compute it again soon."""
        self._dirty.set()

    def records(self, resource: Resource) -> Mapping[str, Any]:
        """What is known of a kind, by topic key. For display only."""
        return self._kinds[resource.plural].records

    def trouble(self, resource: Resource) -> str:
        """Why what is known of a kind is not all there is now, in words; "" when it is."""
        kind = self._kinds[resource.plural]
        return kind.reason or ("" if kind.state == "ready" else f"{resource.plural} were not listed yet")

    async def run(self) -> None:
        """Until cancelled (with a Velero); a kind that fails never ends the others."""
        for topic in (Topic.OVERVIEW, *dict.fromkeys(source.topic for source in SOURCES if source.topic)):
            self._hub.open(self.topic(topic))
        tasks = [asyncio.create_task(self._keep_overview(), name=f"{self._context} overview")]
        if self._beside is not None:
            tasks.append(asyncio.create_task(self._beside(), name=f"{self._context} beside"))
        for kind in self._kinds.values():
            if kind.source.velero and not self._velero:
                self._no_velero(kind)
            else:
                name = f"{self._context} {kind.source.resource.plural}"
                tasks.append(asyncio.create_task(self._keep(kind), name=name))
        if not self._velero:
            tasks.append(asyncio.create_task(self._clock.sleep(LOOK_AGAIN)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # a defect is for whoever started the run, who logs it and starts another
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _no_velero(self, kind: _Kind) -> None:
        reason = f"several Veleros found: {', '.join(self._several)}" if self._several else NO_VELERO
        self._failed(kind, "failed", reason, SEVERAL_HINT if self._several else NO_VELERO_HINT)

    async def _keep(self, kind: _Kind) -> None:
        """Follow one kind for ever; a defect in it is logged, shown, and tried again later."""
        pause = RESTART_FIRST
        while True:
            try:
                await self._follow_one(kind)
            except KubeError as error:
                self._lost(kind, error)
            except Exception as error:
                log.exception("%s: following %s", self._context, kind.source.resource.plural)
                self._failed(kind, "stale", f"unexpected {type(error).__name__} in the engine", "see engine.log")
            await self._clock.sleep(pause)
            pause = min(RESTART_LAST, pause * 2)

    async def _follow_one(self, kind: _Kind) -> None:
        source = kind.source
        namespace = self._velero if source.velero else None
        batches = self._follow(self._cluster, source.resource, namespace, type=source.type)
        async for batch in batches:
            if batch.kind == "stale":
                self._lost(kind, batch.error or KubeError(batch.reason))
            else:
                self._news(kind, batch)

    def _news(self, kind: _Kind, batch: Batch[Any]) -> None:
        source = kind.source
        items = {source.key(f"{i.metadata.namespace}/{i.metadata.name}"): i for i in batch.items}
        if source.type is Workload:
            # Items of a list do not say their kind.
            items = {key: msgspec.structs.replace(item, kind=source.resource.kind) for key, item in items.items()}
        removed = [source.key(name) for name in batch.removed]
        kind.records.update(items)
        for key in removed:
            kind.records.pop(key, None)
        kind.as_of = rfc3339(self._clock.now())
        if source.topic:
            self._hub.publish(self.topic(source.topic), items, removed, as_of=kind.as_of)
        if batch.complete and (kind.state != "ready" or kind.reason):
            kind.state, kind.reason, kind.hint = "ready", "", ""
            self._dirty.set()
        self._show_state(source.topic)
        if items or removed:
            self._dirty.set()
        self._heard("", "")

    def _lost(self, kind: _Kind, error: KubeError) -> None:
        source = kind.source
        if isinstance(error, NotFound) and source.optional:
            # This server has no such kind: there are none, which is an answer.
            kind.state, kind.reason, kind.hint = "ready", source.absent, ""
            self._show_state(source.topic)
            self._dirty.set()
            return
        state = "stale" if kind.as_of else "failed"
        if isinstance(error, NotFound) and source.velero:
            self._failed(kind, state, NO_VELERO, NO_VELERO_HINT)
            return
        reason, hint = error.message, error.hint
        if isinstance(error, Ambiguous | NotSent):
            reason, hint = self._words(reason, hint)
            self._heard(reason, hint)
        self._failed(kind, state, reason, hint)

    def _failed(self, kind: _Kind, state: str, reason: str, hint: str) -> None:
        if state == "stale" and not kind.as_of:
            state = "failed"
        kind.state, kind.reason, kind.hint = state, reason, hint
        self._show_state(kind.source.topic)
        self._dirty.set()

    def _show_state(self, topic: str) -> None:
        """A topic of several kinds is as bad as the worst of them, unless others of it can be shown."""
        if not topic:
            return
        kinds = [kind for kind in self._kinds.values() if kind.source.topic == topic]
        states = {kind.state for kind in kinds}
        bad = next((kind for kind in kinds if kind.reason), None)
        reason, hint = (bad.reason, bad.hint) if bad else ("", "")
        if "loading" in states:
            state = "loading"
        elif states == {"failed"}:
            state = "failed"
        else:
            state = "stale" if "stale" in states else "ready"
        if state == "loading":
            reason = hint = ""
        as_of = min((kind.as_of for kind in kinds if kind.as_of), default="")
        self._hub.set_state(self.topic(topic), state, reason=reason, hint=hint, as_of=as_of)

    # --- the Overview

    async def _keep_overview(self) -> None:
        while True:
            self._dirty.clear()
            shown = True
            try:
                shown = await self._show_overview()
            except Exception as error:
                log.exception("%s: overview", self._context)
                reason = f"unexpected {type(error).__name__} in the engine"
                self._hub.set_state(self.topic(Topic.OVERVIEW), "failed", reason=reason, hint="see engine.log")
            if shown:  # while lists are still coming the next look is free
                await self._clock.sleep(max(OVERVIEW_GAP, self._took * OVERVIEW_REST))
            await self._until_dirty(OVERVIEW_PERIOD - OVERVIEW_GAP)

    async def _until_dirty(self, seconds: float) -> None:
        tick = asyncio.create_task(self._clock.sleep(seconds))
        dirty = asyncio.create_task(self._dirty.wait())
        try:
            await asyncio.wait({tick, dirty}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (tick, dirty):
                task.cancel()
            await asyncio.gather(tick, dirty, return_exceptions=True)

    async def _show_overview(self) -> bool:
        """False while what it needs is still loading."""
        topic = self.topic(Topic.OVERVIEW)
        needed = [self._kinds[x.plural] for x in (r.STATEFULSETS, r.DEPLOYMENTS, r.BACKUPS, r.SCHEDULES, r.LOCATIONS)]
        needed.append(self._kinds[r.CLAIMS.plural])
        if any(kind.state == "loading" for kind in needed):
            self._hub.set_state(topic, "loading")
            return False
        bad = next((kind for kind in needed if kind.reason), None)
        reason, hint = (bad.reason, bad.hint) if bad else ("", "")
        workloads = needed[:2]
        if all(kind.state == "failed" for kind in workloads):
            self._hub.set_state(topic, "failed", reason=workloads[0].reason, hint=workloads[0].hint)
            return True
        # Pure, and long with many backups: beside the event loop, which has leases and consoles to serve.
        found = list(await self._aside(self._timed(self._overview(self.sight()))))
        rows = {f"{row.namespace}/{row.kind}/{row.name}": row for row in found}
        as_of = min((kind.as_of for kind in needed if kind.as_of), default="")
        self._hub.replace(topic, rows, as_of=as_of)
        state = "stale" if any(kind.state == "stale" for kind in needed) else "ready"
        self._hub.set_state(topic, state, reason=reason, hint=hint, as_of=as_of)
        self._shown(found)
        return True

    def _timed(self, work: Callable[[], Iterable[WorkloadRow]]) -> Callable[[], Iterable[WorkloadRow]]:
        """``work``, with its CPU time kept: on a busy machine the wall says nothing about what it costs."""

        def timed() -> Iterable[WorkloadRow]:
            began = self._cpu()
            rows = list(work())
            self._took = self._cpu() - began
            return rows

        return timed

    def sight(self) -> Sight:
        """Everything known now."""
        told = (r.BACKUPS, r.SCHEDULES, r.LOCATIONS, r.CLAIMS)
        unlisted = {kind.plural for kind in told if self._kinds[kind.plural].state == "failed"}
        copies: dict[str, VolumeCopy] = {}
        for kind in self._kinds.values():
            if kind.source.topic == Topic.COPIES:
                copies.update(kind.records)
        return Sight(
            now=self._clock.now(),
            workloads=[*self.records(r.STATEFULSETS).values(), *self.records(r.DEPLOYMENTS).values()],
            claims=list(self.records(r.CLAIMS).values()),
            backups=list(self.records(r.BACKUPS).values()),
            schedules=list(self.records(r.SCHEDULES).values()),
            restores=list(self.records(r.RESTORES).values()),
            locations=None if r.LOCATIONS.plural in unlisted else list(self.records(r.LOCATIONS).values()),
            copies=copies,
            velero=self._velero,
            rule=self._rule,
            unlisted=frozenset(unlisted),
            snapshots=list(self.records(SNAPSHOTS).values()),
            contents=list(self.records(CONTENTS).values()),
        )
