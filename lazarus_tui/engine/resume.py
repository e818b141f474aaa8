"""What to do with an operation that was open when the engine ended. Pure: the journal says where to look, no more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lazarus_tui.journal import Event
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.steps import Outcome, Step

# After this many recoveries within the window the operation waits for a person (reliability §4.2).
MAX_RECOVERIES = 5
WINDOW = timedelta(minutes=10)

_RESULT = "gate.result"
# Under this name an engine marks an operation as its own: that changes nothing of the workload.
FENCE_STEP = "fence"

# Outcomes after which nothing was changed.
_NOTHING = {
    Outcome.NOT_SENT.value,
    Outcome.PUSHBACK.value,
    Outcome.CONFLICT.value,
    Outcome.AUTH.value,
    Outcome.FORBIDDEN.value,
    Outcome.GONE.value,
    Outcome.EXPIRED.value,
    Outcome.PERMANENT.value,
}


@dataclass(frozen=True, slots=True)
class Decision:
    """``state`` RUNNING or UNDOING: go on by observing. PARKED: wait for a person, as ``why`` and ``hint`` say."""

    state: OpState
    why: str = ""
    hint: str = ""


def decide(operation: Operation, plan: Plan | None, steps: Sequence[Step] | None, recovered: Iterable[Event],
           now: datetime) -> Decision:  # fmt: skip
    """``steps`` None: nobody knows this kind any more. ``recovered`` are the operation's earlier recoveries."""
    if operation.state is OpState.PARKED:
        return Decision(OpState.PARKED, operation.message, operation.hint)
    if plan is None or plan.digest() != operation.plan_digest:
        return Decision(OpState.PARKED, "the journal does not hold the plan that was approved")
    if steps is None:
        return Decision(
            OpState.PARKED, f"this Lazarus knows no operation {plan.kind!r}", "use the version that began it"
        )
    different = mismatch(plan, steps)
    if different:
        return Decision(OpState.PARKED, different, "finish it with the version of Lazarus that began it")
    recent = sum(1 for event in recovered if now - parse_rfc3339(event.at) <= WINDOW)
    if recent >= MAX_RECOVERIES:
        return Decision(
            OpState.PARKED,
            f"the engine ended {recent} times within 10 minutes while this ran",
            "look into the engine's log, then resume",
        )
    return Decision(operation.state)


def direction(kept: OpState, parked: Sequence[Event]) -> OpState:
    """Which way a parked operation goes on: RUNNING or UNDOING.

    ``kept`` is its state in the journal; where the disk was too full to keep the parking, it is what it did then.
    """
    if kept is OpState.PARKED:
        kept = OpState(parked[-1].body.get("was", OpState.RUNNING)) if parked else OpState.RUNNING
    return OpState.UNDOING if kept is OpState.UNDOING else OpState.RUNNING


def mismatch(plan: Plan, steps: Sequence[Step]) -> str:
    """How the steps of this program differ from the approved ones, or ""."""
    wanted = [(step.name, step.version) for step in plan.steps]
    found = [(step.name, step.version) for step in steps]
    if wanted == found:
        return ""
    for (name, version), other in zip(wanted, found, strict=False):
        if (name, version) != other:
            return f"step {name!r} (version {version}) is {other[0]!r} (version {other[1]}) in this Lazarus"
    return f"the plan has {how_many(len(wanted), 'step')}, this Lazarus makes {len(found)}"


def written(events: Iterable[Event]) -> set[str]:
    """Steps that may have changed the cluster and were not undone: a sent write whose end is unknown counts."""
    open_intents: dict[int, str] = {}
    changed: set[str] = set()
    for event in events:
        step = str(event.body.get("step", ""))
        if event.kind == "gate.intent" and not event.body.get("undoing"):
            open_intents[event.seq] = step
        elif event.kind == _RESULT:
            known = open_intents.pop(event.body.get("intent", 0), None)
            if known is not None and event.body.get("outcome") not in _NOTHING:
                changed.add(known)
        elif event.kind == "op.adopted":  # what another journal holds is not known: all of it may have happened
            changed |= set(event.body.get("steps") or ())
        elif event.kind == "step.undone":
            changed.discard(step)
            open_intents = {seq: name for seq, name in open_intents.items() if name != step}
    return changed | set(open_intents.values())


def past_pivot(steps: Sequence[Step], pivot: str, changed: set[str]) -> bool:
    """Whether the step ``pivot``, or a later one, is among ``changed``: then a person chooses the way back."""
    names = [step.name for step in steps]
    return pivot in names and bool(changed & set(names[names.index(pivot) :]))


_DID = {"create": "created", "delete": "deleted", "exec": "ran a command in"}


def left(events: Iterable[Event]) -> list[str]:
    """What the steps of ``written`` sent, in words and in order; "perhaps" where no answer came."""
    events = list(events)
    steps, ends = written(events), {e.body.get("intent"): e.body.get("outcome") for e in events if e.kind == _RESULT}
    found: dict[str, None] = {}
    for event in events:
        body, end = event.body, ends.get(event.seq)
        if event.kind != "gate.intent" or body.get("undoing") or body.get("step") not in steps or end in _NOTHING:
            continue
        did = _DID.get(str(body.get("verb")), "changed")
        name = "/".join(filter(None, (body.get("namespace"), body.get("name"))))
        what = f"{body.get('resource')} {name}"
        certain = end == Outcome.APPLIED.value
        # What the operation made and surely deleted again is not left: its own requests for downloads, for one.
        if certain and body.get("verb") == "delete" and f"created {what}" in found:
            del found[f"created {what}"]
            continue
        found[f"{'' if certain else 'perhaps '}{did} {what}"] = None
    return list(found)


def untouched(events: Iterable[Event]) -> bool:
    """Whether the operation was done, and the undo that was asked for since has sent nothing."""
    done = False
    for event in events:
        if event.kind == "op.ended":
            done = event.body.get("state") == OpState.DONE.value
        elif event.kind == "gate.intent" and event.body.get("undoing") and event.body.get("step") != FENCE_STEP:
            done = False
    return done
