"""Proof policies and the queue of proofs: what the journal knows of them.

Everything is an event of kind ``proof-policy`` in the one journal; what stands here is what the events amount to. A
proof is written down as waiting before anything is done about it, and with the id of its operation before that is
started: whoever reads the journal next finds it waiting, running or ended, and never runs it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.proof_entries import Entries
from lazarus_tui.journal import Journal
from lazarus_tui.model.clock import Clock, moment, parse_rfc3339, rfc3339
from lazarus_tui.model.proof_policies import Entry, ProofPolicy, State
from lazarus_tui.model.redact import redact_value
from lazarus_tui.model.verdict import Verdict

KIND = "proof-policy"
# What is told of a run that did not take place, and of one that did again (notify.reading).
OVERDUE, CAUGHT_UP = "run.overdue", "run.caught-up"


@dataclass
class Stored:
    """One policy. ``since``: everything up to this nominal time is settled; ``completed_since``: backups that completed
    before it are not its business. ``waiting``: why nothing of it begins (found out again at each look)."""

    policy: ProofPolicy
    context: str
    cluster_uid: str
    at: str
    since: datetime
    completed_since: datetime
    overdue: str = ""
    overdue_due: str = ""
    missed: int = 0
    missed_at: str = ""  # the newest nominal time that passed without a proof, unless that was planned
    missed_why: str = ""
    waiting: str = ""
    waits_since: datetime | None = None
    told: str = field(default="", repr=False)

    @property
    def runs(self) -> bool:
        """Whether it does anything by itself."""
        return self.policy.allowed


class ProofBook:
    """``load`` once; every change is durable before it is seen. ``news`` is called after each."""

    def __init__(self, journal: Journal, clock: Clock, news: Callable[[], None] = lambda: None) -> None:
        self._journal, self._clock, self.news = journal, clock, news
        self._policies: dict[tuple[str, str], Stored] = {}
        self._entries = Entries()
        self._known: set[str] = set()  # ids of all that was ever queued, also of what is forgotten here

    async def load(self) -> None:
        for event in await self._journal.events_of(KIND):
            self._apply(event.at, event.body)

    # --- looking

    def policies(self, context: str = "") -> list[Stored]:
        return [one for one in self._policies.values() if context in ("", one.context)]

    def get(self, context: str, name: str) -> Stored:
        """Raises ``Refused``."""
        found = self._policies.get((context, name))
        if found is None:
            hint = ", ".join(one.policy.name for one in self.policies(context)) or "lazarus policy apply -f FILE"
            raise Refused(f"no policy {name!r} is stored for {context}", code="not-found", hint=hint)
        return found

    def find(self, context: str, name: str) -> Stored | None:
        return self._policies.get((context, name))

    def entries(self, context: str = "", policy: str | None = None) -> list[Entry]:
        """In the order in which they were queued; of a ``policy`` those of the cluster that it is stored for now: what
        was proven in another one says nothing of this one."""
        stored = self._policies.get((context, policy)) if policy else None
        every: Iterable[Entry] = self._entries.of(context, policy) if context and policy else self._entries
        return [
            one
            for one in every
            if context in ("", one.context) and policy in (None, one.policy)
            and (stored is None or one.cluster in ("", stored.cluster_uid))
        ]  # fmt: skip

    def entry(self, id: str) -> Entry | None:
        return self._entries.get(id)

    def known(self, id: str) -> bool:
        """Whether it was ever queued."""
        return id in self._known

    def open(self, context: str = "") -> list[Entry]:
        return [one for one in self._entries.open() if context in ("", one.context)]

    # --- changes

    async def store(self, policy: ProofPolicy, context: str, cluster_uid: str) -> Stored:
        """Keep a policy, or replace the one with its name. Raises ``Refused``."""
        record = plain(policy)
        if redact_value(record, keys=False) != record:
            hint = "name a Secret, or a variable of the container (docs/checks.md)"
            raise Refused("it holds what looks like a password or a token, and the journal keeps no secrets", hint=hint)
        await self._note("stored", context=context, policy=record, cluster=cluster_uid)
        return self._policies[(context, policy.name)]

    async def remove(self, stored: Stored) -> None:
        """Its proofs that wait go with it; what runs goes on."""
        await self._note("removed", context=stored.context, name=stored.policy.name)

    async def queue(
        self, stored: Stored | None, entries: Iterable[Entry], nominal: datetime | None = None, missed: int = 0
    ) -> None:
        """Put proofs into the queue; with ``nominal`` everything up to that time is settled by them, at once."""
        new = [plain(one) for one in entries if one.id not in self._known]
        if not new and (stored is None or nominal is None):
            return
        body: dict[str, Any] = {"entries": new}
        if stored is not None and nominal is not None:
            body |= {"context": stored.context, "name": stored.policy.name, "nominal": rfc3339(nominal)}
            body["missed"] = missed
        await self._note("queued", **body)

    async def missed(self, stored: Stored, newest: datetime, count: int, why: str, *, planned: bool = False) -> None:
        """Nominal times up to ``newest`` are settled without a proof; it is overdue then unless ``planned`` so."""
        body = {"context": stored.context, "name": stored.policy.name, "nominal": rfc3339(newest), "missed": count}
        await self._note("missed", **body, why=why, planned=planned)

    async def begin(self, entry: Entry, operation: str, point: str, start: str = "") -> None:
        """It will be started as ``operation``: written down before it is. ``start``: when the point began."""
        await self._note("begun", id=entry.id, operation=operation, point=point, start=moment(start))

    async def back(self, entry: Entry, why: str) -> None:
        """The operation it was to run as was never started: it waits again."""
        await self._note("back", id=entry.id, why=why)

    async def end(self, entry: Entry, state: State, words: str, **more: Any) -> None:
        """``more``: verdict, figures, point."""
        await self._note("ended", id=entry.id, state=state, words=words[:500], **more)

    async def judge(self, entry: Entry, verdict: Verdict, words: str) -> None:
        """What its record says now, after its end."""
        await self._note("judged", id=entry.id, verdict=verdict, words=words[:500], cause="")

    async def overdue(self, stored: Stored, due: str, why: str, end: str = "its proofs run again") -> None:
        """What should have run and did not: once for each reason; ``""`` takes it back, for the reason ``end``."""
        if (stored.overdue, stored.overdue_due) == (why, due) or (not why and not stored.overdue):
            return
        body = {"what": "overdue", "context": stored.context, "name": stored.policy.name, "due": due, "why": why}
        told = {"context": stored.context, "policy": stored.policy.name, "subject": stored.policy.name, "due": due,
                "why": why or end}  # fmt: skip
        events = (KIND, body), (OVERDUE if why else CAUGHT_UP, told)
        await self._journal.append("", *events, then=lambda: self._apply(rfc3339(self._clock.now(), micro=True), body))

    def wait(self, entry: Entry, why: str) -> None:
        """Why it has not begun, for lists; not journalled."""
        known = self._entries.get(entry.id)
        if known is not None and known.waiting != why:
            self._entries.put(msgspec.structs.replace(known, waiting=why))

    async def _note(self, what: str, **body: Any) -> None:
        record = {"what": what, **body}
        at = self._clock.now
        await self._journal.append("", (KIND, record), then=lambda: self._apply(rfc3339(at(), micro=True), record))

    # --- what the events amount to

    def _apply(self, at: str, body: Mapping[str, Any]) -> None:
        self.news()
        match body["what"]:
            case "stored":
                self._stored(at, body)
            case "removed":
                self._removed(at, str(body["context"]), str(body["name"]))
            case "queued":
                for one in body["entries"]:
                    self._entries.add(self._queued(one))
                    self._known.add(str(one["id"]))
                self._settled(body)
            case "missed" | "overdue":
                self._told(body)
            case "begun" | "back" | "ended" | "judged":
                self._moved(at, body)

    def _queued(self, body: Mapping[str, Any]) -> Entry:
        """Of the cluster that its policy is for at that time."""
        entry = msgspec.convert(body, Entry)
        stored = self._policies.get((entry.context, entry.policy)) if entry.policy else None
        return msgspec.structs.replace(entry, cluster=stored.cluster_uid) if stored is not None else entry

    def _stored(self, at: str, body: Mapping[str, Any]) -> None:
        policy = msgspec.convert(body["policy"], ProofPolicy)
        key, now = (str(body["context"]), policy.name), parse_rfc3339(at).replace(microsecond=0)
        made = Stored(policy, key[0], str(body["cluster"]), at, now, now)
        old = self._policies.get(key)
        if old is not None and old.cluster_uid == made.cluster_uid:
            made.missed, made.overdue, made.overdue_due = old.missed, old.overdue, old.overdue_due
            if old.runs:
                made.completed_since = old.completed_since
            if old.runs and made.runs:  # what passed meanwhile is owed, and what was missed is so still
                made.missed_at, made.missed_why = old.missed_at, old.missed_why
                made.since = old.since if policy.same_times(old.policy) else now
        elif old is not None:
            self._dropped(at, key[0], policy.name, "its policy is for another cluster now")
        self._policies[key] = made

    def _removed(self, at: str, context: str, name: str) -> None:
        self._policies.pop((context, name), None)
        self._dropped(at, context, name, "its policy was removed")

    def _dropped(self, at: str, context: str, name: str, why: str) -> None:
        """What waits of a policy is left out."""
        for one in self.entries(context, name):
            if one.state is State.WAITING:
                gone = {"state": State.SKIPPED, "words": why, "ended": at, "waiting": ""}
                self._entries.put(msgspec.structs.replace(one, **gone))

    def _settled(self, body: Mapping[str, Any]) -> None:
        stored = self._policies.get((str(body.get("context")), str(body.get("name"))))
        if stored is not None and body.get("nominal"):
            stored.since = parse_rfc3339(str(body["nominal"]))
            stored.missed += int(body.get("missed") or 0)

    def _told(self, body: Mapping[str, Any]) -> None:
        stored = self._policies.get((str(body["context"]), str(body["name"])))
        if stored is None:
            return
        if body["what"] == "overdue":
            stored.overdue, stored.overdue_due = str(body["why"]), str(body["due"])
        else:
            self._settled(body)
            if not body["planned"]:
                stored.missed_at, stored.missed_why = str(body["nominal"]), str(body["why"])

    def _moved(self, at: str, body: Mapping[str, Any]) -> None:
        entry = self._entries.get(str(body["id"]))
        if entry is None:
            return
        changes: dict[str, Any] = {"waiting": ""}
        if body["what"] == "begun":
            changes |= {"state": State.RUNNING, "operation": body["operation"], "point": body["point"], "begun": at,
                        "point_start": str(body.get("start") or "")}  # fmt: skip
        elif body["what"] == "back":
            changes |= {"state": State.WAITING, "operation": "", "begun": "", "point_start": "", "waiting": body["why"],
                        "point": str(entry.params.get("point") or entry.point)}  # fmt: skip
        else:
            changes |= {key: value for key, value in body.items() if key not in ("what", "id")}
            changes |= {"ended": at} if body["what"] == "ended" else {}
        self._entries.put(msgspec.convert({**plain(entry), **changes}, Entry))


def plain(value: Any) -> dict[str, Any]:
    """As the journal gives it back."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return found
