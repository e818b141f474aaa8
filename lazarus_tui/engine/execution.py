"""One operation under way: observe, act, observe, until every step holds; or park, undo, stop with the truth."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from lazarus_tui.engine.closing import remainder, stands, verdict_code
from lazarus_tui.engine.connection import for_operation
from lazarus_tui.engine.context import OperationContext, Surroundings, journal_facts
from lazarus_tui.engine.effort import API_PATIENCE, LONGEST_PAUSE, MAX_ACTS, Effort
from lazarus_tui.engine.errors import ClusterGone, GateClosed, RightMissing, StopAsked
from lazarus_tui.engine.failpoint import fp
from lazarus_tui.engine.fence import Fencing, reason
from lazarus_tui.engine.gate import Gate, write_lease
from lazarus_tui.engine.lease import Lease
from lazarus_tui.engine.ledger import Ledger
from lazarus_tui.engine.letting_go import closed, freed_or, let_go, shut
from lazarus_tui.engine.resume import past_pivot, untouched, written
from lazarus_tui.engine.telling import tell
from lazarus_tui.journal import JournalError
from lazarus_tui.kube.errors import Ambiguous as Unknown
from lazarus_tui.kube.errors import AuthError, Forbidden, KubeError, NotSent, Pushback
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.operation import OpState, StepState
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.redact import redact
from lazarus_tui.model.steps import Observation, OperationType, Seen, Step, StepStopped
from lazarus_tui.model.verdict import Verdict

log = logging.getLogger(__name__)

_AWAY = (NotSent, Unknown, Pushback, OSError)


class Execution:
    """``run`` ends with the operation terminal or parked, and never raises but for cancellation.

    ``request`` asks a running one to stop at the next safe point: "park" or "undo".
    """

    def __init__(
        self, ledger: Ledger, plan: Plan, kind: OperationType, steps: Sequence[Step], around: Surroundings,
        permitted: Callable[[], bool],
    ) -> None:  # fmt: skip
        self.ledger, self.plan, self._kind, self.steps = ledger, plan, kind, steps
        self._around, self._permitted = around, permitted
        self.seize = False  # a person decided to go on, whoever was at it since
        self._wanted, self._ending = "", False
        self._wake = asyncio.Event()
        self.gate: Gate | None = None
        self._context: OperationContext | None = None

    def request(self, what: str) -> bool:
        """False: too late, it ends or parks just now. An undo that is under way is not asked for again."""
        if not self._ending and not (what == "undo" and self.ledger.operation.state is OpState.UNDOING):
            self._wanted = what
            self._wake.set()
        return not self._ending

    # --- the whole

    async def run(self) -> None:
        self._wanted, self._ending = "", False
        self._wake.clear()
        keeper: asyncio.Task[None] | None = None
        lease: Lease | None = None
        try:
            context = await self._connect()
            lease = self.gate.lease if self.gate else None
            if lease is not None and not lease.unavailable:
                keeper = asyncio.get_running_loop().create_task(lease.keep())
            if self.ledger.operation.state is OpState.UNDOING:
                await self._undo(context)
            else:
                await self._forward(context)
        except ClusterGone as gone:
            await self._end(OpState.FAILED, gone.what, gone.hint, 2)
        except (StepStopped, JournalError) as stop:
            why = await reason(stop, self.gate)
            await tell(why, self._kind, self._context)
            await self._park(*await freed_or(why, self._kind, self._context))
        finally:
            await closed(self._kind, self._context)
            if keeper is not None:
                keeper.cancel()
                await asyncio.gather(keeper, return_exceptions=True)
            if lease is not None:
                await lease.release()
            self.ledger.publish_now()

    async def free(self) -> None:
        """For a parked operation: let go of what it holds; raises what keeps it from that."""
        try:
            await self._connect(lease=False)
        finally:
            await shut(self._context)

    async def _connect(self, *, lease: bool = True) -> OperationContext:
        """The operation's own view of its cluster, its gate and, where one can be had, its lease.

        What an earlier run held is let go of before anything else, a wait for the lease included.
        """
        around, ledger = self._around, self.ledger
        cluster = await self._patiently(lambda: around.clusters(self.plan.context), API_PATIENCE)
        reader = for_operation(cluster, ledger.operation.id, around.clock, ledger.meter, self._retrying)
        uid = await self._patiently(reader.cluster_uid, API_PATIENCE)
        if uid != self.plan.cluster_uid and around.disposable(self.plan.context):
            raise ClusterGone("the cluster it worked on was removed with all that was in it", hint="start it anew")
        if uid != self.plan.cluster_uid:
            raise GateClosed(
                f"context {self.plan.context} leads to another cluster than the one the plan was made for",
                hint="point the context back to that cluster, then resume",
            )
        namespace = around.lease_namespace(self.plan) if lease else ""
        found: Lease | None = None
        if namespace:
            found = Lease(reader, namespace, self.plan.target, around.holder, around.clock, write_lease, ledger.say)
        self.gate = Gate(
            reader, around.journal, ledger.operation.id, self.plan, approved=ledger.operation.plan_digest,
            clock=reader.clock, permitted=self._permitted, lease=found, on_wait=self._waiting, rng=cluster.rng,
        )  # fmt: skip
        self._context = OperationContext(ledger, self.plan, self.gate, reader, around)
        await let_go(self._kind, self._context)
        if found is not None:
            await self._patiently(found.acquire, API_PATIENCE)
        if lease and self._kind.fence is not None:
            take = Fencing(self._kind.fence, self._context, self.gate, ledger.operation.state).take
            await self._patiently(lambda: take(seize=self.seize), API_PATIENCE)
        if lease and ledger.operation.state is OpState.RUNNING:
            ledger.change(message="", hint="")
        return self._context

    async def _forward(self, context: OperationContext) -> None:
        try:
            for n, step in enumerate(self.steps):
                if self.ledger.step_view(n).state is not StepState.DONE:
                    await self._step(n, step, context)
            if self._wanted == "undo":
                self._safe_point()  # it was asked for during the last step
        except StepStopped as stop:
            if stop.park and self._wanted != "undo":
                raise
            undone = self._begin_undo(context, "undone on request") if stop.park else None
            await (undone or self._failed(context, stop))
        else:
            await self._end(OpState.DONE, remainder(self.ledger.operation), "", self._done_code())

    def _done_code(self) -> int:
        required = self._kind.verdict_required or self.plan.params.get("require") == Verdict.PASSED.value
        return verdict_code(self.ledger.operation, required)

    async def _failed(self, context: OperationContext, stop: StepStopped) -> None:
        await let_go(self._kind, context)
        changed = await self._written()
        if not changed:
            await self._end(OpState.FAILED, stop.what, stop.hint, 2)
        elif self._wanted == "undo":
            await self._begin_undo(context, "undone on request")
        elif self._kind.undo == "auto" and not past_pivot(self.steps, self._kind.pivot, changed):
            await self._begin_undo(context, stop.what)
        elif self._kind.undo != "none":
            await tell(stop, self._kind, context)
            await self._park(stop.what, stop.hint or "undo it, or mend the cause and resume")
        else:
            await self._end(OpState.LEFT_CHANGED, stop.what, stop.hint, 3)

    async def _written(self) -> set[str]:
        return written(await self._around.journal.events(self.ledger.operation.id))

    async def _acted(self) -> bool:
        """Whether a step that changes something did, and was not taken back."""
        mutating = {step.name for step in self.steps if step.mutates}
        return bool(mutating & await self._written())

    async def _end(self, state: OpState, message: str, hint: str, code: int) -> None:
        self._ending = True
        promised = state is OpState.DONE and bool(self.plan.undo) and await self._acted()
        undo = (state is OpState.LEFT_CHANGED or promised) and self._kind.undo != "none"
        now, verdict = rfc3339(self._around.clock.now()), stands(self.ledger.operation, state)
        fp("runner.before_end")
        await self.ledger.conclude(
            ("op.ended", {"state": state.value, "message": redact(message), "exit_code": code}), verdict=verdict,
            state=state, message=redact(message), hint=hint, ended=now, exit_code=code, can_undo=undo,
        )  # fmt: skip
        fp("runner.after_end")

    async def _park(self, message: str, hint: str) -> None:
        """Stop where it is safe and wait for a person; without a journal only the published record can say so."""
        self._ending, changed, was = True, False, self.ledger.operation.state
        try:
            changed = bool(await self._written())
        except JournalError:
            log.warning("the journal cannot be read while parking")
        self.ledger.change(
            state=OpState.PARKED, message=redact(message), hint=hint, exit_code=3 if changed else 4,
            can_undo=changed and self._kind.undo != "none", foreign=self.gate.taken if self.gate else "",
        )  # fmt: skip
        try:
            await self.ledger.save(("op.parked", {"was": was.value, "message": redact(message)}))
        except JournalError as error:
            self.ledger.say(error.what)

    # --- forward

    async def _step(self, n: int, step: Step, context: OperationContext) -> None:
        """One step until its post-condition holds. Raises ``StepStopped``."""
        assert self.gate is not None
        self.gate.step, self.gate.undoing = step.name, False
        self.ledger.step(n, state=StepState.RUNNING, started=rfc3339(self._around.clock.now()), detail="")
        effort = Effort(self._around.clock.monotonic())
        while not await self._turn(n, step, context, effort):
            if effort.pause:
                await self._pause(effort.pause)

    async def _turn(self, n: int, step: Step, context: OperationContext, effort: Effort) -> bool:
        """Look once, and act if that is called for; True when the step is done."""
        self._safe_point()
        try:
            seen = await step.observe(context)
            effort.silent_since = None
            seconds = self._around.clock.monotonic() - effort.began
            self._show(n, seen, seconds)
            if seen.seen is Seen.DONE:
                await self._step_done(n, step, seen, seconds)
                return True
            self._stop_if_ended(step, seen)
            await self._act_or_wait(step, seen, context, effort)
        except (StepStopped, JournalError, KubeError, OSError) as error:
            self._translate(n, error, step)
            await self._sit_out(step, error, effort)
            return False
        except Exception as error:
            log.exception("step %s of %s", step.name, self.ledger.operation.id)
            self.ledger.step(n, state=StepState.FAILED)
            raise StepStopped(f"unexpected error in step {step.name}: {_words(error)}") from error
        if self._around.clock.monotonic() - effort.began - effort.away > step.limit:
            self.ledger.step(n, state=StepState.FAILED)
            what = f"{step.title}: not finished within {step.limit:.0f} s ({seen.detail or seen.seen.value})"
            raise StepStopped(what, hint=seen.hint)
        return False

    async def _act_or_wait(self, step: Step, seen: Observation, context: OperationContext, effort: Effort) -> None:
        """Absent: act at once the first time; later only when it is still absent at a second look."""
        if seen.seen is not Seen.ABSENT or (effort.acts and not effort.looked_twice):
            effort.look_again(seen.seen is Seen.ABSENT, step.poll)
            return
        if effort.acts >= MAX_ACTS:
            raise StepStopped(f"{step.title}: tried {effort.acts} times, and its effect is still absent")
        effort.acts, effort.looked_twice, effort.pause = effort.acts + 1, False, 0.0
        assert self.gate is not None
        clock, self.gate.waited = self._around.clock, 0.0
        sent = clock.monotonic()
        await step.act(context)
        if not self.gate.doubt:
            effort.known(self.gate.waited)
        elif (doubted := effort.doubt(sent, clock.monotonic())) > max(API_PATIENCE, step.limit):
            what = f"for {doubted:.0f} s nobody knows whether writes are carried out: {self.gate.doubt}"
            raise GateClosed(what, hint="resume when the API answers")

    async def _sit_out(self, step: Step, error: Exception, effort: Effort) -> None:
        """Wait before the next look while the API does not answer; that time is not the step's."""
        before = (clock := self._around.clock).monotonic()
        if effort.silent_since is None:
            effort.silent_since, effort.backoff = before, 1.0
        silent = before - effort.silent_since
        if silent > max(API_PATIENCE, step.limit):
            raise GateClosed(f"the API did not answer for {silent:.0f} s: {_words(error)}", hint="resume when it does")
        await self._pause(effort.backoff)
        effort.backoff, effort.pause = min(LONGEST_PAUSE, effort.backoff * 2), 0.0
        effort.away += clock.monotonic() - before

    def _show(self, n: int, seen: Observation, seconds: float) -> None:
        self.ledger.step(n, detail=redact(seen.detail), progress=tuple(seen.progress), seconds=round(seconds, 3))

    async def _step_done(self, n: int, step: Step, seen: Observation, seconds: float) -> None:
        facts = journal_facts(seen.facts)
        self.ledger.remember(facts)
        self.ledger.step(n, state=seen.shown, seconds=round(seconds, 3))
        body = {"step": step.name, "version": step.version, "seconds": round(seconds, 3), "facts": facts}
        fp("runner.before_step_done")
        await self.ledger.save(("step.done", body))
        fp("runner.after_step_done")

    def _stop_if_ended(self, step: Step, seen: Observation) -> None:
        if seen.seen is Seen.FAILED:
            raise StepStopped(seen.detail or f"{step.title} failed", hint=seen.hint)
        if seen.seen is Seen.DIVERGED:
            raise StepStopped(seen.detail or f"{step.title}: somebody else changed it", hint=seen.hint, park=True)

    def _translate(self, n: int, error: Exception, step: Step) -> None:
        """Raise what stops the step; return for a failure that waiting may cure."""
        if isinstance(error, StepStopped):
            self.ledger.step(n, state=StepState.UNKNOWN if error.park else StepState.FAILED)
            raise error
        if isinstance(error, JournalError):
            raise error
        if isinstance(error, AuthError | Forbidden):
            raise RightMissing(f"missing right: {error.request} ({error.status}: {error.message})", hint=error.hint)
        if not isinstance(error, _AWAY):
            self.ledger.step(n, state=StepState.FAILED)
            raise StepStopped(f"{step.title}: {_words(error)}", hint=getattr(error, "hint", ""))
        self.ledger.step(n, detail=f"waiting for API: {_words(error)}")

    # --- undo

    async def _begin_undo(self, context: OperationContext, why: str) -> None:
        self.ledger.change(state=OpState.UNDOING, message=redact(why), can_undo=False, exit_code=None)
        await self.ledger.save(("op.undoing", {"why": redact(why)}))
        self._wanted = ""
        self._wake.clear()  # pauses are pauses again
        await self._undo(context)

    async def _undo(self, context: OperationContext) -> None:
        """Take back every step that may have changed something, newest first."""
        assert self.gate is not None
        await let_go(self._kind, context)
        self.gate.undoing = True
        changed, why = await self._written(), self.ledger.operation.message
        for n, step in reversed(list(enumerate(self.steps))):
            if step.name not in changed:
                continue
            self.gate.step = step.name
            self.ledger.step(n, detail="undoing")
            try:
                left = await self._patiently(lambda step=step: step.undo(context), max(API_PATIENCE, step.limit))  # type: ignore[misc]
            except StepStopped as stop:
                if stop.park:
                    raise
                await self._not_undone(n, step, stop, why)
                return
            self.ledger.step(n, state=StepState.UNDONE, detail=redact(left or ""))
            await self.ledger.save(("step.undone", {"step": step.name}))
        await self._end(OpState.UNDONE, why, "", 2)

    async def _not_undone(self, n: int, step: Step, stop: StepStopped, why: str) -> None:
        """What was done and is untouched by an undo that was refused stays done."""
        self.ledger.step(n, detail=redact(stop.what))
        if untouched(await self._around.journal.events(self.ledger.operation.id)):
            await self._end(OpState.DONE, f"not taken back: {stop.what}", stop.hint, self._done_code())
        else:
            message = "; ".join(filter(None, [why, f"undo of {step.name!r} failed: {stop.what}"]))
            await self._end(OpState.LEFT_CHANGED, message, stop.hint, 3)

    # --- waiting

    def _safe_point(self) -> None:
        if self._wanted:
            raise StopAsked("stopped on request", hint="resume goes on from here")

    async def _pause(self, seconds: float) -> None:
        """Sleep, unless somebody asks for something meanwhile."""
        waits = (self._around.clock.sleep(seconds), self._wake.wait())
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(wait) for wait in waits]
        try:
            await self.ledger.flush()
            with self.ledger.meter.waiting():
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _retrying(self, error: KubeError | None) -> None:
        """A read is being sent again; None: it has its answer."""
        self._waiting(f"waiting for API: {error}" if error is not None else "")

    def _waiting(self, text: str) -> None:
        for n, view in enumerate(self.ledger.operation.steps):
            if view.state is StepState.RUNNING:
                self.ledger.step(n, detail=redact(text))

    async def _patiently(self, call: Callable[[], Awaitable[Any]], patience: float) -> Any:
        """Call until the API answers; parks after ``patience`` seconds of silence."""
        began, pause = self._around.clock.monotonic(), 1.0
        while True:
            try:
                return await call()
            except (AuthError, Forbidden) as error:
                what = f"missing right: {error.request} ({error.status}: {error.message})"
                raise RightMissing(what, hint=error.hint) from error
            except _AWAY as error:
                silent = self._around.clock.monotonic() - began
                if silent > patience:
                    what = f"the API did not answer for {silent:.0f} s: {_words(error)}"
                    raise GateClosed(what, hint="resume when it does") from error
                self.ledger.change(message=f"waiting for API: {_words(error)}")
            except KubeError as error:
                raise StepStopped(_words(error), hint=error.hint) from error
            self._safe_point()
            await self._pause(pause)
            pause = min(LONGEST_PAUSE, pause * 2)


def _words(error: BaseException) -> str:
    return redact(str(error) or type(error).__name__)
