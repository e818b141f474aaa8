"""The fence: who took an operation over last is the only one who may write (reference: reliability §4.3).

Its number is the lease's count of holders at the moment of taking it, or one more than what a former engine wrote to
the cluster. It is raised there before anything else is done, and read again right before every write: an engine that
was suspended and overtaken finds a higher number than its own, and changes nothing more. What the lease's clock cannot
see (a suspended virtual machine, a lease without rights) is seen here.
"""

from __future__ import annotations

from lazarus_tui.engine.errors import Overtaken
from lazarus_tui.engine.gate import Gate
from lazarus_tui.engine.resume import FENCE_STEP
from lazarus_tui.journal import JournalError
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.steps import Fence, StepContext, StepStopped

# Facts: the number this journal's engine wrote last; and, of the step that makes the capsule, that it was there.
FENCE_FACT, CAPSULE_FACT = "fence", "capsule"
_HINT = (
    "look at what it did; to take the operation over again: lazarus resume {op} --confirm {target}; "
    "if it has ended there: lazarus operation close {op} --confirm {target}"
)


class Fencing:
    """The fence of one operation in one engine's life."""

    def __init__(self, fence: Fence, context: StepContext, gate: Gate, state: OpState) -> None:
        self._fence, self._context, self._gate = fence, context, gate
        gate.undoing = state is OpState.UNDOING

    async def take(self, *, seize: bool) -> None:
        """Raise the fence for this engine, or raise ``Overtaken``; ``seize``: a person decided to take it over."""
        context, gate = self._context, self._gate
        gate.step = FENCE_STEP
        gate.fence = max(gate.fence, gate.lease.transitions if gate.lease is not None else 0)
        mine = context.facts.get(FENCE_FACT)
        written = await self._fence.read(context)
        if written is not None and mine is not None and written > mine and not seize:
            raise self._overtaken(written, mine)
        own = mine if mine is not None else 0
        after = 0 if written is None else written if written == mine else written + 1
        gate.fence = max(gate.fence, own, after)
        if gate.fence != mine:
            await context.remember(**{FENCE_FACT: gate.fence})
        if written is not None and written < gate.fence:
            await self._fence.write(context)
        gate.overtaken = self.check

    async def check(self) -> None:
        """Raises ``Overtaken`` unless this engine is still the last one that took the operation over."""
        written = await self._fence.read(self._context)
        if written is None:
            if self._context.facts.get(CAPSULE_FACT) and not self._gate.undoing:
                raise self._error("finished or taken back by somebody else: its capsule is gone")
        elif written > self._gate.fence:
            raise self._overtaken(written, self._gate.fence)

    def _overtaken(self, theirs: int, ours: int) -> Overtaken:
        return self._error(f"taken over by another Lazarus (fence {theirs}, ours was {ours})")

    def _error(self, what: str) -> Overtaken:
        """From here on this gate lets nothing through."""
        self._gate.taken, plan = what, self._context.plan
        self._gate.freeze(f"it was {what}")
        return Overtaken(f"it was {what}", hint=_HINT.format(op=self._context.op[:8], target=plan.target))


async def reason(stop: StepStopped | JournalError, gate: Gate | None) -> StepStopped | JournalError:
    """Why an operation really stops: what looks like somebody's meddling is another engine that took it over."""
    if gate is None or gate.overtaken is None:
        return stop
    try:
        await gate.overtaken()
    except Overtaken as overtaken:
        return overtaken
    except (KubeError, OSError):
        return stop
    return stop
