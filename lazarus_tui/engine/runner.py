"""Starts, recovers, parks, undoes operations; one at a time per target. The link's service calls this."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from lazarus_tui.engine.adoption import Capsule, adopted
from lazarus_tui.engine.beginning import DECISIONS, begun, check_cluster, consent, identity, kept
from lazarus_tui.engine.closing import closed, elsewhere, named
from lazarus_tui.engine.context import Surroundings
from lazarus_tui.engine.errors import ARM, Refused
from lazarus_tui.engine.execution import Execution
from lazarus_tui.engine.ledger import Ledger
from lazarus_tui.engine.letting_go import given_up, keep_trying
from lazarus_tui.engine.registry import Registry
from lazarus_tui.engine.resume import decide, direction, mismatch
from lazarus_tui.journal import JournalError
from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.freezes import pods_held
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.model.steps import OperationType, Step
from lazarus_tui.model.topics import LogLine

log = logging.getLogger(__name__)

Target = tuple[str, str]  # context and target


def new_id() -> str:
    """16 hex digits; the first eight name the operation's objects."""
    return secrets.token_hex(8)


class Runner:
    """Every method that changes something raises ``Refused`` with the reason, and then nothing has changed."""

    def __init__(self, registry: Registry, around: Surroundings, *, make_id: Callable[[], str] = new_id) -> None:
        self._registry, self._around, self._make_id = registry, around, make_id
        self._running: dict[str, Execution] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._parked: dict[str, Operation] = {}
        self._targets: dict[Target, str] = {}
        self._revoked: set[str] = set()
        self._deciding: set[str] = set()
        self._freeing: dict[str, asyncio.Task[None]] = {}
        self._closing = False

    # --- looking

    @property
    def open(self) -> tuple[Operation, ...]:
        """Running and parked operations, as they are now."""
        return (*(execution.ledger.operation for execution in self._running.values()), *self._parked.values())

    async def operations(self, limit: int = 200) -> list[Operation]:
        """Newest first; those that run as they are in memory, the rest as the journal has them."""
        live = {operation.id: operation for operation in self.open}
        return [live.get(found.id, found) for found in await self._around.journal.operations(limit)]

    async def get(self, prefix: str) -> Operation:
        """By id or unique beginning of one."""
        found = await self._around.journal.find(prefix) if prefix else []
        exact = [operation for operation in found if operation.id == prefix] or found
        if not exact:
            raise Refused(f"no operation {prefix!r}", code="not-found", hint="list them: lazarus operation list")
        if len(exact) > 1:
            what = f"{prefix!r} is the beginning of several operations"
            raise Refused(what, code="not-found", hint="give more of it")
        return next((live for live in self.open if live.id == exact[0].id), exact[0])

    async def lines(self, op: str, after: int = 0) -> Sequence[LogLine]:
        return await self._around.journal.lines(op, after)

    async def wait(self, op: str) -> Operation:
        """The operation once it is terminal or parked."""
        task = self._tasks.get(op)
        if task is not None:
            await asyncio.wait({task})
        return await self.get(op)

    # --- starting

    async def start(self, plan: Plan, digest: str, confirm: str = "", *, by: str = "") -> Operation:
        """Begin an approved plan; returns as soon as the journal has it. ``by``: whose consent stands for arming."""
        kind, steps = self._approve(plan, digest, confirm, by)
        op = await identity(plan, self._around.journal, self._make_id)
        key = (plan.context, plan.target)
        holder = self._targets.get(key)
        if holder is not None:
            what = next((f"{o.title} ({o.state.value})" for o in self.open if o.id == holder), "another operation")
            raise Refused(
                f"operation {holder[:8]} works on {plan.target}: {what}",
                where=plan.context,
                hint=f"wait for it: lazarus watch {holder[:8]}, or: lazarus undo {holder[:8]}",
            )
        self._targets[key] = op
        try:
            await check_cluster(plan, self._around.clusters)
            operation = begun(op, plan, digest, rfc3339(self._around.clock.now(), micro=True))
            body = {"plan_digest": digest, "confirmed": by or bool(confirm), "kind": plan.kind, "target": plan.target}
            launch = partial(self._launch, operation, plan, kind, steps, by)
            await kept(partial(self._around.journal.begin, operation, plan, ("op.begun", body)), launch)
        except BaseException as error:
            if op not in self._running:  # else it is begun, and only whoever asked has gone
                self._targets.pop(key, None)
            if isinstance(error, JournalError):
                raise Refused(f"{error.what}; nothing was started", hint=error.hint) from error
            raise
        return operation

    def _approve(self, plan: Plan, digest: str, confirm: str, by: str) -> tuple[OperationType, Sequence[Step]]:
        if self._closing:
            raise Refused("the engine is stopping", hint="start it again")
        if plan.digest() != digest:
            raise Refused("the plan is not the one that was shown", hint="make the plan again and look at it")
        if plan.danger is Danger.DESTROYS and confirm != plan.target:
            raise Refused(f"the name {plan.target!r} was not confirmed", where=plan.title, hint="type the name exactly")
        if not by and not self._around.armed(plan.context):
            raise Refused(f"context {plan.context} is read-only", code="read-only", hint=ARM)
        kind = self._registry.get(plan.kind)
        steps = kind.steps(plan, self._registry)
        if different := mismatch(plan, steps):
            raise Refused(f"the plan was made by another version: {different}", hint="make the plan again")
        return kind, steps

    def _launch(
        self, operation: Operation, plan: Plan, kind: OperationType, steps: Sequence[Step], by: str = "", *,
        seize: bool = False,
    ) -> None:  # fmt: skip
        """Called when the journal has it: both say one thing. What comes too late here, the next engine begins."""
        if self._closing:
            return
        if not by:
            self._revoked.discard(plan.context)
        around = self._around
        ledger = Ledger(operation, around.journal, around.clock, around.on_change, around.on_lines)
        if operation.recoveries and operation.changed:
            ledger.add_seconds((around.clock.now() - parse_rfc3339(operation.changed)).total_seconds())
        execution = Execution(ledger, plan, kind, steps, around, lambda: bool(by) or plan.context not in self._revoked)
        execution.seize = seize
        self._parked.pop(operation.id, None)
        if (freeing := self._freeing.pop(operation.id, None)) is not None:
            freeing.cancel()
        self._running[operation.id] = execution
        self._targets[(operation.context, operation.target)] = operation.id
        ledger.publish_now()
        self._tasks[operation.id] = self._spawn(self._guard(execution))

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work)

    async def _guard(self, execution: Execution) -> None:
        """Run to the end; an error of our own parks the operation instead of taking the engine down."""
        ledger = execution.ledger
        try:
            await execution.run()
        except Exception as error:
            log.exception("operation %s", ledger.operation.id)
            if ledger.operation.state in (OpState.RUNNING, OpState.UNDOING):
                await ledger.park_by_defect(f"unexpected {type(error).__name__} in the engine")
        finally:
            self._settled(ledger.operation, execution.plan)

    def _settled(self, operation: Operation, plan: Plan | None = None) -> None:
        self._running.pop(operation.id, None)
        self._tasks.pop(operation.id, None)
        if operation.state is OpState.PARKED:
            self._stands(operation, plan)
        elif not operation.state.open:
            self._targets.pop((operation.context, operation.target), None)

    def _stands(self, operation: Operation, plan: Plan | None) -> None:
        """A parked operation; what it still holds in a workload does not wait for a person."""
        self._parked[operation.id] = operation
        kind, _ = self._registry.known(plan) if pods_held(operation) else (None, None)
        if plan is not None and kind is not None and not self._closing:
            self._freeing[operation.id] = asyncio.create_task(self._free(operation, plan, kind))

    async def _free(self, operation: Operation, plan: Plan, kind: OperationType) -> None:
        around = self._around
        ledger = Ledger(operation, around.journal, around.clock, around.on_change, around.on_lines)
        try:
            await keep_trying(Execution(ledger, plan, kind, (), around, lambda: False), around.clock)
        finally:
            if operation.id in self._parked:
                self._parked[operation.id] = ledger.operation

    # --- after a crash

    async def recover(self) -> list[Operation]:
        """Take up what was open when the last engine ended. Call once, before ``start``."""
        found = []
        for operation in await self._around.journal.open_operations():
            self._targets[(operation.context, operation.target)] = operation.id
            found.append(await self._recover(operation))
        return found

    async def _recover(self, operation: Operation) -> Operation:
        journal = self._around.journal
        plan = await journal.plan(operation.id)
        kind, steps = self._registry.known(plan)
        earlier = await journal.events(operation.id, "op.recovered")
        decision = decide(operation, plan, steps, earlier, self._around.clock.now())
        if decision.state is OpState.PARKED:
            if operation.state is not OpState.PARKED:
                body = {"was": operation.state.value, "message": decision.why}
                operation = msgspec.structs.replace(
                    operation, state=OpState.PARKED, message=decision.why, hint=decision.hint
                )
                await journal.save(operation, ("op.parked", body))
            self._stands(operation, plan)
            self._around.on_change(operation)
            return operation
        assert plan is not None
        assert kind is not None
        assert steps is not None
        operation = msgspec.structs.replace(operation, recoveries=operation.recoveries + 1)
        await journal.save(operation, ("op.recovered", {"recoveries": operation.recoveries}))
        self._launch(operation, plan, kind, steps, consent(await journal.events(operation.id, *DECISIONS)))
        return operation

    async def adopt(self, capsule: Capsule, context: str) -> Operation | None:
        """Take over an operation that only its capsule tells of; None when the journal knows it, or nobody can run it.

        It waits for a person: whoever began it may be at it still.
        """
        if await self._around.journal.find(capsule.operation):
            return None
        kind, steps = self._registry.known(capsule.plan)
        if kind is None or steps is None or mismatch(capsule.plan, steps):
            log.warning("capsule of %s cannot be used by this version of Lazarus", capsule.operation)
            return None
        now = rfc3339(self._around.clock.now(), micro=True)
        operation, plan, body = adopted(capsule, context, steps, now)
        parked = ("op.parked", {"was": OpState.RUNNING.value, "message": operation.message})
        events = [("op.adopted", body)] if capsule.closed else [("op.adopted", body), parked]
        await self._around.journal.begin(operation, plan, *events, then=partial(self._adopted, operation))
        return operation

    def _adopted(self, operation: Operation) -> None:
        if operation.state is OpState.PARKED:
            self._parked[operation.id] = operation
            self._targets.setdefault((operation.context, operation.target), operation.id)
        self._around.on_change(operation)

    # --- on request

    async def park(self, prefix: str) -> Operation:
        """Stop at the next safe point; returns at once."""
        execution = self._running.get((await self.get(prefix)).id)
        if execution is None:
            raise Refused("only a running operation can be parked")
        execution.request("park")
        return execution.ledger.operation

    async def resume(self, prefix: str, confirm: str = "") -> Operation:
        """Go on with a parked operation where it stopped: by looking first.

        One that another engine may be at is taken over, which needs the target's name in ``confirm``.
        """
        operation = await self.get(prefix)
        if operation.state is not OpState.PARKED:
            raise Refused(f"operation {operation.id[:8]} is {operation.state.value}, not parked")
        if operation.foreign:
            named(operation, confirm, "resume", f"it was {operation.foreign}; taking it over")
        journal = self._around.journal
        kept, parked = await journal.find(operation.id), await journal.events(operation.id, "op.parked")
        return await self._restart(operation, direction(kept[0].state, parked), "op.resumed")

    async def undo(self, prefix: str, confirm: str = "") -> Operation:
        """Take back what the operation changed, newest step first.

        What stands still may have been in use since, so taking it back needs the target's name in ``confirm``.
        """
        operation = await self.get(prefix)
        if self._registry.get(operation.kind).undo == "none":
            raise Refused(f"{operation.title} cannot be undone", where=operation.id)
        execution = self._running.get(operation.id)
        if execution is not None and execution.request("undo"):
            return execution.ledger.operation
        if execution is not None:
            operation = await self.wait(operation.id)
        done = operation.state is OpState.DONE and operation.can_undo
        if operation.state not in (OpState.PARKED, OpState.LEFT_CHANGED) and not done:
            raise Refused(f"operation {operation.id[:8]} is {operation.state.value}: there is nothing to undo")
        means = f" ({operation.undo})" if operation.undo else ""
        named(operation, confirm, "undo", f"it is {operation.state.value}, and taking it back{means}")
        return await self._restart(operation, OpState.UNDOING, "op.undoing")

    async def close_operation(self, prefix: str, confirm: str, reason: str = "") -> Operation:
        """End a parked operation as it stands, by a person's decision; nothing is sent to the cluster.

        ``confirm`` is the target's name. What the operation may have changed is said and stays; the target is free.
        """
        operation = await self.get(prefix)
        if operation.state in (OpState.RUNNING, OpState.UNDOING):
            hint = f"park it first: lazarus park {operation.id[:8]}"
            raise Refused(f"operation {operation.id[:8]} is {operation.state.value}", where=operation.title, hint=hint)
        if operation.state is not OpState.PARKED:
            raise Refused(f"operation {operation.id[:8]} has ended: it is {operation.state.value}")
        named(operation, confirm, "operation close", "closing it leaves everything as it is, and")
        with self._alone(operation):
            journal, now = self._around.journal, rfc3339(self._around.clock.now(), micro=True)
            events = await journal.events(operation.id)
            return await self._closed(*closed(operation, events, self._around.person, reason, now))

    async def _closed(self, operation: Operation, body: Any) -> Operation:
        await given_up(self._freeing.pop(operation.id, None))
        await self._around.journal.save(operation, ("op.closed", body), then=partial(self._over, operation))
        return operation

    def _over(self, operation: Operation) -> None:
        self._parked.pop(operation.id, None)
        self._settled(operation)
        self._around.on_change(operation)

    async def ended_elsewhere(self, context: str, capsules: Mapping[str, str]) -> None:
        """End what was adopted and has ended there. ``capsules``: when (RFC 3339), "" for not yet; none: it is gone."""
        for one in [each for each in self._parked.values() if each.context == context and each.foreign]:
            found = await self._around.journal.events(one.id, "op.adopted")
            if found and capsules.get(one.id) != "" and one.id not in self._deciding | self._running.keys():
                with self._alone(one):
                    await self._closed(*elsewhere(one, capsules.get(one.id), rfc3339(self._around.clock.now())))

    @contextlib.contextmanager
    def _alone(self, operation: Operation) -> Iterator[None]:
        """One decision at a time about an operation that stands still."""
        gone = operation.state is OpState.PARKED and operation.id not in self._parked
        if gone or operation.id in self._deciding or operation.id in self._running:
            raise Refused(f"operation {operation.id[:8]} is being resumed, undone or closed", hint="look again")
        self._deciding.add(operation.id)
        try:
            yield
        finally:
            self._deciding.discard(operation.id)

    async def _restart(self, operation: Operation, state: OpState, event: str) -> Operation:
        with self._alone(operation):
            return await self._begin_again(operation, state, event)

    async def _begin_again(self, operation: Operation, state: OpState, event: str) -> Operation:
        plan = await self._around.journal.plan(operation.id)
        kind, steps = self._registry.known(plan)
        if self._closing or plan is None or kind is None or steps is None or mismatch(plan, steps):
            raise Refused("this Lazarus cannot go on with it", hint="use the version that began it")
        key = (operation.context, operation.target)
        holder = self._targets.get(key, operation.id)
        if holder != operation.id:
            raise Refused(f"operation {holder[:8]} works on {operation.target}", hint="wait for it")
        if not self._around.armed(operation.context):
            raise Refused(f"context {operation.context} is read-only", code="read-only", hint=ARM)
        now = rfc3339(self._around.clock.now(), micro=True)
        operation = msgspec.structs.replace(
            operation, state=state, exit_code=None, can_undo=False, changed=now, message="", hint="", ended="",
            foreign="",
        )  # fmt: skip
        self._targets[key] = operation.id
        launch = partial(self._launch, operation, plan, kind, steps, seize=True)
        try:
            await kept(partial(self._around.journal.save, operation, (event, {"by": "request"})), launch)
        except BaseException as error:
            if operation.id not in self._running and operation.id not in self._parked:  # one that had ended
                self._targets.pop(key, None)
            if isinstance(error, JournalError):
                raise Refused(error.what, hint=error.hint) from error
            raise
        return operation

    def revoke(self, context: str) -> None:
        """Let nothing more be written to ``context``; its operations park at their next write."""
        self._revoked.add(context)

    def permit(self, context: str) -> None:
        """Take ``revoke`` back: what runs there and has not come to a write yet goes on."""
        self._revoked.discard(context)

    async def close(self, *, park: bool = False) -> None:
        """Stop. ``park``: running operations stop at a safe point; else they stay open and are recovered next time."""
        self._closing = True
        if park:
            for execution in list(self._running.values()):
                execution.request("park")
            if self._tasks:
                await asyncio.wait(set(self._tasks.values()))
        for execution in list(self._running.values()):
            if execution.gate is not None:
                execution.gate.cancelled = True
        tasks = [*self._tasks.values(), *self._freeing.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
