"""Notifications in the engine: what operations do and how workloads stand, told through the sinks of the settings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from lazarus_tui.config import NotifySettings, SinkSettings
from lazarus_tui.engine.contexts import Contexts
from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.mirror import Mirror
from lazarus_tui.engine.outside import Outside
from lazarus_tui.engine.supervisor import Work
from lazarus_tui.journal import Journal, JournalError
from lazarus_tui.model.addresses import AddressPolicy
from lazarus_tui.model.clock import Clock, parse_rfc3339, rfc3339
from lazarus_tui.model.downtime import IN_PLACE, at_zero, replicas, wanted
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.proofs import ProofView
from lazarus_tui.model.resources import STATEFULSETS
from lazarus_tui.model.topics import Finding, WorkloadRow
from lazarus_tui.notify.courier import Courier
from lazarus_tui.notify.desk import Desk, age
from lazarus_tui.notify.notice import Action, Notice, Severity, Told, commands, made
from lazarus_tui.notify.outbox import Parcel
from lazarus_tui.notify.outgoing import Outcome
from lazarus_tui.outward import Resolve, resolve

log = logging.getLogger(__name__)

# Seconds between two words that a workload is still at zero: a receiver that misses them raises the alarm itself.
BEAT = 60.0
# Seconds at zero after which a restore that still runs is no longer a matter of course.
TOO_LONG = 600.0
# Seconds a notice may wait before the doctor calls it a warning.
LATE = 300.0


class SinkParams(msgspec.Struct):
    sink: str = ""


class NoticeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A notice for one sink as lists show it. ``state``: waiting, sent, given up; ``why``: what came back last."""

    id: str
    sink: str
    state: str
    told: str
    action: str
    severity: str
    title: str
    queued: str
    ended: str = ""
    tries: int = 0
    next_seconds: float | None = None
    why: str = ""
    hint: str = ""


class Tested(msgspec.Struct, frozen=True):
    """What a sink said to a notice that only tests it."""

    sink: str
    kind: str
    outcome: str
    words: str
    hint: str = ""


