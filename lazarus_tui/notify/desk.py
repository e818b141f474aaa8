"""Reads on in the journal, decides who is told, and sends: one task per sink, so that a slow one holds up no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

import msgspec

from lazarus_tui.config import SinkSettings
from lazarus_tui.journal import Event, Journal, JournalError
from lazarus_tui.model.clock import Clock, parse_rfc3339
from lazarus_tui.model.proofs import ProofView
from lazarus_tui.notify import formerly, reading
from lazarus_tui.notify.answering import answers
from lazarus_tui.notify.courier import Courier
from lazarus_tui.notify.notice import Action, Notice, notice_id
from lazarus_tui.notify.outbox import EXPIRES, Outbox, Parcel
from lazarus_tui.notify.outgoing import Answer, Outcome

log = logging.getLogger(__name__)

# Seconds before another try: doubled from the first to the last; with a sink that refuses always the long one.
FIRST, LAST, LONG = 5.0, 300.0, 900.0
# Seconds between two looks when nothing wakes the desk, and after a journal that cannot be written.
LOOK = 60.0
# Events that are read without a mark in the journal of how far it was read; after a crash they are read again.
UNMARKED = 1000


class Desk:
    """``start`` begins, ``wake`` after something was journalled. ``sandbox``: how Lazarus is called in commands.
    ``proofs``: those of a context that are known."""

    def __init__(
        self, journal: Journal, clock: Clock, sinks: Sequence[SinkSettings], courier: Courier, *, sandbox: bool = False,
        proofs: Callable[[str], Sequence[ProofView]] = lambda context: (),
    ) -> None:  # fmt: skip
        self._journal, self._clock, self._courier, self._sandbox = journal, clock, courier, sandbox
        self._proofs = proofs
        self.sinks = {sink.name: sink for sink in sinks}
        self.outbox = Outbox(journal, clock)
        self._news = asyncio.Event()
        self._mail = {name: asyncio.Event() for name in self.sinks}
        self._quiet = dict.fromkeys(self.sinks, float("-inf"))  # until when a sink asked to be left alone
        self._turn = asyncio.Lock()
        self._read = 0

    async def load(self) -> None:
        """What the journal knows; the first time with sinks, news begin now."""
        await self.outbox.load()
        if self.outbox.upto is None and self.sinks:
            await self.outbox.mark(self._journal.newest)
        self._read = self.outbox.upto or 0

    def wake(self) -> None:
        self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reading())
            for name in self.sinks:
                tasks.create_task(self._sending(name))

    # --- what is told

    async def _reading(self) -> None:
        while True:
            self._news.clear()
            try:
                await self.read_on()
            except JournalError as error:
                log.warning("notices: %s", error)
            await self._wait(self._news, LOOK)

    async def read_on(self) -> None:
        """Queue what has happened since the last look; give up what nobody wants to hear any more."""
        async with self._turn:
            for parcel in self.outbox.expired():
                await self._give_up(parcel, f"not delivered within {EXPIRES.total_seconds() / 3600:.0f} h")
            for parcel in [one for one in self.outbox.waiting if one.sink not in self.sinks]:
                await self._give_up(parcel, "the sink is no longer in the settings")
            newest = self._journal.newest
            for event in await self._journal.events_after(self._read, *reading.KINDS):
                await self._queue(await self._found(event), event.seq)
                self._read = event.seq
            self._read = max(self._read, newest)
            if self._read - (self.outbox.upto or 0) > UNMARKED:
                await self.outbox.mark(self._read)

    async def _found(self, event: Event) -> Sequence[Notice]:
        """A record that cannot be read must not keep the next ones from being told. Raises ``JournalError``."""
        try:
            return reading.read(await self._source(event))
        except JournalError:
            raise
        except Exception:
            log.exception("event %d of the journal is not told", event.seq)
            return ()

    async def tell(self, notices: Iterable[Notice]) -> None:
        """Queue what was not read from the journal (how things stand, rather than what happened)."""
        async with self._turn:
            await self._queue(list(notices), self._read)

    async def _queue(self, notices: Sequence[Notice], upto: int) -> None:
        """As one transaction: after a crash all of an event are there, or it is read again."""
        found = [self._addressed(notice) for notice in notices]
        for notice in notices:
            found += await self._formerly(notice)
        await self.outbox.queue(found, upto)
        for sink in {name for _, sinks in found for name in sinks}:
            self._mail[sink].set()

    async def _formerly(self, good: Notice) -> list[tuple[Notice, Collection[str]]]:
        """The ends of what an older Lazarus told under other keys, where ``good`` answers all of that."""
        found: list[tuple[Notice, Collection[str]]] = []
        for key in formerly.keys(good):
            stands = self.outbox.standing.get(key)
            if stands is None or not formerly.answered(good, await self._told_today(key)):
                continue
            more = {"id": notice_id(good.id, key), "key": key, "severity": stands.told.severity}
            notice = msgspec.structs.replace(good, incident=stands.told.incident, **more)
            found.append((notice, stands.sinks & self.sinks.keys()))
        return found

    async def _told_today(self, key: str) -> list[Notice]:
        """What was told under a key and is not ended, as it would be told now; where that is not known, as it was."""
        found: list[Notice] = []
        for told in await self.outbox.alarms(key):
            events = await self._journal.events(told.operation, reading.ENDED) if told.operation else []
            again = [one for event in events[-1:] for one in await self._found(event)]
            found += [one for one in again if one.key.startswith(formerly.PREFIXES)] or [told]
        return found

    async def _source(self, event: Event) -> reading.Source:
        found = await self._journal.find(event.op) if event.op else []
        operation = next((one for one in found if one.id == event.op), None)
        plan = await self._journal.plan(event.op) if operation is not None else None
        if plan is None or operation is None:
            return reading.Source(event, operation, sandbox=self._sandbox)
        proofs = self._proofs(operation.context) if event.kind == reading.ENDED else ()
        first = event.kind in reading.ENDS and await self._is_first(event)
        return reading.Source(event, operation, plan.params, self._sandbox, plan.cluster_uid, proofs, first)

    async def _is_first(self, event: Event) -> bool:
        """Whether its operation had not ended before."""
        return all(one.seq >= event.seq for one in await self._journal.events(event.op, *reading.ENDS))

    def _addressed(self, notice: Notice) -> tuple[Notice, Collection[str]]:
        """Who is told: by the sinks' settings; of what follows on something told, those who were told of it."""
        stands = self.outbox.standing.get(notice.key)
        if notice.action is Action.TRIGGER:
            old = self._clock.now() - parse_rfc3339(notice.at) > EXPIRES
            incident = stands.told.incident if stands is not None else notice.id
            notice = msgspec.structs.replace(notice, incident=incident)
            return notice, () if old else {name for name, sink in self.sinks.items() if wants(sink, notice)}
        if stands is None or (notice.action is Action.RESOLVE and not answers(notice, stands.told)):
            return notice, ()
        told = {"severity": stands.told.severity, "incident": stands.told.incident}
        return msgspec.structs.replace(notice, **told), stands.sinks & self.sinks.keys()

    # --- sending

    async def _sending(self, name: str) -> None:
        mail = self._mail[name]
        while True:
            mail.clear()
            parcel = self.outbox.next(name)
            wait = LOOK if parcel is None else self.rest(parcel)
            if parcel is None or wait > 0:
                await self._wait(mail, wait)
                continue
            try:
                await self._deliver(parcel)
            except JournalError as error:
                log.warning("notices: that %s was told cannot be kept: %s", parcel.notice.id, error)
                parcel.due = self._clock.monotonic() + LOOK

    def rest(self, parcel: Parcel) -> float:
        """Seconds until it may be tried; not above zero: now."""
        return max(parcel.due, self._quiet.get(parcel.sink, 0.0)) - self._clock.monotonic()

    async def _deliver(self, parcel: Parcel) -> None:
        sink = self.sinks[parcel.sink]
        try:
            answer = await self._courier.send(sink, parcel.notice)
        except Exception as error:
            log.exception("notice %s to %s", parcel.notice.id, parcel.sink)
            answer = Answer(Outcome.LATER, f"unexpected {type(error).__name__}")
        parcel.tries, parcel.words, parcel.hint = parcel.tries + 1, answer.words, answer.hint
        if answer.outcome is Outcome.DELIVERED:
            await self.outbox.sent(parcel)
        elif answer.outcome is Outcome.NEVER:
            await self._give_up(parcel, answer.words)
        else:
            self._postpone(parcel, answer)

    def _postpone(self, parcel: Parcel, answer: Answer) -> None:
        wait = pause(answer, parcel.tries)
        parcel.due = self._clock.monotonic() + wait
        log.info("notice %s to %s: %s, again in %.0f s", parcel.notice.id, parcel.sink, answer.words, wait)
        if answer.wait is not None:
            self._quiet[parcel.sink] = self._clock.monotonic() + answer.wait

    async def _give_up(self, parcel: Parcel, why: str) -> None:
        log.error("notice %s to %s is given up: %s", parcel.notice.id, parcel.sink, why)
        await self.outbox.give_up(parcel, why)

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        """Until ``event``, or ``seconds`` on the engine's clock have passed."""
        waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(self._clock.sleep(seconds))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def beat(self, notice: Notice) -> None:
        """Tell once more what stands, to webhooks that were told of it; not kept: the next beat is a minute away."""
        stands = self.outbox.standing.get(notice.key)
        waiting = {one.sink for one in self.outbox.waiting if one.notice.key == notice.key}
        told = (stands.sinks if stands else set()) - waiting
        notice = msgspec.structs.replace(notice, incident=stands.told.incident) if stands else notice
        sinks = [sink for sink in self.sinks.values() if sink.name in told and sink.kind == "webhook"]
        await asyncio.gather(*(self._courier.send(sink, notice) for sink in sinks))


def wants(sink: SinkSettings, notice: Notice) -> bool:
    return (
        notice.severity in sink.severities
        and (not sink.contexts or not notice.context or notice.context in sink.contexts)
        and (not sink.policies or notice.policy in sink.policies)
    )


def pause(answer: Answer, tries: int) -> float:
    """Seconds until the next try."""
    usual = LONG if answer.outcome is Outcome.REFUSED else min(LAST, FIRST * 2.0 ** min(tries - 1, 10))
    return max(usual, answer.wait or 0.0)


def age(parcel: Parcel, now: datetime) -> float:
    """Seconds since it was queued."""
    return max(0.0, (now - parcel.queued).total_seconds())
