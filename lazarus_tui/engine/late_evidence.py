"""Evidence that could not be kept when its proof ended, written from what the journal has of it."""

from __future__ import annotations

from typing import Any

import msgspec

from lazarus_tui.engine.closing import remainder, verdict_code
from lazarus_tui.engine.context import LedgerFacts, OperationContext, Surroundings
from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.ledger import Ledger
from lazarus_tui.journal import JournalError
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.proofs import KIND, UNKEPT
from lazarus_tui.model.steps import StepStopped
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.proof.ending import Keep
from lazarus_tui.prove.proof.unkept import Kept

WRITTEN = "evidence.late"


class _Afterwards(OperationContext):
    """What a step sees that needs no cluster: the operation has ended."""

    def __init__(self, ledger: Ledger, plan: Plan, around: Surroundings) -> None:
        self._ledger, self._around = ledger, around
        self.op, self.plan, self.clock = ledger.operation.id, plan, around.clock
        self.facts, self.held = LedgerFacts(ledger), {}


async def write(around: Surroundings, prefix: str) -> Operation:
    """The operation with its evidence kept and its verdict as it was judged. Raises ``Refused``."""
    operation = await _found(around, prefix)
    plan = await around.journal.plan(operation.id)
    if plan is None:
        raise Refused(f"the journal has no plan of {operation.id[:8]}", where=operation.title)
    ledger = Ledger(operation, around.journal, around.clock, around.on_change, around.on_lines)
    try:
        await Kept(Keep(plan.params)).act(_Afterwards(ledger, plan, around))
        done = ledger.operation
        end: dict[str, Any] = {"seconds": operation.seconds, **_stands(done)}
        kept = msgspec.structs.replace(done, **end)
        await around.journal.save(kept, (WRITTEN, {"by": around.person}), then=lambda: ledger.change(**end))
    except StepStopped as error:
        raise Refused(error.what, where=operation.title, hint=error.hint) from error
    except JournalError as error:
        raise Refused(error.what, where=operation.title, hint=error.hint) from error
    ledger.publish_now()
    return ledger.operation


def _stands(done: Operation) -> dict[str, Any]:
    """What changes with the evidence; a proof that did not come to its end does not come there by it."""
    if done.state in (OpState.FAILED, OpState.LEFT_CHANGED):
        return {"verdict": Verdict.INCONCLUSIVE if done.verdict is Verdict.PASSED else done.verdict}
    return {"exit_code": verdict_code(done, True), "message": remainder(done), "hint": ""}


async def _found(around: Surroundings, prefix: str) -> Operation:
    known = [one for one in (await around.journal.find(prefix) if prefix else []) if one.kind == KIND]
    if len(known) != 1:
        what = f"no proof {prefix!r}" if not known else f"{prefix!r} is the beginning of several operations"
        raise Refused(what, code="not-found", hint="lazarus prove list")
    operation = known[0]
    if operation.state.open:
        raise Refused(f"operation {operation.id[:8]} is {operation.state.value}: it keeps its evidence when it ends")
    half = UNKEPT in operation.facts and not await around.journal.events(operation.id, WRITTEN)  # cut off before that
    if not operation.facts.get(UNKEPT) and not half:
        hint = "lazarus evidence list"
        raise Refused(f"nothing is missing of operation {operation.id[:8]}", where=operation.title, hint=hint)
    return operation
