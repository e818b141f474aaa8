"""What every step shares: defaults, the plan's view of a list of steps, and one way to read a write's outcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from lazarus_tui.model.plan import PlannedStep
from lazarus_tui.model.steps import Observation, Outcome, Step, StepContext, StepStopped, Write, WriteResult

# The gate puts it on everything an operation creates; its value is the first eight characters of the operation.
OPERATION_LABEL = "lazarus.io/op"


class BaseStep:
    """A step that changes nothing and takes nothing back; subclasses say what they observe."""

    name = ""
    version = 1
    title = ""
    mutates = False
    poll = 1.0
    limit = 300.0

    async def act(self, context: StepContext) -> None:
        """Nothing to do: the step only waits or looks."""

    async def undo(self, context: StepContext) -> str | None:
        """Nothing was changed."""
        return None


class Around:
    """``inner``, to which a subclass adds something: what it does not say itself is the inner step's."""

    def __init__(self, inner: Step) -> None:
        self.inner = inner
        self.name, self.version, self.title = inner.name, inner.version, inner.title
        self.mutates, self.poll, self.limit = inner.mutates, inner.poll, inner.limit

    async def observe(self, context: StepContext) -> Observation:
        return await self.inner.observe(context)

    async def act(self, context: StepContext) -> None:
        await self.inner.act(context)

    async def undo(self, context: StepContext) -> str | None:
        return await self.inner.undo(context)


def planned(steps: Iterable[Step]) -> tuple[PlannedStep, ...]:
    """The steps as a plan lists them."""
    return tuple(PlannedStep(step.name, step.version, step.title, step.mutates) for step in steps)


async def carry_out(context: StepContext, write: Write) -> WriteResult:
    """Send a write through the gate. Raises ``StepStopped`` when the answer is final and it was not applied.

    Ambiguous answers and conflicts come back: the next look at the cluster decides, never a second blind try.
    """
    result = await context.gate.write(write)
    where = f"{write.verb} {write.resource.plural}/{write.name}"
    if result.outcome in (Outcome.AUTH, Outcome.FORBIDDEN):
        hint = result.hint or f"grant the right to {write.verb} {write.resource.group_resource}, then resume"
        raise StepStopped(f"{where} was refused: {result.reason or result.outcome}", hint=hint, park=True)
    if result.outcome is Outcome.PERMANENT:
        raise StepStopped(f"{where} can never work: {result.reason}")
    if result.outcome is Outcome.UNKNOWN:
        raise StepStopped(
            f"{where} ended in a way nobody expects: {result.reason}", hint="look, then resume", park=True
        )
    return result


# Seconds for which an undo looks again, and between two looks.
TAKEN_BACK_WITHIN, LOOKS_AGAIN = 120.0, 1.0


async def take_back(context: StepContext, title: str, attempt: Callable[[], Awaitable[bool]]) -> None:
    """For an undo: ``attempt`` looks, acts if that is called for, and says whether it is known to be taken back.

    A write that met a newer version, or whose end nobody knows, is thus decided by another look. Raises ``StepStopped``
    when that goes on for too long.
    """
    end = context.clock.monotonic() + TAKEN_BACK_WITHIN
    while not await attempt():
        if context.clock.monotonic() >= end:
            what = f"{title}: not known to be taken back within {TAKEN_BACK_WITHIN:.0f} s"
            raise StepStopped(what, hint="look at it, then resume", park=True)
        await context.clock.sleep(LOOKS_AGAIN)