class Notices:
    """``known``: operations, oldest first; ``mirrors``: what the clusters show, by context. ``find``: the resolver;
    ``proofs``: those of a context that are known."""

    def __init__(
        self, journal: Journal, clock: Clock, settings: NotifySettings, contexts: Contexts, *, sandbox: bool,
        known: Callable[[], Sequence[Operation]], mirrors: Mapping[str, Mirror], find: Resolve = resolve,
        proofs: Callable[[str], Sequence[ProofView]] = lambda context: (),
    ) -> None:  # fmt: skip
        self._journal, self._clock, self._sandbox = journal, clock, sandbox
        self._known, self._mirrors = known, mirrors
        self.outside = Outside(contexts, sandbox=sandbox, find=find)
        self._courier = Courier(clock, self._addresses, self.outside.secrets, find=find)
        self.desk = Desk(journal, clock, settings.sinks, self._courier, sandbox=sandbox, proofs=proofs)
        self._changed = asyncio.Event()

    @property
    def busy(self) -> bool:
        """Whether somebody is still to be told: then the engine does not end by itself."""
        return bool(self.desk.sinks and self.desk.outbox.waiting)

    def wake(self) -> None:
        """After an operation has changed."""
        self._changed.set()
        self.desk.wake()

    async def load(self) -> None:
        """Take up what waits, before any of ``work`` begins."""
        await self.desk.load()

    def work(self) -> dict[str, Work]:
        """What is to be kept going, by what it is called; nothing without sinks."""
        found: dict[str, Work] = {"the telling of notices": self.desk.run, "the watch over workloads": self.watch}
        return found if self.desk.sinks else {}

    async def _addresses(self, sink: SinkSettings) -> AddressPolicy:
        return await self.outside.addresses(sink.networks)

    # --- workloads at zero

    async def watch(self) -> None:
        """Until cancelled."""
        beat = self._clock.monotonic() + BEAT
        while True:
            self._changed.clear()
            try:
                down = await self.look()
            except JournalError as error:
                log.warning("notices: %s", error)
                down = []
            if self._clock.monotonic() >= beat:
                await asyncio.gather(*map(self.desk.beat, down))
                beat = self._clock.monotonic() + BEAT
            waits = [
                asyncio.ensure_future(self._changed.wait()),
                asyncio.ensure_future(self._clock.sleep(beat - self._clock.monotonic())),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def look(self) -> list[Notice]:
        """Tell what came to zero and what is back; what stands at zero now."""
        standing = {
            key: stands.told for key, stands in self.desk.outbox.standing.items() if stands.told.told is Told.AT_ZERO
        }
        newest = await self._told_of(standing)
        newest |= {_key(each): each for each in self._known() if each.kind == IN_PLACE}
        rows = {key: self._row(each) for key, each in newest.items()}
        news: list[Notice] = []
        down: list[Notice] = []
        for key, each in newest.items():
            told = standing.get(key)
            if at_zero(each, rows[key]):
                same = told is not None and told.operation == each.id
                severity = self._gravity(each, told.at if told is not None and same else "")
                if told is None or not same or severity is Severity.CRITICAL is not told.severity:
                    told = self._at_zero(key, each, severity)
                    news.append(told)
                down.append(told)
            elif told is not None and is_back(each, rows[key]):
                news.append(self._back(key, each, rows[key]))
        if news:
            await self.desk.tell(news)
        return down

    async def _told_of(self, standing: Mapping[str, Notice]) -> dict[str, Operation]:
        """The operations of what was told and stands: they are looked at for as long, however many are newer."""
        known = {each.id for each in self._known()}
        ids = {told.operation for told in standing.values()} - known
        found = [each for id in ids for each in await self._journal.find(id) if each.id == id]
        return {_key(each): each for each in found}

    def _row(self, operation: Operation) -> WorkloadRow | None:
        """The workload as the cluster shows it, None where that is not known."""
        mirror = self._mirrors.get(operation.context)
        found = mirror.records(STATEFULSETS).get(operation.target) if mirror is not None else None
        if found is None:
            return None
        namespace, _, name = operation.target.partition("/")
        ready = found.status.ready_replicas or 0
        return WorkloadRow(namespace=namespace, kind="StatefulSet", name=name, ready=ready, desired=found.desired)

    def _gravity(self, each: Operation, since: str) -> Severity:
        """A restore that goes on by itself is a warning, unless it takes too long; one that stopped is critical."""
        if each.state not in (OpState.RUNNING, OpState.UNDOING):
            return Severity.CRITICAL
        stood = (self._clock.now() - parse_rfc3339(since)).total_seconds() if since else 0.0
        return Severity.CRITICAL if stood > TOO_LONG else Severity.WARNING

    def _at_zero(self, key: str, each: Operation, severity: Severity) -> Notice:
        total, op = wanted(each), each.id[:8]
        verbs = {OpState.PARKED: ("resume", "undo"), OpState.LEFT_CHANGED: ("operation show", "undo")}
        words = [[*verb.split(), op] for verb in verbs.get(each.state, ("watch", "undo"))]
        of = f" of {total}" if total is not None else ""
        title = f"{each.target} IS AT 0{of} REPLICAS"
        text = f"Its restore ({op}) is {each.state.value}. {each.message}"
        return made(
            Told.AT_ZERO, Action.TRIGGER, severity, key, self._now(), title, text, origin=f"{each.id}/{severity}",
            context=each.context, subject=each.target, operation=each.id,
            commands=commands(each.context, *words, sandbox=self._sandbox),
        )  # fmt: skip

    def _back(self, key: str, each: Operation, row: WorkloadRow | None) -> Notice:
        """That it is back is told where replicas were seen; else only that the restore is no longer why."""
        by_record = each.state.open or each.state is OpState.DONE
        there = replicas(each, row) if by_record else row.ready if row is not None else None
        title = f"{each.target} is back from zero" if there else f"No restore keeps {each.target} at zero any more"
        return made(
            Told.BACK, Action.RESOLVE, Severity.INFO, key, self._now(), title,
            f"Its restore ({each.id[:8]}) is {each.state.value}.", origin=each.id,
            context=each.context, subject=each.target, operation=each.id,
        )  # fmt: skip

    def _now(self) -> str:
        return rfc3339(self._clock.now(), micro=True)

    # --- asked over the link

    @property
    def methods(self) -> dict[str, tuple[type[Any], Callable[[Any, Any], Awaitable[Any]]]]:
        return {"notify.list": (SinkParams, self._list), "notify.test": (SinkParams, self._test)}

    async def _list(self, peer: Any, asked: SinkParams) -> list[NoticeRow]:
        if asked.sink:
            self._chosen(asked.sink)
        return [self._shown(one) for one in self.desk.outbox.parcels() if asked.sink in ("", one.sink)]

    def _shown(self, one: Parcel) -> NoticeRow:
        waits = None if one.at else max(0.0, round(self.desk.rest(one), 1))
        return NoticeRow(
            id=one.notice.id, sink=one.sink, state=one.state, told=str(one.notice.told), title=one.notice.title,
            action=str(one.notice.action), severity=str(one.notice.severity),
            queued=rfc3339(one.queued), ended=one.at, tries=one.tries,
            next_seconds=waits, why=one.words, hint=one.hint,
        )  # fmt: skip

    def _chosen(self, name: str) -> Sequence[SinkSettings]:
        sinks = self.desk.sinks
        if not sinks:
            raise Refused("no sink is set up", hint="name one in the settings: docs/notifications.md")
        if name and name not in sinks:
            raise Refused(f"no sink is called {name!r}", code="not-found", hint=f"there are: {', '.join(sinks)}")
        return [sinks[name]] if name else list(sinks.values())

    async def _test(self, peer: Any, asked: SinkParams) -> list[Tested]:
        """One notice to each sink, past the outbox; it opens nothing that would have to be resolved."""
        return await asyncio.gather(*map(self._tested, self._chosen(asked.sink)))

    async def _tested(self, sink: SinkSettings) -> Tested:
        text = f"If you read this, sink {sink.name} works. Nothing happened."
        at, key, title = self._now(), f"test/{sink.name}", "Lazarus: a test of the notifications"
        notice = made(Told.TEST, Action.TRIGGER, Severity.INFO, key, at, title, text)
        answer = await self._courier.send(sink, notice)
        if sink.kind == "pagerduty" and answer.outcome is Outcome.DELIVERED:
            await self._courier.send(sink, msgspec.structs.replace(notice, action=Action.RESOLVE))
        return Tested(sink.name, sink.kind, str(answer.outcome), answer.words, answer.hint)

    async def findings(self) -> list[Finding]:
        """One line per sink for the doctor; nothing is sent."""
        return [await self._judged(sink) for sink in self.desk.sinks.values()]

    async def _judged(self, sink: SinkSettings) -> Finding:
        mine = [one for one in self.desk.outbox.parcels() if one.sink == sink.name]
        waiting = [one for one in mine if not one.at]
        lost = [one for one in mine if one.state == "given up"]
        head = f"{sink.name} ({sink.kind})"
        hint = f"lazarus notify list {sink.name}"
        if why := await self._courier.look(sink):
            return Finding("error", f"{head}: {why}", f"lazarus notify test {sink.name}")
        if lost and lost[0].number == max(one.number for one in mine if one.at):
            return Finding("error", f"{head}: its newest notice was given up: {lost[0].words}", hint)
        late = [one for one in waiting if age(one, self._clock.now()) > LATE]
        if late:
            said = f": {late[-1].words}" if late[-1].words else ""
            return Finding("warning", f"{head}: {len(waiting)} waiting{said}", hint)
        done = f", {len(lost)} given up" if lost else ""
        return Finding("info", f"{head}: {len(mine) - len(waiting) - len(lost)} told, {len(waiting)} waiting{done}")


def _key(operation: Operation) -> str:
    return f"at-zero/{operation.context}/{operation.target}"


def is_back(operation: Operation, row: WorkloadRow | None) -> bool:
    """Whether it is known that the workload is not at zero any more, or that the restore is not why."""
    if operation.state is OpState.LEFT_CHANGED:
        return row is not None and row.desired > 0
    if not operation.state.open:
        return True
    there = replicas(operation, row)
    return there is not None and there > 0
