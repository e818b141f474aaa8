"""What a policy counts on and does not find, told once and taken back once: recovery points that do not come, backups
that failed, selectors that match nothing.

Level-triggered: every look finds out anew what is lacking. What was told, and since when something is lacking, are
events of the one journal, written together with what notifications are made of: whoever comes after a crash tells
nothing twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from lazarus_tui.engine.metrics.owed import Owed
from lazarus_tui.engine.proof_book import CAUGHT_UP, OVERDUE, ProofBook, Stored
from lazarus_tui.journal import Journal
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.arrivals import Arrivals, Lack, arrivals
from lazarus_tui.model.clock import Clock, parse_rfc3339, rfc3339
from lazarus_tui.model.objects import Backup, Schedule
from lazarus_tui.model.proof_policies import Selector, Subject
from lazarus_tui.model.redact import redact

KIND = "proof-arrival"
_SNAPSHOTS = "snapshots"
# What a notice is called, by the beginning of what is lacking (model.arrivals).
_TITLES: Mapping[str, str] = {"point": "No new recovery point", "backup": "A backup failed"}
# Context, policy, and what is lacking.
Key = tuple[str, str, str]
# Of a context, as last seen: its Velero Schedules, and how its server reads cron lines. Raises ``KubeError``.
Schedules = Callable[[str], tuple[Sequence[Schedule], str]]


@dataclass
class Standing:
    """Something that is lacking. ``since``: when it was first seen (RFC 3339); ``due``: what it was told with."""

    since: str
    why: str
    due: str = ""


class ProofArrivals:
    """``load`` once; then ``look`` at each policy that runs, and ``settle`` what is nobody's any more."""

    def __init__(self, book: ProofBook, journal: Journal, clock: Clock, schedules: Schedules) -> None:
        self._book, self._journal, self._clock, self._schedules = book, journal, clock, schedules
        self._standing: dict[Key, Standing] = {}
        self._seen: dict[tuple[str, str], Arrivals] = {}

    async def load(self) -> None:
        for event in await self._journal.events_of(KIND):
            self._apply(event.at, event.body)

    @property
    def standing(self) -> bool:
        """Whether anything is lacking that may have to be taken back."""
        return bool(self._standing)

    def overdue(self, stored: Stored) -> list[str]:
        """What was told of a policy and still stands, in words."""
        return [one.why for _, one in self._of(stored) if one.due]

    def pending(self, stored: Stored) -> list[str]:
        """What is lacking but has not been so for long."""
        return [one.why for _, one in self._of(stored) if not one.due]

    def seen(self, stored: Stored) -> Arrivals:
        """As the last look found it."""
        return self._seen.get((stored.context, stored.policy.name), Arrivals())

    def owed(self, stored: Stored) -> Owed:
        """What was told and still stands, and what the last look found; of what nobody can look at only the former."""
        late = Counter(_lack(key) for key, one in self._of(stored) if one.due)
        seen = self._seen.get((stored.context, stored.policy.name)) if not stored.waiting else None
        if seen is None:
            return Owed(int(bool(stored.overdue)), late)
        expected = None if seen.blind else len(seen.expects)
        return Owed(int(bool(stored.overdue)), late, expected, len(seen.unknown))

    async def look(
        self, stored: Stored, matched: Sequence[tuple[Selector, Sequence[Subject]]], backups: Iterable[Backup]
    ) -> None:
        found = self._found(stored, matched, backups)
        before = {(one.key, one.due) for one in self.seen(stored).lacks}
        self._seen[(stored.context, stored.policy.name)] = found
        await self._take_back(stored, found)
        for one in found.lacks:
            if (one.key, one.due) in before:  # two looks agree: phases were seen to flip after they were final
                await self._lacking(stored, one)

    async def follow(
        self, stored: Stored, matched: Sequence[tuple[Selector, Sequence[Subject]]], backups: Iterable[Backup]
    ) -> None:
        """Another engine looks after it and tells what is lacking; but that what this one told is over is told here,
        since nobody else may know its sinks."""
        await self._take_back(stored, self._found(stored, matched, backups))

    def leave(self, stored: Stored) -> bool:
        """No look of it is taken any more; whether anything stands to ``follow``."""
        self._seen.pop((stored.context, stored.policy.name), None)
        return bool(self._of(stored))

    async def _take_back(self, stored: Stored, found: Arrivals) -> None:
        for key, _ in self._of(stored):
            if found.over(key[2]):
                await self._over(key, "it is as it should be again")

    async def settle(self) -> None:
        """Take back what stands of policies that are gone, or do nothing any more."""
        for key in list(self._standing):
            stored = self._book.find(key[0], key[1])
            if stored is None or not stored.runs:
                await self._over(key, "the policy was removed" if stored is None else "the policy was disabled")

    def _found(
        self, stored: Stored, matched: Sequence[tuple[Selector, Sequence[Subject]]], backups: Iterable[Backup]
    ) -> Arrivals:
        policy, subjects = stored.policy, [one for _, every in matched for one in every]
        empty = tuple(_no_match(selector) for selector, every in matched if not every)
        if policy.prove.get("source") == _SNAPSHOTS:
            return Arrivals(empty, (), ("when the next snapshot set is due: its own policy tells that",))
        schedules: Sequence[Schedule] | str
        try:
            schedules, rule = self._schedules(stored.context)
        except KubeError as error:
            schedules, rule = f"the schedules cannot be listed: {error.message}", "velero"
        now = self._clock.now()
        found = arrivals(policy, subjects, backups, schedules, stored.completed_since, now, rule)
        return replace(found, lacks=(*empty, *found.lacks))

    def _of(self, stored: Stored) -> list[tuple[Key, Standing]]:
        return [
            (key, one)
            for key, one in self._standing.items()
            if key[:2] == (stored.context, stored.policy.name)
        ]  # fmt: skip

    async def _lacking(self, stored: Stored, lack: Lack) -> None:
        key, now = (stored.context, stored.policy.name, lack.key), self._clock.now()
        old = self._standing.get(key)
        if old is not None:
            old.why = lack.why
        due = lack.due
        if not due and old is not None:
            long = now - parse_rfc3339(old.since) > timedelta(seconds=stored.policy.late_seconds)
            due = old.due or (rfc3339(parse_rfc3339(old.since)) if long else "")
        if old is None or due != old.due:
            await self._note(key, lack.why, due)

    async def _over(self, key: Key, why: str) -> None:
        old = self._standing[key]
        body = {"what": "over", "context": key[0], "name": key[1], "key": key[2]}
        told = [(CAUGHT_UP, _told(key, old.due, why))] if old.due else []
        await self._journal.append("", (KIND, body), *told)
        self._apply("", body)

    async def _note(self, key: Key, why: str, due: str) -> None:
        body = {"what": "lack", "context": key[0], "name": key[1], "key": key[2], "why": redact(why), "due": due}
        told = [(OVERDUE, _told(key, due, redact(why)))] if due else []
        await self._journal.append("", (KIND, body), *told)
        self._apply(rfc3339(self._clock.now(), micro=True), body)

    def _apply(self, at: str, body: Mapping[str, Any]) -> None:
        key: Key = (str(body["context"]), str(body["name"]), str(body["key"]))
        if body["what"] == "over":
            self._standing.pop(key, None)
            return
        old = self._standing.get(key)
        self._standing[key] = Standing(old.since if old is not None else at, str(body["why"]), str(body["due"]))


def _lack(key: Key) -> str:
    """What is lacking, as metrics call it."""
    kind = key[2].partition("/")[0]
    return kind if kind in _TITLES else "nothing"


def _told(key: Key, due: str, why: str) -> dict[str, str]:
    """What notifications are made of; ``about`` keeps several troubles of one policy apart."""
    title = f"{_TITLES.get(_lack(key), 'Nothing to prove')}: {key[1]}"
    given = {"context": key[0], "policy": key[1], "subject": key[1], "about": key[2], "title": title}
    return {**given, "due": due, "why": why}


def _no_match(one: Selector) -> Lack:
    labels = ",".join(f"{key}={value}" for key, value in sorted(one.labels.items()))
    return Lack(f"labels/{one.namespace}/{labels}", f"no workload in {one.namespace or 'any namespace'} has {labels}")
