"""A desk on a journal that outlives it, sinks that answer as they are told, and a clock that moves when told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lazarus_tui.config import SinkSettings
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.notify.desk import Desk
from lazarus_tui.notify.notice import Action, Notice, Severity, Told
from lazarus_tui.notify.outgoing import Answer, Outcome
from lazarus_tui.sandbox.clock import VirtualClock
from tests.engine.world import Severable

DELIVERED = Answer(Outcome.DELIVERED, "answered 200")
LATER = Answer(Outcome.LATER, "answered 503")


def sink(name: str = "siem", **fields: Any) -> SinkSettings:
    given = {"kind": "webhook", "url": "https://alerts.example/x", "secret": "env:KEY", **fields}
    return SinkSettings(name=name, **given)


def notice(key: str = "proof/c/shop", action: Action = Action.TRIGGER, n: int = 0, **fields: Any) -> Notice:
    told = {Action.TRIGGER: Told.PROOF_FAILED, Action.RESOLVE: Told.PROOF_PASSED}.get(action, Told.TAKEN_UP)
    given = {
        "id": f"{key}-{action}-{n}", "told": told, "action": action, "severity": Severity.ERROR, "key": key,
        "at": "2026-01-01T00:00:00Z", "title": "Proof FAILED: shop", "text": "3 orders instead of 5",
        "context": "c", "subject": "shop", "point": "b",
    }  # fmt: skip
    return Notice(**{**given, **fields})


class Post:
    """Stands where the courier does: keeps what it was ``handed``, answers by ``script`` (per sink), else takes it."""

    def __init__(self) -> None:
        self.handed: list[tuple[str, str]] = []
        self.taken: list[tuple[str, str]] = []
        self.notices: list[Notice] = []
        self.script: dict[str, list[Any]] = {}

    async def send(self, sink: SinkSettings, notice: Notice) -> Answer:
        self.handed.append((sink.name, notice.id))
        self.notices.append(notice)
        answers = self.script.get(sink.name, [])
        answer = answers.pop(0) if len(answers) > 1 else answers[0] if answers else DELIVERED
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            answer = DELIVERED
        assert isinstance(answer, Answer)
        if answer.outcome is Outcome.DELIVERED:
            self.taken.append((sink.name, notice.id))
        return answer


class Office:
    """``boot`` opens the journal and starts the desk; ``kill`` ends it as SIGKILL would."""

    def __init__(self, folder: Path, *sinks: SinkSettings) -> None:
        self.folder, self.sinks = folder, sinks or (sink(),)
        self.clock, self.post = VirtualClock(), Post()
        self._task: asyncio.Task[None] | None = None

    async def boot(self) -> Desk:
        journal = await Severable.open(self.folder / "engine.db", clock=self.clock)
        assert isinstance(journal, Severable)
        self.journal = journal
        self.desk = Desk(journal, self.clock, self.sinks, self.post)  # type: ignore[arg-type]
        await self.desk.load()
        self._task = asyncio.create_task(self.desk.run())
        await self.settle()
        return self.desk

    async def kill(self, *, lose: bool = False) -> None:
        self.journal.lose, self.journal.severed = lose, True
        await self.settle()
        await self.close()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            with contextlib.suppress(Exception):
                await self.journal.close()

    async def settle(self) -> None:
        """Let everything run that needs no time."""
        calm = 0
        while calm < 12:
            calm = 0 if self.journal._running or self.journal._turn.locked() else calm + 1
            await asyncio.sleep(0 if calm else 0.0001)

    async def pass_(self, seconds: float) -> None:
        await self.clock.advance(seconds, between=self.settle)
        await self.settle()

    async def happens(self, op: Operation, kind: str, body: Mapping[str, Any], params: Mapping[str, Any] = {}) -> None:
        """An operation's event with its record, as the runner keeps them; the desk is woken."""
        entry = (kind, body)
        if await self.journal.find(op.id):
            await self.journal.save(op, entry)
        else:
            plan = Plan(
                kind=op.kind, context=op.context, cluster_uid="u", target=op.target, title=op.title,
                danger=Danger.SAFE, params=dict(params), steps=(),
            )  # fmt: skip
            await self.journal.begin(op, plan, entry)
        self.desk.wake()
        await self.settle()


PLAN_DIGEST = Plan(
    kind="prove.run", context="c", cluster_uid="u", target="shop", title="Prove shop", danger=Danger.SAFE, params={},
    steps=(),
).digest()  # fmt: skip


def operation(n: int = 1, state: OpState = OpState.RUNNING, **fields: Any) -> Operation:
    given = {
        "id": f"{n:016x}", "kind": "prove.run", "context": "c", "target": "shop", "title": "Prove shop",
        "state": state, "plan_digest": PLAN_DIGEST, "started": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    return Operation(**{**given, **fields})
