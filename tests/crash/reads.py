"""A right to read is taken away in every step, and given back: it names what is missing, and goes on where it was.

``python -m tests.crash.reads``; its last line is one JSON object of counts. ``QUICK=1`` takes every 10th.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.operation import Operation, StepState
from tests.crash.operations import SCENES
from tests.crash.ordeal import Hardship, Ordeal, Told
from tests.crash.tally import Case, tallied
from tests.crash.troubled import STAYS, status
from tests.engine.world import Engine
from tests.snapshots.stage import Stage, staged

CODES = (401, 403)
# Read to tell somebody something, and left out where that is not allowed.
COURTESY = "events"
# What is read: the step, the collection of the path, and whether it was one object or the list.
Read = tuple[str, str, str]


def what(request: HttpRequest) -> tuple[str, str]:
    """("get" or "list", collection) of a read, as a rule of RBAC has them."""
    parts = request.path.strip("/").split("/")
    parts = parts[3:] if parts[0] == "apis" else parts[2:]
    if len(parts) > 2 and parts[0] == "namespaces":
        parts = parts[2:]
    return ("get" if len(parts) > 1 else "list"), parts[0]


@dataclass
class Gateway:
    """A transport that refuses one kind of read from one step on."""

    inner: Any
    rights: Rights
    engine: Engine

    async def send(self, request: HttpRequest) -> HttpResponse:
        if request.method == "GET" and "/leases" not in request.path and self.rights.refuses(self.engine, request):
            return status(self.rights.code, STAYS[self.rights.code])
        return await self.inner.send(request)

    def stream(self, request: HttpRequest) -> Any:
        return self.inner.stream(request)

    def websocket(self, request: HttpRequest, subprotocols: tuple[str, ...]) -> Any:
        return self.inner.websocket(request, subprotocols)

    async def close(self) -> None:
        return None


class Rights(Hardship):
    """From the first ``read`` of its step on, reads of that kind are refused until the right is given back."""

    def __init__(self, read: Read | None = None, code: int = CODES[0]) -> None:
        self.read, self.code, self.reads = read, code, list[Read]()
        self.given_back, self.path, self.was = False, "", ""
        self.done: dict[str, str] = {}

    def begin(self, engine: Engine, stage: Stage) -> None:
        engine.wire._inner = Gateway(engine.wire._inner, self, engine)

    def refuses(self, engine: Engine, request: HttpRequest) -> bool:
        step = next((e.gate.step for e in engine.runner._running.values() if e.gate is not None), "")
        if not step:
            return False
        found = (step, *what(request))
        if found not in self.reads:
            self.reads.append(found)
        if self.given_back or self.read is None or (not self.hits and found != self.read) or found[1:] != self.read[1:]:
            return False
        self.hits += 1
        self.path = self.path or request.path
        return True

    async def mend(self, stage: Stage) -> None:
        self.given_back = True

    def seen(self, parked: Operation, stage: Stage) -> Sequence[str]:
        assert self.read is not None
        self.was = self.read[0]
        self.done = {step.name: step.started for step in parked.steps if step.state is StepState.DONE}
        wanted = f"missing right: GET {self.path} ({self.code}"
        return () if parked.message.startswith(wanted) else [f"it says {parked.message!r}, not {wanted!r}"]

    def ended(self, done: Operation, stage: Stage) -> Sequence[str]:
        """No step that was done is done again."""
        return [
            f"step {step.name} began again, at {step.started}"
            for step in done.steps
            if step.name in self.done and step.state is StepState.DONE and step.started != self.done[step.name]
        ]


async def case(name: str, rights: Rights) -> Told:
    scene = SCENES[name]
    async with staged(replicas=scene.replicas) as (stage, engine):
        ordeal = Ordeal(scene, stage, engine, rights)
        told = await ordeal.run()
        begun = [event for event in ordeal.events if event.kind == "op.begun" and event.op == ordeal.op]
        if len(begun) != 1:
            told.breaches.append(f"it began {len(begun)} times")
        return told


def work(given: tuple[str, Read, int]) -> Case:
    name, read, code = given
    told = asyncio.run(case(name, Rights(read, code)))
    if bool(told.parked) is (read[2] == COURTESY):
        told.breaches.append(f"it waited {told.parked} times")
    return Case(f"{name}, {code} for {read[1]} {read[2]} in step {read[0]}", told)


def everything(stride: int) -> list[tuple[str, Read, int]]:
    found = []
    for name in SCENES:
        nobody = Rights()
        asyncio.run(case(name, nobody))
        found += [(name, read, code) for read in nobody.reads for code in CODES]
    return found[::stride]


if __name__ == "__main__":
    sys.exit(tallied("reads refused", work, everything))
