"""A plan as a blast card: what will happen, what will be lost, how long it takes, how it is taken back."""

from __future__ import annotations

from lazarus_tui.model.plan import Danger, Effect, Estimate, Plan
from lazarus_tui.view import times
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


def estimate(found: Estimate | None) -> tuple[Span | str, ...]:
    if found is None:
        return (muted("no basis: this was never measured here"),)
    low, high = times.duration(found.low), times.duration(found.high)
    return (strong(low if low == high else f"{low} to {high}"), muted(f"  {found.basis}"))


def effect(found: Effect) -> Line:
    glyph, tone = _VERBS.get(found.verb, ("?", Tone.WARN))
    return line("   ", span(f"{glyph} {found.verb:<8}", tone), span(found.what, limit=200), muted(f"  {found.detail}"))


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
        labelled("undo", span(plan.undo, limit=300) if plan.undo else span("cannot be taken back", Tone.WARN)),
    ]
    if plan.losses:
        lines += [BLANK, line(span(" What will be lost", Tone.BAD))]
        lines += [part for loss in plan.losses for part in wrap(f"✗ {loss}", width - 2, Tone.PLAIN, 3)]
    if plan.warnings:
        lines += [BLANK, line(span(" Mind", Tone.WARN))]
        lines += [part for warning in plan.warnings for part in wrap(f"▲ {warning}", width - 2, Tone.PLAIN, 3)]
    if plan.effects:
        lines += [BLANK, line(span(" What will happen", Tone.ACCENT)), *map(effect, plan.effects[:EFFECTS_SHOWN])]
        if len(plan.effects) > EFFECTS_SHOWN:
            lines.append(line(muted(f"   … and {len(plan.effects) - EFFECTS_SHOWN} more")))
    lines += [BLANK, line(span(" Steps", Tone.ACCENT))]
    for number, step in enumerate(plan.steps, 1):
        mark = span("changes", Tone.WARN) if step.mutates else muted("reads  ")
        lines.append(line(f"   {number:>2}  ", mark, "  ", span(step.title, limit=200)))
    return [*lines, BLANK, line(muted(f" plan {plan.digest()[:12]}  made {times.stamp(plan.made)}"))]
