"""Follows topics for a console: one pull at a time, deltas applied, reconnected for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from lazarus_tui.link.client.live import Client
from lazarus_tui.link.codec import LinkFault, LinkLost
from lazarus_tui.link.protocol import PullResult, TopicUpdate
from lazarus_tui.model.clock import Clock, SystemClock
from lazarus_tui.model.topics import record

T = TypeVar("T")

# Seconds between two pulls: 4-5 Hz is all a person sees (design.md §4).
INTERVAL = 0.2
# How long the engine may hold a pull without news.
WAIT = 20.0
# Seconds before the first and between later attempts to reach an engine that is gone.
RETRY = (0.1, 0.25, 0.5, 1.0)


class LinkState(StrEnum):
    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOST = "lost"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class TopicState:
    """What is known of a topic. ``records`` is replaced, never edited: keep a reference and compare later.

    ``state`` is loading, ready, stale or failed; ``reason`` and ``hint`` explain the last two; ``as_of`` is the
    RFC 3339 time of the last contact with the source.
    """

    version: int = 0
    state: str = "loading"
    reason: str = ""
    hint: str = ""
    as_of: str = ""
    records: dict[str, Any] = field(default_factory=dict)


def apply(state: TopicState, update: TopicUpdate) -> TopicState | None:
    """``state`` with ``update`` in it; None when the update does not follow from it (pull the topic again)."""
    if update.base is not None and update.base != state.version:
        return None
    decoder = _decoder(update.topic)
    news = {key: decoder.decode(raw) for key, raw in zip(update.keys, update.upserts, strict=True)}
    if update.base is None:
        records = news
    elif news or update.removed:
        records = {**state.records, **news}
        for key in update.removed:
            records.pop(key, None)
    else:
        records = state.records
    return replace(
        state,
        version=update.version,
        state=update.state,
        reason=update.reason,
        hint=update.hint,
        as_of=update.as_of,
        records=records,
    )


_decoders: dict[str, msgspec.json.Decoder[Any]] = {}


def _decoder(topic: str) -> msgspec.json.Decoder[Any]:
    name = topic.split("/", 1)[0]
    if name not in _decoders:
        _decoders[name] = msgspec.json.Decoder(record(name))
    return _decoders[name]


class Topics:
    """Keeps the newest state of the wanted topics.

    ``connect`` makes a connected ``Client`` (it may start an engine first); ``on_connect`` runs after every connect,
    before the first pull (a console asks for its context there). ``on_change(names)`` is called with the topics that
    changed; ``on_link(state, reason)`` when the link changes. ``run`` never ends by itself.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Client]],
        *,
        on_change: Callable[[frozenset[str]], None],
        on_link: Callable[[LinkState, str], None] = lambda state, reason: None,
        on_connect: Callable[[Client], Awaitable[None]] | None = None,
        interval: float = INTERVAL,
        clock: Clock | None = None,
    ) -> None:
        self._connect, self._on_connect = connect, on_connect
        self._on_change, self._on_link = on_change, on_link
        self._interval, self._clock = interval, clock or SystemClock()
        self._states: dict[str, TopicState] = {}
        self._known: dict[str, int] = {}
        self._wanted: set[str] = set()
        self._changed = asyncio.Event()
        self._attempt = 0
        self.client: Client | None = None

    def state(self, topic: str) -> TopicState:
        """The newest state of ``topic``; loading and empty when nothing is known yet."""
        return self._states.get(topic, TopicState())

    def want(self, topics: Iterable[str]) -> None:
        """From now on follow exactly these. What was known of the others is kept, and brought up to date later."""
        wanted = set(topics)
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.set()

    async def call(self, method: str, params: dict[str, Any], type: type[T], *, timeout: float = 60.0) -> T:
        """Ask the engine over the same connection; raises ``LinkLost`` while there is none."""
        if self.client is None:
            raise LinkLost("the engine is not connected")
        return await self.client.call(method, params, type, timeout=timeout)

    async def run(self) -> None:
        """Connect, pull, reconnect: until cancelled."""
        self._attempt = 0
        while True:
            self._on_link(LinkState.CONNECTING, "")
            try:
                self.client = await self._connect()
                try:
                    await self._follow(self.client)
                finally:
                    client, self.client = self.client, None
                    await client.close()
            except LinkLost as error:
                self._on_link(LinkState.LOST, str(error))
            except LinkFault as error:
                self._on_link(LinkState.REFUSED, error.fault.what)
            await self._clock.sleep(RETRY[min(self._attempt, len(RETRY) - 1)])
            self._attempt += 1

    async def _follow(self, client: Client) -> None:
        self._known.clear()  # another engine may have other versions: ask for everything once
        if self._on_connect is not None:
            await self._on_connect(client)
        self._on_link(LinkState.CONNECTED, "")
        while True:
            started = self._clock.monotonic()
            await self._pull(client)
            self._attempt = (
                0  # only now it works: a connection that is refused every time is not tried ten times a second
            )
            await self._rest(self._interval - (self._clock.monotonic() - started))

    async def _rest(self, seconds: float) -> None:
        """Keep to the rate, unless a person has just asked for something else: that is answered at once."""
        if seconds > 0:
            await _first(self._clock.sleep(seconds), self._changed.wait())

    async def _pull(self, client: Client) -> None:
        self._changed.clear()
        if not self._wanted:
            await _first(self._changed.wait(), client.lost.wait())
            if client.lost.is_set():
                raise LinkLost("the engine went away")
            return
        known = {topic: self._known.get(topic, 0) for topic in sorted(self._wanted)}
        params = {"known": known, "wait": WAIT}
        pull = asyncio.create_task(client.call("pull", params, PullResult, timeout=WAIT + 10))
        try:
            await _first(pull, self._changed.wait())
            if pull.done():
                self._apply(pull.result())
        finally:
            pull.cancel()
            await asyncio.gather(pull, return_exceptions=True)  # its end is not ours: who cancels us is heard

    def _apply(self, result: PullResult) -> None:
        changed = set()
        for update in result.updates:
            before = self.state(update.topic) if self._known.get(update.topic) else TopicState()
            try:
                after = apply(before, update)
            except msgspec.MsgspecError as error:
                after = TopicState(update.version, "failed", f"the engine's records are not understood: {error}")
            if after is None:
                self._known.pop(update.topic, None)
                continue
            self._states[update.topic] = after
            self._known[update.topic] = after.version
            changed.add(update.topic)
        if changed:
            self._on_change(frozenset(changed))


async def _first(*waits: Awaitable[Any]) -> None:
    """Return when the first of ``waits`` is done; those that were wrapped here are cancelled, a given task is not."""
    given = {wait for wait in waits if isinstance(wait, asyncio.Task)}
    tasks = {asyncio.ensure_future(wait) for wait in waits}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks - given:
            task.cancel()
        await asyncio.gather(*(tasks - given), return_exceptions=True)
