"""What this engine does by itself: stored policies, proofs, and the objects of the contexts that the settings name."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from lazarus_tui.config import Settings
from lazarus_tui.engine.contexts import Contexts
from lazarus_tui.engine.election import Posts
from lazarus_tui.engine.hub import Hub
from lazarus_tui.engine.lease import holder_name
from lazarus_tui.engine.metrics.owed import Owed
from lazarus_tui.engine.metrics.tally import Subject
from lazarus_tui.engine.mirror import Mirror
from lazarus_tui.engine.object_status import Telling
from lazarus_tui.engine.policies import Policies
from lazarus_tui.engine.policy_calls import PolicyCalls
from lazarus_tui.engine.policy_objects import Objects
from lazarus_tui.engine.policy_restores import Restores
from lazarus_tui.engine.proof_book import ProofBook, Stored
from lazarus_tui.engine.proof_calls import ProofCalls
from lazarus_tui.engine.proof_objects import ProofObjects
from lazarus_tui.engine.proof_runs import ProofRuns
from lazarus_tui.engine.proof_topics import PolicyTopics
from lazarus_tui.engine.runner import Runner
from lazarus_tui.engine.scheduler import Scheduler
from lazarus_tui.engine.supervisor import Work
from lazarus_tui.journal import Journal, JournalError
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.link.codec import LinkFault
from lazarus_tui.model.clock import Clock, parse_rfc3339
from lazarus_tui.model.cron import CronError
from lazarus_tui.model.objects import Backup, Schedule
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.proof_policies import State
from lazarus_tui.model.resources import BACKUPS, SCHEDULES
from lazarus_tui.model.schedules import next_run

Planning = Callable[[str, str, Mapping[str, Any]], Awaitable[Plan]]  # kind, context, params


class Timetable:
    """``methods`` is what the link may ask about it. ``agreed`` plans what a policy was agreed to beforehand."""

    def __init__(
        self, journal: Journal, runner: Runner, clock: Clock, contexts: Contexts, settings: Settings, *,
        hub: Hub, mirrors: Mapping[str, Mirror], plan: Planning, agreed: Planning,
    ) -> None:  # fmt: skip
        self._contexts, self._mirrors, self._clock, clusters = contexts, mirrors, clock, contexts.cluster_for
        news = asyncio.Event()
        self._policies, self._book, telling = (
            Policies(journal, clock),
            ProofBook(journal, clock, news.set),
            Telling(journal, clock),
        )
        posts = Posts(holder_name(journal.path), clock, self._velero_of)
        self._proofs = ProofRuns(
            self._book, runner, journal, clock, plan=agreed, clusters=clusters,
            backups=self._backups, schedules=self._schedules, posts=posts,
        )  # fmt: skip
        self._scheduler = Scheduler(
            self._policies, runner, journal, clock, plan=plan, clusters=clusters, proofs=self._proofs
        )
        wake = self._scheduler.wake
        restores = Restores(
            runner, journal, clock, telling, plan=plan, in_place=settings.policies.restore_in_place
        )  # fmt: skip
        velero = self._velero_of
        tests = ProofObjects(self._book, journal, clock, telling, velero=velero, wake=wake, posts=posts)
        self._objects = Objects(
            self._policies, restores, telling, clock, contexts=settings.policies.run_objects, clusters=clusters,
            wake=wake, proofs=tests,
        )  # fmt: skip
        self._calls = PolicyCalls(
            self._policies, reader=contexts.reader, plan=plan, wake=wake, why=self._objects.why
        )  # fmt: skip
        self.proofs = ProofCalls(
            self._proofs, clock, reader=contexts.reader, wake=wake, velero=velero,
            sinks={sink.name: sink.policies for sink in settings.notify.sinks},
        )  # fmt: skip
        self.shown = PolicyTopics(hub, clock, news, rows=self.proofs.rows, queue=self.proofs.queue)

    def _backups(self, context: str) -> Sequence[Backup]:
        """As last seen; raises ``KubeError`` where that is not all there is: nothing that completed is overlooked."""
        mirror = self._mirrors.get(context)
        if why := mirror.trouble(BACKUPS) if mirror is not None else f"context {context} is not connected":
            raise KubeError(f"whether a backup completed is not known: {why}")
        assert mirror is not None
        return tuple(mirror.records(BACKUPS).values())

    def _schedules(self, context: str) -> tuple[Sequence[Schedule], str]:
        """Velero's, as last seen, and how its server reads cron lines; raises ``KubeError`` where that is not known."""
        mirror = self._mirrors.get(context)
        if why := mirror.trouble(SCHEDULES) if mirror is not None else f"context {context} is not connected":
            raise KubeError(why)
        assert mirror is not None
        known = self._contexts.connection(context).identity
        return tuple(mirror.records(SCHEDULES).values()), known.cron_rule if known is not None else "velero"

    def _velero_of(self, context: str) -> str:
        return self._contexts.connection(context).row.velero_namespace

    @property
    def methods(self) -> Mapping[str, tuple[type[Any], Callable[[Any, Any], Awaitable[Any]]]]:
        return {**self._calls.methods, **self.proofs.methods}

    async def load(self) -> None:
        """Read what is stored, before any of ``work`` begins."""
        await self._policies.load()
        await self._proofs.load()
        await self._objects.load()

    def work(self) -> dict[str, Work]:
        """What is to be kept going, by what it is called."""
        connect, found = self._contexts.use, {"the telling of policies and queue": self.shown.run}
        found["the scheduler"] = partial(self._scheduler.run, connect)
        if self._objects.contexts:
            found["the look at objects of policies"] = partial(self._objects.run, connect)
        return found

    async def follow(self) -> None:
        """Evidence was written late: what is proven by itself stands as its records say now."""
        with contextlib.suppress(JournalError):  # the next look does it
            await self._proofs.follow()

    def waiting(self) -> dict[str, list[datetime]]:
        """Since when proofs wait for their turn, by context; a context in use without any has none."""
        found: dict[str, list[datetime]] = {context: [] for context in self._contexts.in_use}
        for one in self._book.open():
            if one.state is State.WAITING:
                found.setdefault(one.context, []).append(parse_rfc3339(one.queued))
        return found

    def owed(self) -> dict[tuple[str, str], Owed]:
        """By context and name of each policy that runs by itself, a snapshot policy as ``namespace/name``."""
        found = {
            (held.context, held.policy.key): Owed(overdue=bool(held.overdue))
            for held in self._policies.all()
            if held.policy.schedule
        }
        return found | {
            (one.context, one.policy.name): self._proofs.arrivals.owed(one) for one in self._book.policies() if one.runs
        }

    def green(self) -> dict[Subject, bool]:
        """Whether the policies that this engine runs stand behind their workloads, in the cluster that is there now."""
        found: dict[Subject, bool] = {}
        for one in self._book.policies():
            if one.runs and not self._proofs.elsewhere(one):
                with contextlib.suppress(CronError):  # a zone that cannot be read any more: it is told as its trouble
                    for standing in self.proofs.row(one).standings:
                        subject = Subject(one.context, one.policy.name, str(standing.subject))
                        found[subject] = standing.green and self._here(one)
        return found

    def _here(self, stored: Stored) -> bool:
        """Whether its context is known to lead to the cluster that a policy was stored for."""
        found = self._contexts.in_use.get(stored.context)
        if found is None or found.identity is None or found.row.state != "ready":
            return False
        return found.identity.cluster_uid == stored.cluster_uid

    def late(self) -> dict[tuple[str, str], float]:
        """By how many seconds the next backup of a Velero Schedule is late, by context and Schedule; nothing of those
        that are paused, never run, or are not known now."""
        now = self._clock.now()
        found: dict[tuple[str, str], float] = {}
        for context in self._contexts.in_use:
            with contextlib.suppress(KubeError, LinkFault):
                schedules, rule = self._schedules(context)
                due = {one.metadata.name: next_run(one, rule) for one in schedules}
                late = {name: (now - at).total_seconds() for name, at in due.items() if at is not None}
                found |= {(context, name): max(0.0, seconds) for name, seconds in late.items()}
        return found

    def stays_for(self) -> tuple[str, ...]:
        """Schedules and objects of contexts in use: while there are any, the engine does not end by itself."""
        used = self._contexts.in_use
        proofs = [one for one in self._book.policies() if one.runs and one.context in used]
        stored = [f"{one.context}: proofs of {one.policy.name}" for one in proofs]
        stored += [f"{h.context}: {h.policy.key}" for h in self._policies.all() if h.runs and h.context in used]
        return (*stored, *(f"{context}: its objects" for context in self._objects.contexts if context in used))
