"""Stored snapshot policies: what the journal knows of them, and what the link may ask about them.

Everything is an event of kind ``policy`` in the one journal; what stands here is what the events amount to. A run that
is due is written down before anything is done about it, so a crash never makes it happen twice, or be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from lazarus_tui.engine.errors import Refused
from lazarus_tui.journal import Journal
from lazarus_tui.model.clock import Clock, parse_rfc3339, rfc3339
from lazarus_tui.model.plan import digest
from lazarus_tui.model.policies import PolicyRow, SnapshotPolicy, keeps_less, upcoming
from lazarus_tui.model.redact import redact_value

KIND = "policy"
# How a run ended: ``taken`` is the only good end; ``refused`` never began.
TAKEN, FAILED, PARKED, REFUSED = "taken", "failed", "waits for a person", "refused"
_BLACKOUT = "blackout"  # runs that were left out as planned: nobody owes them
# Context and ``namespace/name``.
Key = tuple[str, str]


@dataclass
class Held:
    """One stored policy. ``since``: everything up to this nominal time is settled. ``pending``: a run that was due and
    is not settled yet. ``waiting``: why a run that is due has not begun (not journalled; it is found out again).
    ``overdue``: why a run that it owed did not take place, or failed, until one does, "" else. ``pruned``: when its
    retention was last applied; ``pruning``: why it was not the last time. ``blocked``: why none of its runs begins for
    now; an object of a cluster is looked at before anything is done for it."""

    policy: SnapshotPolicy
    context: str
    cluster_uid: str
    stored: str
    since: datetime
    pending: datetime | None = None
    pending_at: str = ""
    last: str = ""
    outcome: str = ""
    why: str = ""
    operation: str = ""
    missed: int = 0
    overdue: str = ""
    failures: int = 0
    would_remove: tuple[str, ...] = ()
    dry_run: str = ""
    accepted: dict[str, Any] | None = None
    pruned: str = ""
    pruning: str = ""
    waiting: str = ""
    blocked: str = ""
    told: str = field(default="", repr=False)

    @property
    def key(self) -> Key:
        return (self.context, self.policy.key)

    @property
    def runs(self) -> bool:
        """Whether it will ever run by itself."""
        return bool(self.policy.schedule) and self.policy.allowed

    @property
    def agreed(self) -> bool:
        """Whether its retention may remove sets: a person saw what goes, or the object of a cluster says so."""
        return bool(self.policy.uid) or not keeps_less(self.policy.retention, self.accepted)


class Policies:
    """All stored policies by context and key. ``load`` once; every change is durable before it is seen."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal, self._clock = journal, clock
        self._held: dict[Key, Held] = {}

    async def load(self) -> None:
        for event in await self._journal.events_of(KIND):
            self._apply(event.at, event.body)

    def all(self, context: str = "") -> list[Held]:
        return [held for held in self._held.values() if context in ("", held.context)]

    def find(self, context: str, key: str) -> Held | None:
        """By ``namespace/name``."""
        return self._held.get((context, key))

    def get(self, context: str, name: str) -> Held:
        """By ``namespace/name`` or by a name that is unique; raises ``Refused``."""
        found = [held for held in self.all(context) if name in (held.policy.key, held.policy.name)]
        exact = [held for held in found if held.policy.key == name] or found
        if len(exact) == 1:
            return exact[0]
        what = f"several policies are called {name}" if exact else f"no policy {name!r} is stored for {context}"
        hint = ", ".join(held.policy.key for held in exact) or "lazarus snapshot policy list"
        raise Refused(what, code="not-found", hint=hint)

    def current(self, held: Held) -> bool:
        """Whether it is still stored as it was, and was not deleted or replaced meanwhile."""
        return self._held.get(held.key) is held

    # --- changes

    async def store(self, policy: SnapshotPolicy, context: str, cluster_uid: str) -> Held:
        """Keep a policy, or replace the one with its name; with other times they count from now. Raises ``Refused``."""
        record = msgspec.json.decode(msgspec.json.encode(policy))  # as the journal gives it back
        if redact_value(record, keys=False) != record:
            raise Refused(
                "it holds what looks like a password or a token, and the journal keeps no secrets",
                hint="let the command read it from the container's environment",
            )
        await self._note("stored", (context, policy.key), policy=record, cluster=cluster_uid)
        return self._held[(context, policy.key)]

    async def remove(self, held: Held) -> None:
        await self._note("removed", held.key)

    async def accept(self, held: Held, seen: str) -> None:
        """A person agrees to what the dry run ``seen`` (its digest) showed. Raises ``Refused``."""
        if not held.dry_run or seen != held.dry_run:
            what = "the dry run is another one now" if held.dry_run else "there is no dry run to agree to"
            raise Refused(what, where=held.policy.key, hint=f"lazarus snapshot policy describe {held.policy.key}")
        await self._note("accepted", held.key, retention=held.policy.retention)

    async def due(self, held: Held, nominal: datetime, missed: int) -> None:
        await self._note("due", held.key, nominal=rfc3339(nominal), missed=missed)

    async def passed(self, held: Held, newest: datetime, missed: int, why: str) -> None:
        """Nominal times up to ``newest`` are settled without a run."""
        await self._note("missed", held.key, nominal=rfc3339(newest), missed=missed, why=why)

    async def settled(self, held: Held, nominal: datetime, outcome: str, why: str = "", operation: str = "") -> None:
        body = {"nominal": rfc3339(nominal), "outcome": outcome, "why": why, "operation": operation}
        await self._note("settled", held.key, **body)

    async def shown(self, held: Held, would_remove: Iterable[str]) -> None:
        """What the first run of a retention would remove; nothing goes before a person has agreed."""
        await self._note("dry-run", held.key, sets=list(would_remove))

    async def pruned(self, held: Held, operation: str, why: str = "") -> None:
        """Its retention was applied, or was not: ``why``."""
        await self._note("pruned", held.key, operation=operation, why=why)

    async def _note(self, what: str, key: Key, **body: Any) -> None:
        record = {"what": what, "context": key[0], "key": key[1], **body}
        at = self._clock.now
        await self._journal.append("", (KIND, record), then=lambda: self._apply(rfc3339(at(), micro=True), record))

    # --- what the events amount to

    def _apply(self, at: str, body: Mapping[str, Any]) -> None:
        key: Key = (str(body["context"]), str(body["key"]))
        if body["what"] == "stored":
            self._stored(key, at, body)
            return
        held = self._held.get(key)
        if held is None:
            return
        match body["what"]:
            case "removed":
                del self._held[key]
            case "accepted":
                held.accepted, held.would_remove, held.dry_run = dict(body["retention"]), (), ""
            case "due":
                held.pending, held.pending_at = parse_rfc3339(body["nominal"]), at
                held.since, held.missed = held.pending, held.missed + int(body["missed"])
            case "missed":
                held.since, held.missed = parse_rfc3339(body["nominal"]), held.missed + int(body["missed"])
                held.why = str(body["why"])
                if int(body["missed"]) and _BLACKOUT not in held.why:
                    held.overdue = held.why
            case "settled":
                held.pending, held.waiting, held.last = None, "", str(body["nominal"])
                held.outcome, held.why, held.operation = str(body["outcome"]), str(body["why"]), str(body["operation"])
                held.failures = 0 if held.outcome == TAKEN else held.failures + 1
                if held.outcome != PARKED:
                    held.overdue = "" if held.outcome == TAKEN else held.why or held.outcome
            case "dry-run":
                held.would_remove = tuple(body["sets"])
                held.dry_run = digest([held.policy.retention, list(held.would_remove)])
            case "pruned":
                held.pruned, held.pruning = (at, "") if not body["why"] else (held.pruned, str(body["why"]))

    def _stored(self, key: Key, at: str, body: Mapping[str, Any]) -> None:
        policy = msgspec.convert(body["policy"], SnapshotPolicy)
        old, now = self._held.get(key), parse_rfc3339(at).replace(microsecond=0)
        held = Held(policy, key[0], str(body["cluster"]), at, now)
        held.blocked = "its object has not been looked at yet" if policy.uid else ""
        if old is not None and (old.cluster_uid, old.policy.uid) == (held.cluster_uid, policy.uid):
            held.missed, held.last, held.outcome, held.operation = old.missed, old.last, old.outcome, old.operation
            held.pending, held.pending_at, held.pruned = old.pending, old.pending_at, old.pruned
            if old.runs and held.runs and policy.same_times(old.policy):
                held.since = old.since  # what passed meanwhile is owed
            held.overdue = old.overdue
            if not keeps_less(policy.retention, old.accepted):
                held.accepted = policy.retention
        elif policy.run_on_create and policy.schedule and policy.allowed:
            held.pending, held.pending_at = now, at
        elif policy.uid and not policy.schedule:  # one set: its name follows from the object, whoever takes it
            held.pending, held.pending_at = parse_rfc3339(policy.made or at).replace(microsecond=0), at
        self._held[key] = held

    def row(self, held: Held) -> PolicyRow:
        """As lists show it."""
        policy, line = held.policy, held.policy.line()
        following = upcoming(policy, held.since, 1) if line else ()
        return PolicyRow(
            name=policy.name, namespace=policy.namespace, source="engine", policy=policy,
            means=line.describe() if line else "once", next=rfc3339(following[0]) if following else "",
            stored=held.stored, last=held.last, last_outcome=held.outcome, last_operation=held.operation,
            missed=held.missed, failures=held.failures, trouble=held.blocked or held.waiting or self._trouble(held),
            would_remove=held.would_remove, dry_run=held.dry_run,
            kept_by=_kept_by(policy, agreed=held.agreed, dry_run=bool(held.dry_run)),
        )  # fmt: skip

    def _trouble(self, held: Held) -> str:
        if not held.policy.allowed:
            return "its runs are refused: it does not say writes: schedules"
        return held.why or (f"its retention was not applied: {held.pruning}" if held.pruning else "")


def _kept_by(policy: SnapshotPolicy, *, agreed: bool, dry_run: bool) -> str:
    """How its retention stands, in words."""
    if not policy.retention:
        return "every set is kept"
    if agreed:
        return "sets that no rule keeps are removed after each run"
    if dry_run:
        return f"nothing is removed until a person agrees: lazarus snapshot policy accept {policy.key}"
    return "nothing is removed yet: the first run that would remove something only says so"
