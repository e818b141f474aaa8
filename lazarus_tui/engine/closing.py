"""The end of an operation by a person's decision. Pure: what it may have left by the journal, and the words for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from lazarus_tui.engine.errors import Refused
from lazarus_tui.engine.resume import left
from lazarus_tui.journal import Event
from lazarus_tui.model.freezes import pods_held
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.proofs import KIND, LEFT, UNKEPT, fell_short
from lazarus_tui.model.redact import redact
from lazarus_tui.model.verdict import Verdict

# Changed objects that a message names.
MAX_NAMED = 6


def closed(operation: Operation, events: Sequence[Event], by: str, reason: str, at: str) -> tuple[Operation, Any]:
    """The operation as it stands closed at ``at`` (RFC 3339), and the event's body for the journal."""
    reason = redact(" ".join(reason.split()))
    changed = left(events)
    state, code = (OpState.LEFT_CHANGED, 3) if changed else (OpState.FAILED, 2)
    more = f" and {len(changed) - MAX_NAMED} more" if len(changed) > MAX_NAMED else ""
    held = ", ".join(sorted(pods_held(operation)))
    words = (
        f"closed by hand by {by}" + (f": {reason}" if reason else ""),
        f"{held} may still be frozen, and nobody here thaws it any more" if held else "",
        f"may be left behind: {', '.join(changed[:MAX_NAMED])}{more}" if changed else "nothing is left behind",
        f"it was parked: {operation.message}" if operation.message else "",
    )
    ended = msgspec.structs.replace(
        operation,
        state=state,
        exit_code=code,
        message="; ".join(filter(None, words)),
        hint="look at what it left, and remove what is not wanted" if changed else "",
        verdict=Verdict.INCONCLUSIVE if operation.verdict is Verdict.PASSED else operation.verdict,
        changed=at,
        ended=at,
    )
    return ended, {"by": by, "reason": reason, "left": changed, "state": state.value, "exit_code": code}


def elsewhere(operation: Operation, ended: str | None, at: str) -> tuple[Operation, Any]:
    """The operation of another Lazarus that ended there: well at ``ended``, or taken back when its capsule is gone."""
    state, code = (OpState.DONE, 0) if ended else (OpState.UNDONE, 2)
    gone = (
        "its note is gone, so nothing is frozen any more"
        if pods_held(operation)
        else "its capsule is gone, as after an undo or a release"
    )
    words = "its capsule says that it ended well" if ended else gone
    message = f"another Lazarus ended it: {words}"
    found = msgspec.structs.replace(
        operation, state=state, exit_code=code, message=message, hint="", foreign="", changed=at, ended=ended or at,
        can_undo=bool(ended),
    )  # fmt: skip
    return found, {"by": "another Lazarus", "reason": message, "left": [], "state": state.value, "exit_code": code}


def stands(operation: Operation, state: OpState) -> Verdict:
    """Its verdict when it ends in ``state``: a part of it held, but where the whole was never reached nothing is
    proven. A restore that is taken back was checked all the same."""
    short = fell_short(operation, state) if operation.kind == KIND else state in (OpState.FAILED, OpState.LEFT_CHANGED)
    return Verdict.INCONCLUSIVE if short and operation.verdict is Verdict.PASSED else operation.verdict


def verdict_code(operation: Operation, required: bool) -> int:
    """The exit code of an operation that is done; ``required``: only what passed is a success.

    What it says it left behind comes first: somebody has to look at the cluster, whatever was found.
    """
    verdict = operation.verdict
    if operation.facts.get(LEFT):
        return 3
    if verdict is Verdict.FAILED:
        return 2
    if verdict is Verdict.INCONCLUSIVE or (required and verdict is not Verdict.PASSED):
        return 4
    return 0


def remainder(operation: Operation) -> str:
    """What an operation that is done says it left behind, and that its evidence is missing; "" when that is nothing."""
    unkept = operation.facts.get(UNKEPT)
    missing = f"evidence missing: {unkept['why']}; next: lazarus evidence write {operation.id[:8]}" if unkept else ""
    return "; ".join(filter(None, (_left(operation), missing)))


def _left(operation: Operation) -> str:
    found = [str(one) for one in operation.facts.get(LEFT) or ()]
    more = f" and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    return f"left behind: {', '.join(found[:MAX_NAMED])}{more}" if found else ""


def named(operation: Operation, confirm: str, verb: str, what: str) -> None:
    """Raises ``Refused`` unless a person typed the target's name; ``verb`` is the command that takes it."""
    if confirm != operation.target:
        hint = f"lazarus {verb} {operation.id[:8]} --confirm {operation.target}"
        raise Refused(f"{what} needs the name {operation.target!r}", where=operation.title, hint=hint)
