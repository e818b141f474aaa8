"""The faults of one sandbox: added, drawn, written down, ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Protocol

from msgspec.structs import replace

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.sandbox.faults.facts import Facts
from lazarus_tui.sandbox.faults.kinds import KINDS, check, kind_named
from lazarus_tui.sandbox.faults.model import Fault, FaultRefused, Hit, Match, Wanted

# Hits kept; of older ones only the number is known.
LOG_SIZE = 10_000

_ORDER = {kind.name: place for place, kind in enumerate(KINDS)}
_ON_REQUESTS = frozenset(kind.name for kind in KINDS if kind.requests)

log = logging.getLogger(__name__)


class Effect(Protocol):
    """What a kind of fault does to a part of the sandbox when it begins and when it ends.

    Both return the things done, as (target, what was done). ``begin`` raises ``FaultRefused`` when it cannot.
    """

    async def begin(self, fault: Fault) -> list[tuple[str, str]]: ...

    async def end(self, fault: Fault) -> list[tuple[str, str]]: ...


@dataclass
class Active:
    """An active fault with its own source of chance."""

    fault: Fault
    random: Random
    over: asyncio.Event = field(default_factory=asyncio.Event)
    timer: asyncio.Task[None] | None = None

    @property
    def spent(self) -> bool:
        return self.fault.times is not None and self.fault.hits >= self.fault.times


@dataclass(frozen=True, slots=True)
class Strike:
    """A fault that meets one request. ``draw`` (0 to 1) is for whatever varies from request to request."""

    active: Active
    draw: float

    @property
    def kind(self) -> str:
        return self.active.fault.kind

    @property
    def match(self) -> Match:
        return self.active.fault.match

    def number(self, name: str) -> float:
        return float(self.active.fault.parameters.get(name, 0))

    def text(self, name: str) -> str:
        return str(self.active.fault.parameters[name])

    def flag(self, name: str) -> bool:
        return bool(self.active.fault.parameters.get(name))

    async def silence(self) -> None:
        """Not a byte until the fault ends; then the connection breaks."""
        await self.active.over.wait()
        raise ConnectionResetError("the silence ended with its fault")


# Whether a fault could be done to a request, chance apart.
Applies = Callable[[Strike, Facts], bool]


class Faults:
    """Belongs to one event loop. ``clock`` counts how long faults last; ``effects`` are by kind."""

    def __init__(self, clock: Clock, effects: Mapping[str, Effect] | None = None) -> None:
        self.clock = clock
        self.effects: dict[str, Effect] = dict(effects or {})
        self.log: deque[Hit] = deque(maxlen=LOG_SIZE)
        self.dropped = 0
        self._active: dict[str, Active] = {}
        self._number = 0
        self._ending: set[asyncio.Task[None]] = set()

    def active(self) -> list[Fault]:
        """In the order in which they were added."""
        return [one.fault for one in self._active.values()]

    def __bool__(self) -> bool:
        return bool(self._active)

    async def add(self, wanted: Wanted) -> Fault:
        """Begin a fault; raises ``FaultRefused``. One that only happens once is over when this returns."""
        wanted = check(wanted)
        kind = kind_named(wanted.kind)
        effect = self.effects.get(kind.name)
        if not kind.requests and effect is None:
            raise FaultRefused(f"this sandbox has nothing that {kind.name} could be done to")
        same = next((one.fault.id for one in self._active.values() if one.fault.kind == kind.name), "")
        if same and not (kind.requests or kind.several):
            raise FaultRefused(f"{same} is active already; clear it first")
        fault = self._made(wanted)
        done = await effect.begin(fault) if effect else []
        for target, what in done:
            self._write(fault, target, what)
        if kind.once and wanted.seconds is None and wanted.times is None:
            return replace(fault, hits=len(done))
        active = Active(fault, Random(f"{fault.kind}/{fault.seed}"))
        self._active[fault.id] = active
        if wanted.seconds is not None:
            active.timer = asyncio.create_task(self._end_after(fault.id, wanted.seconds), name=f"fault {fault.id}")
        return fault

    def _made(self, wanted: Wanted) -> Fault:
        self._number += 1
        now = self.clock.now()
        until = rfc3339(now + timedelta(seconds=wanted.seconds)) if wanted.seconds is not None else ""
        return Fault(
            f"{wanted.kind}-{self._number}",
            wanted.kind,
            wanted.parameters,
            wanted.match,
            wanted.probability,
            wanted.times,
            wanted.seed,
            rfc3339(now),
            until,
        )

    async def _end_after(self, name: str, seconds: float) -> None:
        await self.clock.sleep(seconds)
        active = self._active.get(name)
        if active is not None:
            active.timer = None
            await self._end(active)

    async def clear(self, name: str = "") -> list[Fault]:
        """End one fault or all; returns those that ended. Raises ``FaultRefused`` for a name that is not there."""
        if name and name not in self._active:
            raise FaultRefused(f"no fault {name!r} is active")
        chosen = [self._active[name]] if name else list(self._active.values())
        for active in chosen:
            await self._end(active)
        return [one.fault for one in chosen]

    async def _end(self, active: Active) -> None:
        if self._active.pop(active.fault.id, None) is None:
            return
        if active.timer is not None:
            active.timer.cancel()
        active.over.set()
        effect = self.effects.get(active.fault.kind)
        for target, what in await effect.end(active.fault) if effect else ():
            self._write(active.fault, target, what)

    async def close(self) -> None:
        """End the faults without undoing anything: the sandbox ends too."""
        tasks = [*(one.timer for one in self._active.values() if one.timer), *self._ending]
        for active in self._active.values():
            active.over.set()
        self._active.clear()
        for task in tasks:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)

    # --- requests

    def plan(self, facts: Facts, applies: Applies, final: Callable[[Strike], bool]) -> list[Strike]:
        """The faults that this request meets, in the order of the table of kinds; none after one that is ``final``.

        Two numbers are drawn whenever a fault could strike: what one does never depends on what another does.
        """
        met: list[Strike] = []
        for active in sorted(self._active.values(), key=lambda one: _ORDER[one.fault.kind]):
            strike = self._struck(active, facts, applies)
            if strike is not None:
                met.append(strike)
                if final(strike):
                    break
        return met

    def meets(self, kind: str, facts: Facts, applies: Applies, seen: set[str]) -> Strike | None:
        """The first fault of a kind that meets something under way; those in ``seen`` were asked before."""
        for active in self._active.values():
            if active.fault.kind == kind and active.fault.id not in seen:
                strike = self._struck(active, facts, applies)
                if strike is not None:
                    return strike
                if applies(Strike(active, 0.0), facts):
                    seen.add(active.fault.id)
        return None

    @staticmethod
    def _struck(active: Active, facts: Facts, applies: Applies) -> Strike | None:
        if active.fault.kind not in _ON_REQUESTS or active.spent or not applies(Strike(active, 0.0), facts):
            return None
        chance, draw = active.random.random(), active.random.random()
        return Strike(active, draw) if chance < active.fault.probability else None

    def hit(self, active: Active, target: str, done: str) -> None:
        """Write down what was done; the last time it may happen ends the fault, unless it still holds something."""
        active.fault = replace(active.fault, hits=active.fault.hits + 1)
        self._write(active.fault, target, done)
        if active.spent and active.fault.kind != "stall":
            task = asyncio.ensure_future(self._end(active))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    def note(self, kind: str, target: str, done: str) -> None:
        """A hit of a fault that is done to a part of the sandbox: counted for the one of this kind, if it is active."""
        for active in self._active.values():
            if active.fault.kind == kind:
                self.hit(active, target, done)
                return

    def _write(self, fault: Fault, target: str, done: str) -> None:
        if len(self.log) == LOG_SIZE:
            self.dropped += 1
        self.log.append(Hit(rfc3339(self.clock.now(), milli=True), fault.id, fault.kind, target, done))
        log.info("fault %s: %s: %s", fault.id, target, done)
