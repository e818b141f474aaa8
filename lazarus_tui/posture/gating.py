"""Whether a workload was proven, recently enough, for a pipeline to go on. Pure: from the proofs of one context."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.durations import human
from lazarus_tui.model.proof_policies import ProofPolicyRow, Standing
from lazarus_tui.model.proofs import REQUIRED, Ladder, ProofRecord, ProofView
from lazarus_tui.model.topics import PointView
from lazarus_tui.model.verdict import Verdict

OPEN, RED, UNKNOWN = 0, 2, 4  # exit codes of the gate
# What ended later than now by more than this was stamped by a wrong clock: its age is not known.
AHEAD = timedelta(minutes=5)
_Proof = tuple[ProofView, ProofRecord, Verdict]


class Gated(msgspec.Struct, frozen=True, kw_only=True):
    """``code``: 0 a green proof is new enough, 2 the newest says FAILED (or a control did not go red), 4 nothing that
    is new enough says anything. ``operation`` and ``at``: of the proof that decided, "" for none; ``point`` and
    ``point_at``: of the point that was asked for, and when it began."""

    code: int
    verdict: Verdict
    words: str
    operation: str = ""
    at: str = ""
    point: str = ""
    age_seconds: float | None = None
    point_at: str = ""
    point_age_seconds: float | None = None
    passed_over: tuple[str, ...] = ()  # newer points that are not usable, and why


def gate(
    views: Iterable[ProofView], namespace: str, workload: str, point: PointView, *, latest: bool = True,
    within: timedelta, now: datetime, require: Sequence[str] = (), usual: bool = False,
) -> Gated:  # fmt: skip
    """``workload``: ``Kind/name``, or "" for the whole namespace, which a proof of a part does not stand for.
    ``point``: the one that is asked about, because it is the ``latest`` or by its name.
    ``usual``: a proof that had to pass less than the usual rungs is no green one.

    The newest proof of that point that came to PASSED or FAILED decides; one that could not be run says nothing about
    the point, and an older one that did still stands. Only proofs of the cluster that is there now count.
    """
    every = list(views)
    told = sorted(_about(every, namespace), key=lambda one: one[0].ended, reverse=True)
    found = [(done, record) for done, record in told if record.workload in ("", workload)]
    asked = Asked(point, now)
    if unnoticed := _unnoticed(found if workload else told, bool(workload)):
        done, record = unnoticed
        return asked.gated(RED, Verdict.FAILED, f"control failed: {record.words}", done)
    proofs = [(done, record, _verdict(record, workload, require)) for done, record in found if not record.control]
    if latest and (worse := next((one for one in proofs if asked.is_newer_and_red(*one[1:])), None)):
        words = f"{worse[1].point}, a newer point, says FAILED: {worse[1].words}"
        return asked.gated(RED, Verdict.FAILED, words, worse[0])
    if usual:
        proofs = [one for one in proofs if one[2] is not Verdict.PASSED or set(REQUIRED) <= set(one[1].required)]
    own = [one for one in proofs if asked.is_of(one[1])]
    judged = next((one for one in own if _clear(one[2])), None)
    if judged is None:
        return asked.gated(UNKNOWN, Verdict.NOT_TESTED, asked.unproven(own, proofs, every))
    done, record, verdict = judged
    if why := _aged(now - parse_rfc3339(done.ended), within):
        return asked.gated(UNKNOWN, Verdict.NOT_TESTED, why, done)
    return asked.gated(OPEN if verdict is Verdict.PASSED else RED, verdict, record.words, done)


def nothing(words: str) -> Gated:
    """The gate where no point can be asked about."""
    return Gated(code=UNKNOWN, verdict=Verdict.NOT_TESTED, words=words)


@dataclass(frozen=True, slots=True)
class Asked:
    """The point that a gate is asked about, at ``now``."""

    point: PointView
    now: datetime

    def is_of(self, record: ProofRecord) -> bool:
        """Whether a proof is of this point, and not of another one that had its name."""
        return (
            (record.source, record.point) == (self.point.kind, self.point.name)
            and bool(record.point_start and self.point.start)
            and parse_rfc3339(record.point_start) == parse_rfc3339(self.point.start)
        )

    def is_newer_and_red(self, record: ProofRecord, verdict: Verdict) -> bool:
        """Whether a proof is of a newer point of the same kind, which is no good."""
        begun = record.point_start if record.source == self.point.kind and verdict is Verdict.FAILED else ""
        return bool(begun and self.point.start) and parse_rfc3339(begun) > parse_rfc3339(self.point.start)

    def unproven(self, own: Sequence[_Proof], others: Sequence[_Proof], views: Iterable[ProofView]) -> str:
        """That the point was not proven, and what there is instead, which does not count."""
        said = [f"{self.point.name} was never proven"]
        said += [f"its newest proof says {own[0][2]}: {own[0][1].words}"] if own else []
        other = next((one for one in others if not self.is_of(one[1]) and _clear(one[2])), None)
        said += [f"{other[1].point}, another point, says {other[2]}"] if other else []
        foreign = sum(1 for one in views if one.record is not None and one.record.proves and not one.here)
        many = how_many(foreign, "proof is", "proofs are")
        said += [f"{many} of another cluster or of one that was not recorded"] if foreign else []
        return "; ".join(said)

    def gated(self, code: int, verdict: Verdict, words: str, done: ProofView | None = None) -> Gated:
        def age(text: str) -> float | None:
            return round((self.now - parse_rfc3339(text)).total_seconds(), 1) if text else None

        at = done.ended if done is not None else ""
        return Gated(
            code=code, verdict=verdict, words=words, operation=done.id if done is not None else "", at=at,
            point=self.point.name, age_seconds=age(at), point_at=self.point.start,
            point_age_seconds=age(self.point.start),
        )  # fmt: skip


def _aged(age: timedelta, within: timedelta) -> str:
    """Why a proof of this age does not count, "" when it is new enough."""
    if age < -AHEAD:
        return "the newest proof is stamped later than now: a clock was set, and how old it is is not known"
    return f"the newest proof is {human(age)} old, and {human(within)} is the limit" if age > within else ""


def gate_policy(row: ProofPolicyRow, *, within: timedelta, now: datetime) -> Gated:
    """Every workload of a policy has to stand green by a proof that is new enough; the worst of them decides. Of one
    that is kept from looking nobody knows whether there is a newer point."""
    if not row.standings:
        return Gated(code=UNKNOWN, verdict=Verdict.NOT_TESTED, words="it has proven nothing yet")
    worst = max((_stands(one, within, now) for one in row.standings), key=lambda one: (one.code == RED, one.code))
    if worst.code == OPEN and row.unseen:
        words = f"whether there is a newer point is not known: {row.unseen}"
        return msgspec.structs.replace(worst, code=UNKNOWN, verdict=Verdict.NOT_TESTED, words=words)
    return worst


def _stands(one: Standing, within: timedelta, now: datetime) -> Gated:
    age = now - parse_rfc3339(one.at) if one.at else None
    known: dict[str, Any] = {"operation": one.operation, "at": one.at, "point": one.point}
    seconds = round(age.total_seconds(), 1) if age is not None else None
    if one.verdict is Verdict.FAILED or one.control == "failed":
        words = f"{one.subject}: {one.words}"
        return Gated(code=RED, verdict=Verdict.FAILED, words=words, age_seconds=seconds, **known)
    old = _aged(age, within) if age is not None and one.green else ""
    if age is None or not one.green or old:
        words = f"{one.subject}: {old or one.words}"
        return Gated(code=UNKNOWN, verdict=Verdict.NOT_TESTED, words=words, age_seconds=seconds, **known)
    if one.pending or one.refused:
        left = f"{one.pending} has not ended" if one.pending else f"{one.refused} could not be planned"
        words = f"{one.subject}: the proof of {left}"
        return Gated(code=UNKNOWN, verdict=Verdict.NOT_TESTED, words=words, age_seconds=seconds, **known)
    words = f"{one.subject}: {one.words}"
    return Gated(code=OPEN, verdict=Verdict.PASSED, words=words, age_seconds=seconds, **known)


def _about(views: Iterable[ProofView], namespace: str) -> Iterable[tuple[ProofView, ProofRecord]]:
    for done in views:
        record = done.record
        if done.here and record is not None and done.ended and record.namespace == namespace:
            yield done, record


def _unnoticed(told: Iterable[tuple[ProofView, ProofRecord]], one: bool) -> tuple[ProofView, ProofRecord] | None:
    """The control that did not go red and that no later one of its kind makes good, of proofs newest first: that of a
    workload by its own, that of the whole also where only ``one`` is asked about. That checks notice a copy which does
    not run does not mean that they notice one whose data is spoiled."""
    seen: set[tuple[str, str]] = set()
    for done, record in told:
        kind = record.control
        if not kind or not _clear(record.verdict):
            continue
        good = {part for part, of in seen if of == kind}
        if (
            record.verdict is Verdict.FAILED
            and record.workload not in good
            and not (one and good and not record.workload)
        ):
            return done, record
        if record.verdict is Verdict.PASSED:
            seen |= {(part, kind) for part in record.noticed_in}
    return None


def _verdict(record: ProofRecord, workload: str, require: Sequence[str]) -> Verdict:
    """By the rungs that are asked for, else by those the proof had to pass; never greener than the proof allows."""
    ladders: Sequence[Ladder] = record.ladders
    if workload and not record.workload:
        ladders = [one for one in ladders if one.workload == f"{record.namespace}/{workload}"]
        if not ladders:
            return Verdict.NOT_TESTED
    elif not require:
        return record.verdict
    verdicts = [one.verdict(require or record.required) for one in ladders]
    worst = next((one for one in _WORST if one in verdicts), Verdict.NOT_TESTED)
    held_back = bool(record.not_green) or record.verdict is Verdict.INCONCLUSIVE
    return Verdict.INCONCLUSIVE if worst is Verdict.PASSED and held_back else worst


_WORST = (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.NOT_TESTED, Verdict.PASSED)


def _clear(verdict: Verdict) -> bool:
    return verdict in (Verdict.PASSED, Verdict.FAILED)
