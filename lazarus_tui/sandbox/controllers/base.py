"""Controllers and the loop that runs them: events become keys, keys are reconciled, failures are tried again later.

A controller only ever compares what is asked for with what is there, so an event that is lost, doubled or late costs
nothing. Waiting is done on futures alone: a quiet cluster uses no processor time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import Resource
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.clock import VirtualClock

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

log = logging.getLogger(__name__)

# Namespace ("" for cluster-scoped kinds) and name.
Key: TypeAlias = tuple[str, str]
Object: TypeAlias = dict[str, Any]

# Seconds before the first and between later attempts at a key that failed.
RETRY_FIRST, RETRY_MOST = 0.1, 30.0
# Answers that are no fault of a controller: a quota or a namespace that ends, what went, what somebody else did first.
_EXPECTED = (403, 404, 409)
# settle() waits for retries that are due within this many seconds of real time; later ones count as quiet.
_SHORT_RETRY = 1.0


def key_of(obj: Object) -> Key:
    meta = obj["metadata"]
    return meta.get("namespace", ""), meta["name"]


class Controller:
    """Brings the objects of one kind to what they ask for.

    ``watches`` are the kinds whose changes it hears (``hears_all``: every kind); ``keys`` says which of its own keys
    such a change concerns.
    ``reconcile`` may be cancelled at any await and must be able to run again from the start.
    """

    name: ClassVar[str] = ""
    watches: ClassVar[Sequence[Resource]] = ()
    hears_all: ClassVar[bool] = False
    workers: ClassVar[int] = 1

    def __init__(self, api: LocalApi, clock: Clock) -> None:
        self.api, self.clock = api, clock
        self._waiting: dict[Key, None] = {}
        self._active: set[Key] = set()
        self._later: dict[Key, tuple[float, asyncio.Task[None]]] = {}
        self._failures: dict[Key, int] = {}
        self._news = asyncio.Event()

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        """The keys a change concerns; without an override, the changed object's own."""
        return (key_of(obj),)

    async def reconcile(self, key: Key) -> float | None:
        """One comparison and what follows from it; seconds until the next look, or None to wait for events."""
        raise RuntimeError(f"{type(self).__name__} reconciles nothing")

    async def start(self) -> None:
        """Called once before the first event."""

    async def stop(self) -> None:
        """Called once after the last reconcile."""

    @property
    def idle(self) -> bool:
        """Nothing queued and nothing being worked on."""
        return not self._waiting and not self._active

    def enqueue(self, key: Key) -> None:
        """Has ``key`` reconciled soon; a key that waits already is not added twice."""
        self._waiting[key] = None
        self._news.set()

    def enqueue_after(self, key: Key, seconds: float) -> None:
        """Has ``key`` reconciled in ``seconds`` by the clock; of several such wishes the earliest wins."""
        due = self.clock.monotonic() + seconds
        earlier = self._later.get(key)
        if earlier and earlier[0] <= due:
            return
        if earlier:
            earlier[1].cancel()
        self._later[key] = (due, asyncio.create_task(self._enqueue_at(key, seconds), name=f"{self.name}: later {key}"))

    async def _enqueue_at(self, key: Key, seconds: float) -> None:
        await self.clock.sleep(seconds)
        self._later.pop(key, None)
        self.enqueue(key)

    async def work(self) -> None:
        """One worker: takes keys for ever. A key being worked on elsewhere waits until that is done."""
        while True:
            key = next((key for key in self._waiting if key not in self._active), None)
            if key is None:
                self._news.clear()
                await self._news.wait()
                continue
            del self._waiting[key]
            self._active.add(key)
            try:
                await self._attempt(key)
            finally:
                self._active.discard(key)
                self._news.set()
            await asyncio.sleep(0)

    async def _attempt(self, key: Key) -> None:
        try:
            again = await self.reconcile(key)
        except Exception as fault:
            failures = self._failures[key] = self._failures.get(key, 0) + 1
            if not isinstance(fault, ApiError) or fault.status not in _EXPECTED:
                log.warning("%s: %s failed (attempt %d)", self.name, "/".join(key), failures, exc_info=fault)
            self.enqueue_after(key, min(RETRY_FIRST * 2 ** (failures - 1), RETRY_MOST))
            return
        self._failures.pop(key, None)
        if again is not None:
            self.enqueue_after(key, again)

    def retry_due_within(self, seconds: float) -> bool:
        """A failed key is to be tried again that soon."""
        limit = self.clock.monotonic() + seconds
        return any(key in self._failures and due <= limit for key, (due, _) in self._later.items())

    async def close(self) -> None:
        """Ends what waits for later, then the controller itself."""
        tasks = [task for _, task in self._later.values()]
        self._later.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.stop()


