"""Every write of every operation meets trouble, once or until somebody mends it: it ends as promised, or waits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.operation import OpState
from tests.crash import branch
from tests.crash.lives import NEVER, SCENES, Case, Life
from tests.engine.world import WRITES
from tests.snapshots.stage import staged

# Statuses with their reasons; some stay until somebody mends them, as a missing right or a denying webhook does.
ONCE = {409: "Conflict", 429: "TooManyRequests", 500: "InternalError"}
STAYS = {401: "Unauthorized", 403: "Forbidden", 422: "Invalid"}
TROUBLES = ("answer lost", "not sent", "500 after", *(str(code) for code in (*ONCE, *STAYS)))


def status(code: int, reason: str) -> HttpResponse:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason,
            "message": f"trouble on purpose: {reason}"}  # fmt: skip
    headers = {"content-type": "application/json", **({"retry-after": "1"} if code == 429 else {})}
    return HttpResponse(code, headers, json.dumps(body).encode())


@dataclass
class Trouble:
    """A transport that gives trouble at the ``n``-th write; ``hits`` says how often it did."""

    inner: Any
    n: int
    kind: str
    seen: int = 0
    hits: int = 0
    target: tuple[str, str] | None = None
    mended: bool = False

    async def send(self, request: HttpRequest) -> HttpResponse:
        if request.method not in WRITES or "/leases" in request.path or "reviews" in request.path:
            return await self.inner.send(request)
        if dict(request.query).get("dryRun"):
            return await self.inner.send(request)
        self.seen += 1
        begins = self._begins()
        if begins:
            self.target = (request.method, request.path)
        again = self._stays and not self.mended and self.target == (request.method, request.path)
        if not begins and not again:
            return await self.inner.send(request)
        self.hits += 1
        return await self._trouble(request)

    def _begins(self) -> bool:
        return self.seen == self.n

    @property
    def _stays(self) -> bool:
        return self.kind.isdigit() and int(self.kind) in STAYS

    async def _trouble(self, request: HttpRequest) -> HttpResponse:
        if self.kind == "not sent":
            raise ConnectionRefusedError("trouble on purpose")
        if self.kind in ("answer lost", "500 after"):
            await self.inner.send(request)
            if self.kind == "answer lost":
                raise ConnectionResetError("trouble on purpose")
            return status(500, "InternalError")
        code = int(self.kind)
        return status(code, {**ONCE, **STAYS}[code])

    def stream(self, request: HttpRequest) -> Any:
        return self.inner.stream(request)

    def websocket(self, request: HttpRequest, subprotocols: tuple[str, ...]) -> Any:
        return self.inner.websocket(request, subprotocols)

    async def close(self) -> None:
        return None


class TroubledCase(Case):
    """The operation with trouble at its ``n``-th write; where it waits, the cause is mended and it goes on."""

    def __init__(self, *given: Any, kind: str) -> None:
        super().__init__(*given)
        self.n, self.kind, self.k = self.k, kind, NEVER
        self.trouble: Trouble | None = None

    async def run(self) -> Life:
        life = await super().run()
        life.cut = self.trouble is not None and self.trouble.hits > 0
        return life

    def _troubling(self, inner: Any) -> Trouble:
        return Trouble(inner, self.n, self.kind)

    async def _live(self, k: int, begin: Any) -> Any:
        self.trouble = self.engine.wire._inner = self._troubling(self.engine.wire._inner)
        points, done = await super()._live(k, begin)
        self.breaches += self.watcher.always(self.stage)
        if done is not None and done.state is OpState.PARKED:
            self.trouble.mended = True
            if not done.message:
                self.breaches.append("it waits and does not say why")
            await self.engine.passing(self.engine.runner.resume(done.id))
            done = await self.engine.finish(done.id)
        return points, done


class EveryTrouble(TroubledCase):
    """A branch for every kind of trouble at every ``stride``-th write; what all branch off from meets none."""

    def __init__(self, *given: Any, stride: int) -> None:
        super().__init__(*given, kind="none")
        self.stride, self.cases = stride, list[dict[str, Any]]()

    def _troubling(self, inner: Any) -> Trouble:
        return Branching(inner, 0, self.kind, case=self)

    def told(self, life: Life) -> dict[str, Any]:
        return {**super().told(life), "at": self.n, "who": self.kind}


@dataclass
class Branching(Trouble):
    case: EveryTrouble | None = None

    def _begins(self) -> bool:
        case = self.case
        if case is None or case.child or self.seen % case.stride:
            return super()._begins()
        for kind in TROUBLES:
            case.child, told = branch.fork(lambda: branch.reopen(case.engine.journal))
            if case.child:
                self.kind, self.n = case.kind, case.n = kind, self.seen
                return True
            case.cases += branch.heard(told, self.seen, kind)
        return False


async def case(name: str, n: int, kind: str) -> Life:
    """One operation in a world of its own."""
    scene = SCENES[name]
    async with staged(**scene.stage) as (stage, engine):
        return await TroubledCase(scene, n, "same journal", stage, engine, kind=kind).run()


async def _every(name: str, stride: int) -> dict[str, Any]:
    scene = SCENES[name]
    async with staged(**scene.stage) as (stage, engine):
        found = EveryTrouble(scene, NEVER, "same journal", stage, engine, stride=stride)
        life = await branch.through(found)
        return {"name": name, "writes": life.writes, "breaches": life.breaches, "cases": found.cases}


def sweep(name: str, stride: int = 1) -> dict[str, Any]:
    """Every kind of trouble at every write of one operation: how many writes there are, and what came of each case."""
    return branch.run(lambda: _every(name, stride))
