"""From facts to the record of a proof. Pure: the verdict is never greener than what the journal holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lazarus_tui.model.durations import human
from lazarus_tui.model.operation import Figures
from lazarus_tui.model.proofs import REQUIRED, RUNGS, Ladder, ProofRecord, Reached, Trouble, overall, targets
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.proof.noticing import another_reason
from lazarus_tui.prove.proof.rerun import deviation
from lazarus_tui.prove.proof.rungs import Evidence, counted, ladders, red_checks, shown_closed
from lazarus_tui.prove.proof.tried import STUMBLED
from lazarus_tui.prove.silences.steps import troubles

SABOTAGED = "prove.sabotaged"


def judge(operation: str, found: Evidence, figures: Figures) -> ProofRecord:
    """The record, and with a control what the control says instead."""
    params, facts = found.params, found.facts
    climbed = ladders(found)
    required = tuple(params.get("require") or REQUIRED)
    not_green = tuple(str(one) for one in params.get("not_green") or ())
    deciding = counted(found, climbed)
    verdict = overall(deciding, required, [*not_green, *([str(found.stopped)] if found.stopped else [])])
    words = _words(deciding, required, not_green)
    control = str(params.get("control") or "")
    if control:
        verdict, words = _controlled(control, found, climbed)
    return ProofRecord(
        operation=operation,
        source=str(params.get("source") or ""),
        point=str(params.get("point") or ""),
        namespace=str(params.get("namespace") or ""),
        workload=str(params.get("workload") or ""),
        quarantine=str(params.get("quarantine") or ""),
        verdict=verdict,
        words=words,
        required=required,
        ladders=climbed,
        targets=targets(params.get("targets") or {}, figures.rta_seconds, figures.rpa_seconds),
        troubles=tuple(msgspec.convert(list(facts.get("prove.troubles") or ()), list[Trouble])),
        deviations=tuple(_deviations(found)),
        not_green=not_green,
        left=tuple(left_behind(params, facts)),
        control=control,
    )


def _words(climbed: tuple[Ladder, ...], required: tuple[str, ...], not_green: tuple[str, ...]) -> str:
    """The lowest required rung that is not green, the worst first; or up to where it was proven."""
    for wanted in (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.NOT_TESTED):
        found = [(ladder, rung) for ladder in climbed for rung in ladder.rungs if rung.verdict is wanted]
        found = [(ladder, rung) for ladder, rung in found if rung.name in required]
        if found:
            ladder, rung = min(found, key=lambda one: RUNGS.index(one[1].name))
            return f"{ladder.workload} {rung.name!r}: {rung.why}"
    if not_green:
        return f"it cannot be green: {'; '.join(not_green)}"
    return f"proven up to {min((ladder.reached for ladder in climbed), key=len, default='nothing')!r}"


def _controlled(control: str, found: Evidence, climbed: tuple[Ladder, ...]) -> tuple[Verdict, str]:
    """The copy was broken on purpose: a check has to say so. Red for another reason proves nothing about the checks.

    That nothing was started is seen by the look at the replicas too, which makes the rung "healthy" of every proof.
    """
    facts = found.facts
    if not facts.get(SABOTAGED):
        why = found.stopped.get("words") or "it did not come to that"
        return Verdict.INCONCLUSIVE, f"the copy was not broken: {why}"
    if found.stopped or not shown_closed(facts):
        return Verdict.INCONCLUSIVE, f"it could not run to its end: {found.stopped.get('words') or 'not shown closed'}"
    if not facts.get("checks.verdict"):
        return Verdict.INCONCLUSIVE, "no check ran"
    red = [result.name for result in red_checks(found.checks)]
    if control == "no-workload" and not red:
        red = [f"{one.workload} 'healthy'" for one in climbed if one.rung("healthy").verdict is Verdict.FAILED]
    if not red:
        return Verdict.FAILED, f"the copy was broken ({control}: {facts[SABOTAGED]}), and no check noticed"
    broken = f"broken ({control}: {facts[SABOTAGED]})"
    if why := another_reason(control, found):
        open_ = f"{broken}; {', '.join(red)} went red, but maybe not for that: {why}"
        return Verdict.INCONCLUSIVE, open_
    return Verdict.PASSED, f"{broken}, and noticed by {', '.join(red)}"


def _deviations(found: Evidence) -> list[str]:
    """What was not as it was planned or promised."""
    facts = found.facts
    said = [f"{found.stopped['title']}: {found.stopped['words']}"] if found.stopped else []
    said += [f"{step}: {words}" for step, words in (facts.get(STUMBLED) or {}).items()]
    said += troubles(facts)
    if again := deviation(facts):
        said.append(again)
    if facts.get("prove.flipped"):
        said.append(str(facts["prove.flipped"]))
    return said


def missed(record: ProofRecord) -> list[str]:
    """Objectives that were not held, in words."""
    return [
        f"{one.name.upper()} of {one.objective_seconds:.0f} s was missed: {one.actual_seconds:.1f} s"
        for one in record.targets
        if one.result is Reached.MISSED and one.objective_seconds is not None and one.actual_seconds is not None
    ]


def left_behind(params: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """What cleaning left, one sentence each; a quarantine that was not shown clean counts as left."""
    cleaned = facts.get("prove.cleaned")
    if not cleaned:
        return [f"{params.get('quarantine')}: it was not shown that it is gone"] if facts.get("prove.space") else []
    if cleaned.get("clean") is True or cleaned.get("kept_until"):
        return []
    found = [
        f"{one['kind']} {one['name']} (of operation {str(one['owner'])[:8]}, {human(one['age'])} old): {one['why']}"
        for one in cleaned.get("leftovers") or ()
    ]
    found += [f"snapshot {one} of the point is not listed any more" for one in cleaned.get("lost") or ()]
    found += [f"whether a {one['kind']} is left is not known: {one['why']}" for one in cleaned.get("unseen") or ()]
    return found or [f"{params.get('quarantine')}: it is not known whether it is gone"]
