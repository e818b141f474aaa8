"""What an operation holds still in a workload is let go of whenever the operation does not go on.

The journal names it before it is held (fact ``model.freezes.HELD``), so a later engine lets go of it first thing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from lazarus_tui.journal import JournalError
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.freezes import HELD, began_here
from lazarus_tui.model.steps import OperationType, StepContext, StepStopped

if TYPE_CHECKING:
    from lazarus_tui.engine.execution import Execution

log = logging.getLogger(__name__)

# Seconds between two attempts at what a parked operation holds.
_PAUSE = 15.0


async def let_go(kind: OperationType, context: StepContext | None) -> None:
    """Raises ``StepStopped`` (to be parked) when something is held and cannot be let go of."""
    if context is None or kind.let_go is None or not context.facts.get(HELD):
        return
    try:
        await kind.let_go(context)
    except (KubeError, OSError) as error:
        what = f"{', '.join(sorted(context.facts.get(HELD) or {}))} may still be held still: {error}"
        raise StepStopped(what, hint="resume when the API answers", park=True) from error


async def freed_or(
    stop: StepStopped | JournalError, kind: OperationType, context: StepContext | None
) -> tuple[str, str]:
    """Words and hint for a person: nothing is held while one is waited for, or that is said first."""
    try:
        await let_go(kind, context)
    except (StepStopped, JournalError) as still:
        if isinstance(still, StepStopped):
            # The same again in other seconds is told once.
            same = still.what.partition(": ")[0] == stop.what.partition(": ")[0]
            return still.what if same else f"{still.what}; {stop.what}", still.hint
    return stop.what, stop.hint


async def closed(kind: OperationType, context: StepContext | None) -> None:
    """At the end of a run, also one that is cancelled: nothing is held, and nothing is open."""
    if context is None:
        return
    try:
        with contextlib.suppress(JournalError):
            await let_go(kind, context)
    except StepStopped as still:
        log.error("%s: %s", context.op, still.what)
    finally:
        await shut(context)


async def shut(context: StepContext | None) -> None:
    """Nothing is open any more."""
    held = list(context.held.values()) if context else []
    if context is not None:
        context.held.clear()
    await asyncio.gather(*(one.close() for one in held), return_exceptions=True)


async def keep_trying(execution: Execution, clock: Clock) -> None:
    """For a parked operation: until it holds nothing any more. What only a capsule tells of is left to a person."""
    ledger = execution.ledger
    message = ledger.operation.message
    while began_here(ledger.operation):
        try:
            await execution.free()
        except (StepStopped, JournalError, KubeError, OSError) as error:
            log.warning("%s still holds something: %s", ledger.operation.id, error)
        except Exception:  # a defect of ours must not leave an application frozen that the next try may thaw
            log.exception("%s still holds something", ledger.operation.id)
        else:
            continue
        ledger.change(message=message)
        await clock.sleep(_PAUSE)


async def given_up(freeing: asyncio.Task[None] | None) -> None:
    """A person closed the operation: whoever is still at it would write it down as parked again."""
    if freeing is not None:
        freeing.cancel()
        await asyncio.gather(freeing, return_exceptions=True)