class Loop:
    """Runs controllers against one API until it is stopped."""

    def __init__(self, api: LocalApi, clock: Clock, controllers: Iterable[Controller]) -> None:
        self.api, self.clock = api, clock
        self.controllers = list(controllers)
        self._hearers: dict[Resource, list[Controller]] = {}
        self._tasks: dict[Controller, list[asyncio.Task[None]]] = {}
        self._unsubscribe: Callable[[], None] | None = None

    async def start(self) -> None:
        """Starts all controllers and has them look at everything that exists."""
        for controller in self.controllers:
            await controller.start()
        self._unsubscribe = self.api.subscribe(self._heard)
        self._begin(self.controllers)

    def _begin(self, controllers: Sequence[Controller]) -> None:
        heard = [resource for controller in controllers for resource in controller.watches]
        if any(controller.hears_all for controller in controllers):
            heard += [kind.resource for kind in self.api.registry.kinds() if "list" in kind.verbs]
        for resource in dict.fromkeys(heard):
            hearers = [one for one in controllers if one.hears_all or resource in one.watches]
            for obj in self.api.list(resource):
                self._place(hearers, resource, obj, None)
        for controller in controllers:
            self._tasks[controller] = [
                asyncio.create_task(controller.work(), name=f"controller {controller.name}")
                for _ in range(controller.workers)
            ]

    async def add(self, controllers: Sequence[Controller]) -> None:
        """Start more controllers while the loop runs, as the start of their process would."""
        for controller in controllers:
            await controller.start()
        self.controllers += controllers
        self._hearers.clear()
        self._begin(controllers)

    async def remove(self, controllers: Sequence[Controller]) -> None:
        """End controllers as the end of their process would: what they are doing is cut off, what they know is lost."""
        self.controllers = [one for one in self.controllers if one not in controllers]
        self._hearers.clear()
        tasks = [task for one in controllers for task in self._tasks.pop(one, ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._close(controllers)

    async def stop(self) -> None:
        """Ends all controllers, the last one first; what they were doing is cancelled."""
        if self._unsubscribe:
            self._unsubscribe()
            self._unsubscribe = None
        tasks = [task for some in self._tasks.values() for task in some]
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._close(self.controllers)

    @staticmethod
    async def _close(controllers: Sequence[Controller]) -> None:
        for controller in reversed(controllers):
            try:
                await controller.close()
            except Exception:
                log.exception("%s did not stop cleanly", controller.name)

    async def settle(self) -> None:
        """Returns when no controller has anything queued, in work or, in real time, to be tried again within a second.

        With a ``VirtualClock`` time stands still meanwhile: retries wait for ``advance``.
        """
        turns = 0
        while True:
            quiet = 0
            while quiet < 5 and all(controller.idle for controller in self.controllers):
                quiet += 1
                await asyncio.sleep(0)
            if quiet == 5 and not self._retrying():
                return
            turns += 1
            await asyncio.sleep(0 if turns < 200 and quiet < 5 else 0.002)

    def _retrying(self) -> bool:
        if isinstance(self.clock, VirtualClock):
            return False
        return any(controller.retry_due_within(_SHORT_RETRY) for controller in self.controllers)

    def _heard(self, kind: str, resource: Resource, obj: Object, old: Object | None) -> None:
        hearers = self._hearers.get(resource)
        if hearers is None:
            hearers = [one for one in self.controllers if one.hears_all or resource in one.watches]
            self._hearers[resource] = hearers
        self._place(hearers, resource, obj, old)

    @staticmethod
    def _place(hearers: Sequence[Controller], resource: Resource, obj: Object, old: Object | None) -> None:
        for controller in hearers:
            try:
                for key in controller.keys(resource, obj, old):
                    controller.enqueue(key)
            except Exception:
                log.exception("%s could not place a change of %s", controller.name, resource.plural)
