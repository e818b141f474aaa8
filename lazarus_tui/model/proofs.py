"""What a proof says: one ladder of rungs per workload, and the verdict of the whole (design.md §1, §6).

A rung is proven on top of the ones below it: above a red rung nothing was proven, whatever was seen there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from lazarus_tui.model.operation import Operation, OpState, Phase
from lazarus_tui.model.verdict import Verdict, worst

KIND = "prove.run"
# The facts of a proof's operation: its record, and before there is one what it is about (see ``About``).
RECORD, ABOUT = "prove.record", "prove.about"
# The first step that failed before the end: {step, title, verdict, words, hint, at}. Absent or empty: none did.
STOPPED = "prove.stopped"
# Where its evidence is kept.
EVIDENCE = "evidence"
# Of a proof whose evidence could not be kept: {why, record: as it was judged}. Absent or empty: nothing is missing.
UNKEPT = "prove.unkept"
# From the bottom up. A proof never drills: the last rung is for drills to prove.
RUNGS = ("exists", "complete", "intact", "restores", "healthy", "data right", "drilled")
# What has to pass unless a plan says otherwise.
REQUIRED = RUNGS[:5]
# The rung that a step is about, by the beginning of its name; what is not here brings the data back.
_STEPS = (
    ("prove.preflight", "exists"),
    ("restore.preflight", "exists"),
    ("restore.contents", "complete"),
    ("prove.contents", "complete"),
    ("prove.identity", "intact"),
    ("prove.release", "healthy"),
    ("prove.sabotage", "healthy"),
    ("checks.", "healthy"),
)


_BROKEN_OFF = (OpState.FAILED, OpState.LEFT_CHANGED)
# The fact that names what an operation left behind in the cluster, one sentence each; absent or empty: nothing.
LEFT = "left"


class Rung(msgspec.Struct, frozen=True):
    """One rung. ``why`` in words; ``at`` is when it was found so (RFC 3339), "" when it was not looked at."""

    name: str
    verdict: Verdict
    why: str = ""
    at: str = ""


class Ladder(msgspec.Struct, frozen=True):
    """The rungs of one workload, from the bottom up. ``workload``: "shop/StatefulSet/orders", or the namespace."""

    workload: str
    rungs: tuple[Rung, ...] = ()

    def rung(self, name: str) -> Rung:
        """The rung of that name; one that nobody judged was not tested."""
        return next((rung for rung in self.rungs if rung.name == name), Rung(name, Verdict.NOT_TESTED))

    @property
    def reached(self) -> str:
        """The highest rung up to which everything passed, "" when not even the first did."""
        found = ""
        for rung in self.rungs:
            if rung.verdict is not Verdict.PASSED:
                break
            found = rung.name
        return found

    def verdict(self, required: Iterable[str]) -> Verdict:
        return worst(self.rung(name).verdict for name in required)


class Reached(StrEnum):
    """Whether a target was held: unknown when there is no figure to compare, and NONE when there is no target."""

    MET = "met"
    MISSED = "missed"
    UNKNOWN = "unknown"
    NONE = "no target"


class Target(msgspec.Struct, frozen=True):
    """An objective in seconds beside what was measured; ``name`` is rto or rpo."""

    name: str
    objective_seconds: float | None
    actual_seconds: float | None
    result: Reached


class Trouble(msgspec.Struct, frozen=True):
    """Why something in the copy is not healthy: where, what was seen, what it means and what to do next."""

    where: str
    seen: str
    cause: str = ""
    advice: str = ""


class ProofRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one proof, as evidence, console and command line take it.

    ``control`` names the way the copy was broken on purpose, "" for a proof proper. PASSED then means that the checks
    went red as they should, and says nothing about the point. ``left`` is what clean-up left behind. ``point_start``:
    when the point began (RFC 3339); ``cluster_uid``: of the cluster that was proven in; "" where that was not recorded.
    """

    operation: str
    source: str
    point: str
    namespace: str
    workload: str = ""
    quarantine: str = ""
    verdict: Verdict = Verdict.NOT_TESTED
    words: str = ""
    required: tuple[str, ...] = REQUIRED
    ladders: tuple[Ladder, ...] = ()
    targets: tuple[Target, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    deviations: tuple[str, ...] = ()
    not_green: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    control: str = ""
    point_start: str = ""
    cluster_uid: str = ""

    @property
    def proves(self) -> bool:
        """Whether it says anything about the point."""
        return not self.control

    @property
    def noticed_in(self) -> tuple[str, ...]:
        """Of a control that was noticed: where it shows that checks notice, as ``Kind/name``, "" is the namespace. Of
        several workloads nobody knows whose check it was."""
        if self.workload or len(self.ladders) != 1:
            return (self.workload,)
        return ("", self.ladders[0].workload.removeprefix(f"{self.namespace}/"))

    @property
    def about(self) -> About:
        return About(
            namespace=self.namespace, workload=self.workload, source=self.source, point=self.point,
            control=self.control, require=self.required,
        )  # fmt: skip

    def verdict_of(self, ladder: Ladder) -> Verdict:
        """Of one workload: its own rungs; what keeps the whole from green keeps every part from it."""
        verdict = ladder.verdict(self.required)
        held_back = bool(self.not_green) or self.verdict is Verdict.INCONCLUSIVE
        return Verdict.INCONCLUSIVE if verdict is Verdict.PASSED and held_back else verdict

    def target(self, name: str) -> Target | None:
        return next((one for one in self.targets if one.name == name), None)


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a proof is about, known as soon as it has looked at its point."""

    namespace: str
    workload: str = ""
    source: str = ""
    point: str = ""
    control: str = ""
    require: tuple[str, ...] = REQUIRED


def record_of(facts: Mapping[str, Any]) -> ProofRecord | None:
    """The record among an operation's facts; None while nothing is judged, and for one that cannot be read."""
    try:
        return msgspec.convert(facts[RECORD], ProofRecord) if facts.get(RECORD) else None
    except msgspec.ValidationError:
        return None


def about(facts: Mapping[str, Any]) -> About | None:
    """What the proof with these facts is about, None while it has not looked, and for what cannot be read."""
    if (record := record_of(facts)) is not None:
        return record.about
    try:
        return msgspec.convert(facts[ABOUT], About) if facts.get(ABOUT) else None
    except msgspec.ValidationError:
        return None


class ProofView(msgspec.Struct, frozen=True, kw_only=True):
    """A proof as lists show it: its operation without steps, checks and facts. ``record`` None: nothing is judged.

    ``here``: whether it was proven in the cluster that its context leads to now; None: one of the two is not known.
    Only what is True counts.
    """

    id: str
    state: OpState
    started: str
    ended: str = ""
    verdict: Verdict = Verdict.NOT_TESTED
    about: About
    record: ProofRecord | None = None
    rta_seconds: float | None = None
    rpa_seconds: float | None = None
    phases: tuple[Phase, ...] = ()
    cluster_uid: str = ""
    here: bool | None = None
    hint: str = ""
    """What to do about the step at which it stopped, where one is known."""


def located(found: ProofView, cluster_uid: str) -> ProofView:
    """``found`` beside the uid of the cluster that its context leads to now, "" where nobody knows."""
    here = found.cluster_uid == cluster_uid if found.cluster_uid and cluster_uid else None
    return msgspec.structs.replace(found, here=here)


def view(operation: Operation) -> ProofView | None:
    """None for what is no proof, and for one that has not looked at its point yet."""
    known = about(operation.facts) if operation.kind == KIND else None
    if known is None:
        return None
    figures, record = operation.figures, _ended_well(operation)
    cluster = (record.cluster_uid if record else "") or operation.cluster_uid
    stopped = operation.facts.get(STOPPED)
    return ProofView(
        id=operation.id, state=operation.state, started=operation.started, ended=operation.ended,
        verdict=operation.verdict, about=known, record=record, cluster_uid=cluster,
        rta_seconds=figures.rta_seconds if figures else None, rpa_seconds=figures.rpa_seconds if figures else None,
        phases=figures.rta_phases if figures else (),
        hint=str(stopped.get("hint") or "") if isinstance(stopped, Mapping) else "",
    )  # fmt: skip


def fell_short(operation: Operation, state: str) -> bool:
    """Whether a proof that ends in ``state`` (of ``OpState``) did not come to its end: closed by hand, or taken back
    before there was any evidence. That a copy which was kept is taken away afterwards changes nothing."""
    return state in _BROKEN_OFF or (state == OpState.UNDONE and not operation.facts.get(EVIDENCE))


def _ended_well(operation: Operation) -> ProofRecord | None:
    """Its record; what was judged green and then did not come to its end is not green."""
    record = record_of(operation.facts)
    if record is None or record.verdict is not Verdict.PASSED or not fell_short(operation, operation.state):
        return record
    why = f"it did not come to its end: {operation.message or operation.state.value}"
    return msgspec.structs.replace(record, verdict=Verdict.INCONCLUSIVE, words=why, not_green=(*record.not_green, why))


def rung_of_step(step: str) -> str:
    """The rung that a step of a proof is about, by the step's name."""
    return next((rung for prefix, rung in _STEPS if step.startswith(prefix)), "restores")


def climb(rungs: Sequence[Rung]) -> tuple[Rung, ...]:
    """The rungs as a ladder: what lies above a red one was not tested, whatever was seen there."""
    found: list[Rung] = []
    red = ""
    for rung in rungs:
        if red and rung.verdict is not Verdict.NOT_TESTED:
            rung = Rung(rung.name, Verdict.NOT_TESTED, f"{red!r} below it is red")
        found.append(rung)
        red = red or (rung.name if rung.verdict is Verdict.FAILED else "")
    return tuple(found)


def overall(ladders: Iterable[Ladder], required: Iterable[str], never_green: Iterable[str] = ()) -> Verdict:
    """The worst of the required rungs of all ladders; any reason in ``never_green`` keeps it from PASSED."""
    wanted = tuple(required)
    verdict = worst(ladder.verdict(wanted) for ladder in ladders)
    return Verdict.INCONCLUSIVE if verdict is Verdict.PASSED and any(never_green) else verdict


def targets(wanted: Mapping[str, Any], rta: float | None, rpa: float | None) -> tuple[Target, ...]:
    """Measured against objectives: ``wanted`` {rto_seconds, rpo_seconds}, either may be missing or None."""
    return (_target("rto", wanted.get("rto_seconds"), rta), _target("rpo", wanted.get("rpo_seconds"), rpa))


def _target(name: str, objective: Any, actual: float | None) -> Target:
    if not isinstance(objective, int | float) or isinstance(objective, bool):
        return Target(name, None, actual, Reached.NONE)
    if actual is None or actual < 0:  # data newer than the moment it is measured to is not the point's
        return Target(name, float(objective), actual, Reached.UNKNOWN)
    return Target(name, float(objective), actual, Reached.MET if actual <= objective else Reached.MISSED)


def unknown_rungs(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that no proof can prove: misspelt, or a drill's."""
    return [name for name in names if name not in RUNGS[:-1]]
