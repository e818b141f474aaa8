"""What asks for a proof: a backup that completed, a time that came, a control that is due. Each becomes an entry of
the queue, or is left out with a reason that is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from lazarus_tui.engine.proof_book import ProofBook, Stored
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.arrivals import PROVABLE, TERMINAL, leaves_out, moment
from lazarus_tui.model.clock import Clock, parse_rfc3339, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.labels import SCHEDULE_LABEL, label_value
from lazarus_tui.model.objects import Backup, Workload
from lazarus_tui.model.policies import DEFER, GRACE, closed_until, owed
from lazarus_tui.model.proof_controls import control_due, newest_passed
from lazarus_tui.model.proof_policies import (
    MOST_WAITING,
    Entry,
    Selector,
    State,
    Subject,
    by_subject,
    catch_up,
    entry_id,
)
from lazarus_tui.model.resources import BACKUPS, DEPLOYMENTS, STATEFULSETS
from lazarus_tui.model.retrying import due_again, retry_id
from lazarus_tui.model.scope import takes_namespace

_KINDS = ((STATEFULSETS, "StatefulSet"), (DEPLOYMENTS, "Deployment"))

# Seconds for which workloads found by labels are taken for what is there, where nothing is queued for them.
_FRESH = 60.0

# A settled time further ahead than this means that the clock was wrong then, or is now.
_SKEW = timedelta(days=1)

Matched = list[tuple[Selector, list[Subject]]]  # of each selector of a policy what it names
Backups = Callable[[str], Iterable[Backup]]  # of a context, as last seen; raises ``KubeError`` when that is not known


@dataclass
class _Looked:
    """What was seen for one policy of backups that are there: ``seen``, uid and phase by name at the last look;
    ``late``, uids that had completed long before they were first seen; ``done``, uids that were queued or left out."""

    seen: dict[str, tuple[str, str]] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    done: set[str] = field(default_factory=set)

    def keep(self, backups: Sequence[Backup]) -> None:
        """Forget those that are gone: as many are known as there are."""
        if max(len(self.seen), len(self.late), len(self.done)) > len(backups):
            there = {one.metadata.name: one.metadata.uid for one in backups}
            uids = set(there.values())
            self.late &= uids
            self.done &= uids
            self.seen = {name: was for name, was in self.seen.items() if name in there}


class ProofWatch:
    """``backups`` gives what was seen last; what is acted on is read again, twice, and must say the same (V2)."""

    def __init__(self, book: ProofBook, clock: Clock, backups: Backups) -> None:
        self._book, self._clock, self._backups = book, clock, backups
        self._looked: dict[tuple[str, str], _Looked] = {}  # by context and policy
        self._matched: dict[tuple[str, str], tuple[float, Stored, Matched]] = {}

    async def look(self, stored: Stored, cluster: Cluster, *, leads: bool = True) -> None:
        """Queue what a policy owes now; what follows from proofs of this engine only where it ``leads``. Raises
        ``KubeError`` and ``CronError``."""
        if stored.completed_since - self._clock.now() > _SKEW:
            stored.completed_since = self._clock.now().replace(microsecond=0)  # it was stored by a clock that was wrong
        await self._by_clock(stored, cluster)
        if leads:
            await self._controls(stored)
            await self._retries(stored)
        await self._crowded(stored)
        if stored.policy.on_completion:
            await self._completed(stored, cluster)

    def keep(self, policies: Iterable[Stored]) -> None:
        """Forget what was seen for those that are not among them."""
        there = {(one.context, one.policy.name) for one in policies}
        for key in self._looked.keys() - there:
            del self._looked[key]
        for key in self._matched.keys() - there:
            del self._matched[key]

    # --- by the clock

    async def _by_clock(self, stored: Stored, cluster: Cluster) -> None:
        policy, now = stored.policy, self._clock.now()
        if stored.since - now > _SKEW:
            why = f"the clock went back: its last run was at {stored.since:%Y-%m-%d %H:%M} UTC"
            await self._book.missed(stored, now.replace(microsecond=0), 0, why, planned=True)
        found = owed(policy, stored.since, now)
        if found.newest is None:
            return
        if not found.runs:
            left = found.missed - found.dark
            missed = f"{how_many(left, 'run was', 'runs were')} missed while nothing ran (catchUp: skip)"
            why = missed if left else "they fell into a blackout"
            await self._book.missed(stored, found.newest, found.missed, why, planned=not left)
            return
        subjects = await self.subjects(stored, cluster)
        if not subjects:
            why = "no workload has the labels it names"  # which is told by what is lacking, once it stays so
            await self._book.missed(stored, found.newest, len(found.runs), why, planned=True)
            return
        entries = [
            self._made(stored, subject, point, f"scheduled for {rfc3339(nominal)}", nominal=rfc3339(nominal))
            for nominal in found.runs
            for subject in subjects
            for point in policy.by_clock
        ]
        await self._book.queue(stored, entries, found.runs[-1], found.missed)

    # --- as backups complete

    async def _completed(self, stored: Stored, cluster: Cluster) -> None:
        looked = self._looked.setdefault((stored.context, stored.policy.name), _Looked())
        stable = [
            one
            for one in self._candidates(stored, looked)
            if await self._stable(looked, cluster, one)
        ]  # fmt: skip
        if not stable:
            return
        for subject in await self.subjects(stored, cluster):
            of = [one for one in stable if takes_namespace(one.spec, subject.namespace)]
            new = [one for one in of if not self._book.known(self._id(stored, subject, one))]
            late = [one.metadata.uid for one in new if one.metadata.uid in looked.late]
            _, left_out = catch_up(stored.policy, late)
            entries = [self._of(stored, subject, one, one.metadata.uid in left_out) for one in new]
            await self._book.queue(stored, entries)
        looked.done |= {one.metadata.uid for one in stable}

    def _candidates(self, stored: Stored, looked: _Looked) -> list[Backup]:
        """What has arrived; of it what completed long before it was first seen is late."""
        backups = list(self._backups(stored.context))
        looked.keep(backups)
        found = self._arrived(stored, looked, backups)
        for backup in found:
            name, when = backup.metadata.name, moment(backup)
            if name not in looked.seen and self._clock.now() - parse_rfc3339(when) > GRACE:
                looked.late.add(backup.metadata.uid)
        return found

    def _arrived(self, stored: Stored, looked: _Looked, backups: Iterable[Backup]) -> list[Backup]:
        """Terminal, completed since the policy is there, not settled yet; oldest first."""
        since = rfc3339(stored.completed_since)
        found = [
            (when, backup.metadata.name, backup)
            for backup in backups
            if backup.status.phase in TERMINAL and (when := moment(backup)) >= since
            and backup.metadata.uid not in looked.done and self._covers(stored, backup)
        ]  # fmt: skip
        return [backup for _, _, backup in sorted(found, key=lambda one: one[:2])]

    def arriving(self, stored: Stored) -> list[str]:
        """Backups that are final and were not queued or left out yet, by name. Raises ``KubeError``."""
        if not stored.policy.on_completion:
            return []
        looked = self._looked.get((stored.context, stored.policy.name), _Looked())
        return [one.metadata.name for one in self._arrived(stored, looked, self._backups(stored.context))]

    def _covers(self, stored: Stored, backup: Backup) -> bool:
        """Whether it may hold something that the policy names and that is not queued for it yet."""
        schedules = stored.policy.schedules
        if schedules and backup.metadata.label(SCHEDULE_LABEL) not in map(label_value, schedules):
            return False
        every = stored.policy.workloads
        if any(one.labels for one in every):
            return True
        of = [Subject(one.namespace, one.workload) for one in every if takes_namespace(backup.spec, one.namespace)]
        return any(not self._book.known(self._id(stored, one, backup)) for one in of)

    async def _stable(self, looked: _Looked, cluster: Cluster, backup: Backup) -> bool:
        """Whether two reads, a look apart, found the same: phases were seen to flip after they were final."""
        meta = backup.metadata
        found = await cluster.get(BACKUPS, meta.name, meta.namespace, type=Backup)
        if found is None or found.metadata.uid != meta.uid:
            looked.seen.pop(meta.name, None)
            return False
        now = (found.metadata.uid, found.status.phase)
        before = looked.seen.get(meta.name)
        looked.seen[meta.name] = now
        return before == now and found.status.phase in TERMINAL

    def _id(self, stored: Stored, subject: Subject, backup: Backup) -> str:
        return entry_id("completed", stored.cluster_uid, stored.policy.name, str(subject), backup.metadata.uid)

    def _of(self, stored: Stored, subject: Subject, backup: Backup, left_out: bool) -> Entry:
        name, phase = backup.metadata.name, backup.status.phase
        entry = self._made(stored, subject, name, f"{name} is {phase}", id=self._id(stored, subject, backup))
        entry = msgspec.structs.replace(entry, uid=backup.metadata.uid)
        if phase not in PROVABLE:
            return self._skipped(entry, f"it is {phase}: there is nothing to prove")
        if why := leaves_out(backup.spec, subject):
            return self._skipped(entry, f"{why}: it is no recovery point of {subject}")
        if left_out:
            return self._skipped(entry, "it completed while nothing looked, and a newer one is proven instead")
        policy, now = stored.policy, self._clock.now()
        if policy.in_blackout != DEFER and closed_until(policy, now) is not None:
            return self._skipped(entry, "it completed in a blackout (inBlackout: skip)")
        return entry

    # --- negative controls

    async def _controls(self, stored: Stored) -> None:
        policy, now = stored.policy, self._clock.now()
        entries = self._book.entries(stored.context, policy.name)
        for subject, own in by_subject(entries).items():
            proof = control_due(policy, subject, own, now)
            if proof is not None:
                why = f"a copy of {proof.point} is broken on purpose"
                id = entry_id("control", stored.cluster_uid, policy.name, proof.id, self._last_control(own))
                await self._book.queue(stored, [self._made(stored, subject, proof.point, why, policy.control, id=id)])

    def _last_control(self, entries: Sequence[Entry]) -> str:
        """So that each period has one of its own, though the proof is the same."""
        return max((one.ended for one in entries if one.control), default="")

    # --- once more

    async def _retries(self, stored: Stored) -> None:
        """What came to no verdict for a reason outside of its point waits for another try."""
        policy, entries = stored.policy, self._book.entries(stored.context, stored.policy.name)
        for one in [one for one in entries if one.cause and not self._book.known(retry_id(one))]:
            after = due_again(policy, entries, one)
            if after is None or not policy.names(one.subject):
                continue
            why = f"tried again, {one.attempt + 1} of {policy.retries}: {one.cause}"
            made = self._made(stored, one.subject, one.point, why, one.control, nominal=one.nominal, id=retry_id(one))
            more = {"uid": one.uid, "by_hand": one.by_hand, "attempt": one.attempt + 1, "first": one.first or one.id,
                    "asked": one.choice, "after": rfc3339(after, micro=True)}  # fmt: skip
            await self._book.queue(stored, [msgspec.structs.replace(made, **more)])

    async def by_hand(self, stored: Stored, cluster: Cluster, control: str) -> list[Entry]:
        """Queue what a person asks for now: the newest point of each workload, or a control of the newest that passed.
        Raises ``KubeError``."""
        policy, now = stored.policy, self._clock.now()
        entries = self._book.entries(stored.context, policy.name)
        asked = rfc3339(now, micro=True)
        made: list[Entry] = []
        for subject in await self.subjects(stored, cluster):
            passed = newest_passed(entries, subject)
            point = passed.point if control and passed is not None else "latest"
            id = entry_id("by hand", stored.cluster_uid, policy.name, str(subject), control, asked)
            entry = self._made(stored, subject, point, "a person asked for it", control, id=id)
            made.append(msgspec.structs.replace(entry, by_hand=True))
        await self._book.queue(stored, made)
        return made

    async def _crowded(self, stored: Stored) -> None:
        """Of what waits beyond a number the oldest goes, where a newer one of the same workload waits too."""
        waiting = [
            one
            for one in self._book.entries(stored.context, stored.policy.name)
            if one.state is State.WAITING
        ]  # fmt: skip
        newest = {self._row(stored, one): one.id for one in waiting}
        older = [one for one in waiting if newest[self._row(stored, one)] != one.id]
        for one in older[: max(0, len(waiting) - MOST_WAITING)]:
            await self._book.end(
                one, State.SKIPPED, f"more than {MOST_WAITING} proofs of this policy wait: the oldest goes"
            )

    def _row(self, stored: Stored, one: Entry) -> tuple[Subject, str, str]:
        """Those that wait behind each other: a newer one is worth more than an older one."""
        return one.subject, one.control, stored.policy.chosen_by(one)

    # --- entries

    async def subjects(self, stored: Stored, cluster: Cluster) -> list[Subject]:
        """The workloads of a policy, as they are now."""
        found = dict.fromkeys(one for _, every in await self._now(stored, cluster) for one in every)
        return list(found)

    def seen(self, context: str) -> Iterable[Backup]:
        """Its backups, as last seen. Raises ``KubeError``."""
        return self._backups(context)

    async def matched(self, stored: Stored, cluster: Cluster) -> Matched:
        """What each of a policy's selectors names, as it was a short while ago. Raises ``KubeError``."""
        key, now = (stored.context, stored.policy.name), self._clock.monotonic()
        at, of, found = self._matched.get(key, (0.0, None, []))
        if of is not stored or not 0 <= now - at < _FRESH:
            found = await self._now(stored, cluster)
            self._matched[key] = (now, stored, found)
        return found

    def named(self, stored: Stored) -> list[Subject] | None:
        """What a policy named when that was looked at last; None where nobody has looked."""
        _, of, found = self._matched.get((stored.context, stored.policy.name), (0.0, None, []))
        return list(dict.fromkeys(one for _, every in found for one in every)) if of is stored else None

    async def _now(self, stored: Stored, cluster: Cluster) -> Matched:
        return [
            (one, await _labelled(one, cluster) if one.labels else [Subject(one.namespace, one.workload)])
            for one in stored.policy.workloads
        ]

    def _made(
        self, stored: Stored, subject: Subject, point: str, why: str, control: str = "", *, nominal: str = "",
        id: str = "",
    ) -> Entry:  # fmt: skip
        policy = stored.policy
        id = id or entry_id("scheduled", stored.cluster_uid, policy.name, str(subject), point, nominal)
        return Entry(
            id=id, context=stored.context, subject=subject, point=point, params=policy.wants(subject, point, control),
            why=why, queued=rfc3339(self._clock.now(), micro=True), policy=policy.name, control=control,
            nominal=nominal,
        )  # fmt: skip

    def _skipped(self, entry: Entry, why: str) -> Entry:
        return msgspec.structs.replace(entry, state=State.SKIPPED, words=why, ended=entry.queued)


async def _labelled(one: Selector, cluster: Cluster) -> list[Subject]:
    selector = ",".join(f"{key}={value}" for key, value in sorted(one.labels.items()))
    found: list[Subject] = []
    for resource, kind in _KINDS:
        for each in await cluster.list(resource, one.namespace or None, type=Workload, label_selector=selector):
            found.append(Subject(each.metadata.namespace, f"{kind}/{each.metadata.name}"))
    return sorted(found)


def age(entry: Entry, now: datetime) -> float:
    """Seconds since it was queued."""
    return max(0.0, (now - parse_rfc3339(entry.queued)).total_seconds())
