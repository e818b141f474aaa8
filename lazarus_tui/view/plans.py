"""A plan as a blast card: what will happen, what will be lost, how long it takes, how it is taken back."""

from __future__ import annotations

from datetime import datetime

from lazarus_tui.model.operation import Operation, OpState, StepState
from lazarus_tui.model.plan import Danger, Effect, Estimate, Plan
from lazarus_tui.model.proofs import KIND
from lazarus_tui.view import proof_plan, status, times
from lazarus_tui.view.chrome import uid
from lazarus_tui.view.text import BLANK, Line, Span, Tone, labelled, line, muted, span, strong, wrap

_VERBS = {
    "create": ("+", Tone.GOOD),
    "change": ("~", Tone.WARN),
    "replace": ("≠", Tone.WARN),
    "delete": ("✗", Tone.BAD),
    "skip": ("-", Tone.MUTED),
}
_DANGERS = {
    Danger.SAFE: ("changes nothing that exists", Tone.GOOD),
    Danger.CHANGES: ("changes the cluster", Tone.WARN),
    Danger.DESTROYS: ("▲ destroys data", Tone.BAD),
}
# More effects than this are counted; the whole list is in the plan that is journalled.
EFFECTS_SHOWN = 200
# How the plan of a proof begins a warning that forbids its verdict to be green.
NEVER_GREEN = "cannot be PASSED"
# That a control cannot prove its point is said by the card itself.
_CONTROLLED = f"{NEVER_GREEN}: negative control"


def estimate(found: Estimate | None) -> tuple[Span | str, ...]:
    if found is None:
        return (muted("no basis: this was never measured here"),)
    low, high = times.expected(found.low), times.expected(found.high)
    return (strong(low if low == high else f"{low} to {high}"), muted(f"  {found.basis}"))


def folded(label: str, text: str, width: int, tone: Tone = Tone.PLAIN) -> list[Line]:
    """``text`` beside its label, in as many lines as it needs: what will be done is never cut short."""
    first, *rest = wrap(text, width - 1, tone, 16) or [BLANK]
    return [(*labelled(label), *first[1:]), *rest]


def effect(found: Effect) -> Line:
    glyph, tone = _VERBS.get(found.verb, ("?", Tone.WARN))
    return line("   ", span(f"{glyph} {found.verb:<8}", tone), span(found.what, limit=200), muted(f"  {found.detail}"))


def _undo(plan: Plan, width: int) -> list[Line]:
    if plan.kind == KIND and not plan.undo:
        return folded("undo", "not needed: all that it makes is removed at the end, and shown to be gone", width)
    return folded("undo", plan.undo or "cannot be taken back", width, Tone.PLAIN if plan.undo else Tone.WARN)


def _warning(text: str, width: int) -> list[Line]:
    """Why a proof can never be green is as loud as a loss."""
    never = text.startswith(NEVER_GREEN)
    return wrap(f"{'✗' if never else '▲'} {text}", width - 2, Tone.BAD if never else Tone.PLAIN, 3)


def card(plan: Plan, width: int) -> list[Line]:
    """The lines a person reads before approving."""
    words, tone = _DANGERS[plan.danger]
    lines = [
        BLANK,
        line(" ", strong(plan.title), "   ", span(words, tone)),
        BLANK,
        labelled("where", span(plan.context, Tone.ACCENT), muted(f"  cluster {uid(plan.cluster_uid)}")),
        labelled("target", strong(plan.target)),
        labelled("takes", *estimate(plan.estimate)),
        *_undo(plan, width),
    ]
    if plan.kind == KIND:
        lines += proof_plan.asked(plan, width)
    if plan.losses:
        lines += [BLANK, line(span(" What will be lost", Tone.BAD))]
        lines += [part for loss in plan.losses for part in wrap(f"✗ {loss}", width - 2, Tone.PLAIN, 3)]
    warnings = [one for one in plan.warnings if not (plan.params.get("control") and one.startswith(_CONTROLLED))]
    if warnings:
        lines += [BLANK, line(span(" Mind", Tone.WARN))]
        lines += [part for warning in warnings for part in _warning(warning, width)]
    if plan.kind == KIND:
        lines += proof_plan.parts(plan, width)
    elif plan.effects:
        lines += [BLANK, line(span(" What will happen", Tone.ACCENT)), *map(effect, plan.effects[:EFFECTS_SHOWN])]
        if len(plan.effects) > EFFECTS_SHOWN:
            lines.append(line(muted(f"   … and {len(plan.effects) - EFFECTS_SHOWN} more")))
    lines += [BLANK, line(span(" Steps", Tone.ACCENT))]
    for number, step in enumerate(plan.steps, 1):
        mark = span("changes", Tone.WARN) if step.mutates else muted("reads  ")
        lines.append(line(f"   {number:>2}  ", mark, "  ", span(step.title, limit=200)))
    return [*lines, BLANK, line(muted(f" plan {plan.digest()[:12]}  made {times.stamp(plan.made)}"))]


def undo_card(operation: Operation, now: datetime, width: int) -> list[Line]:
    """What a person reads before an operation is taken back."""
    means = operation.undo or "what its steps changed is changed back, newest step first"
    return _decision("Take back", means, operation, now, width)


def close_card(operation: Operation, now: datetime, width: int) -> list[Line]:
    """What a person reads before a parked operation is closed."""
    means = "it ends as it stands: nothing goes on, nothing is changed back, and its target is free for others"
    return _decision("Close", means, operation, now, width)


def take_over_card(operation: Operation, now: datetime, width: int) -> list[Line]:
    """What a person reads before an operation of another Lazarus goes on here."""
    means = (
        f"it was {operation.foreign}. It goes on here, and that one stops before its next change; every step is "
        "looked at first. When somebody still works with it there, let them finish"
    )
    return _decision("Take over", means, operation, now, width)


def _decision(what: str, means: str, operation: Operation, now: datetime, width: int) -> list[Line]:
    changed = [step for step in operation.steps if step.mutates and step.state is not StepState.PLANNED]
    lines = [
        BLANK,
        line(" ", strong(f"{what}: {operation.title}")),
        BLANK,
        labelled("where", span(operation.context, Tone.ACCENT)),
        labelled("target", strong(operation.target)),
        labelled("it is", status.operation_state(operation.state, operation.verdict),
                 muted(f"  begun {times.age(operation.started, now)} ago")),
        *folded("means", means, width, Tone.WARN),
    ]  # fmt: skip
    if operation.state is OpState.DONE:
        lines += [BLANK, *wrap("▲ it is done: what came in since then goes too", width - 1, Tone.WARN, 1)]
    if changed:
        lines += [BLANK, line(span(" What it changed", Tone.ACCENT))]
        lines += [line("   ", span(step.title, limit=100), muted(f"  {step.detail}")) for step in changed]
    return lines
