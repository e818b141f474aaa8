"""Whether a workload was proven, recently enough, for a pipeline to go on. Pure: from the proofs of one context."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.durations import human
from lazarus_tui.model.proof_policies import ProofPolicyRow, Standing
from lazarus_tui.model.proofs import REQUIRED, Ladder, ProofRecord, ProofView
from lazarus_tui.model.verdict import Verdict

OPEN, RED, UNKNOWN = 0, 2, 4  # exit codes of the gate
# What ended later than now by more than this was stamped by a wrong clock: its age is not known.
AHEAD = timedelta(minutes=5)


class Gated(msgspec.Struct, frozen=True, kw_only=True):
    """``code``: 0 a green proof is new enough, 2 the newest says FAILED (or a control did not go red), 4 nothing that
    is new enough says anything. ``operation`` and ``at``: of the proof that decided, "" for none."""

    code: int
    verdict: Verdict
    words: str
    operation: str = ""
    at: str = ""
    point: str = ""
    age_seconds: float | None = None


def gate(
    views: Iterable[ProofView], namespace: str, workload: str, *, within: timedelta, now: datetime,
    require: Sequence[str] = (), usual: bool = False,
) -> Gated:  # fmt: skip
    """``workload``: ``Kind/name``, or "" for the whole namespace, which a proof of a part does not stand for.
    ``usual``: a proof that had to pass less than the usual rungs is no green one.

    The newest proof that came to PASSED or FAILED decides; one that could not be run says nothing about the point, and
    an older one that did still stands.
    """
    told = sorted(_about(views, namespace), key=lambda one: one[0].ended, reverse=True)
    found = [(done, record) for done, record in told if record.workload in ("", workload)]
    if unnoticed := _unnoticed(found if workload else told, bool(workload)):
        done, record = unnoticed
        return _gated(RED, Verdict.FAILED, f"control failed: {record.words}", done, record, now)
    proofs = [(done, record, _verdict(record, workload, require)) for done, record in found if not record.control]
    if usual:
        proofs = [one for one in proofs if one[2] is not Verdict.PASSED or set(REQUIRED) <= set(one[1].required)]
    judged = [one for one in proofs if _clear(one[2])]
    if not judged:
        last = f"; the newest proof says {proofs[0][2]}: {proofs[0][1].words}" if proofs else ""
        return Gated(code=UNKNOWN, verdict=Verdict.NOT_TESTED, words=f"it was never proven{last}")
    done, record, verdict = judged[0]
    old = now - parse_rfc3339(done.ended)
    if why := _aged(old, within):
        return _gated(UNKNOWN, Verdict.NOT_TESTED, why, done, record, now)
    code = OPEN if verdict is Verdict.PASSED else RED
    return _gated(code, verdict, record.words, done, record, now)


def _aged(age: timedelta, within: timedelta) -> str:
    """Why a proof of this age does not count, "" when it is new enough."""
    if age < -AHEAD:
        return "the newest proof is stamped later than now: a clock was set, and how old it is is not known"
    return f"the newest proof is {human(age)} old, and {human(within)} is the limit" if age > within else ""


def _gated(code: int, verdict: Verdict, words: str, done: ProofView, record: ProofRecord, now: datetime) -> Gated:
    age = (now - parse_rfc3339(done.ended)).total_seconds()
    return Gated(
        code=code, verdict=verdict, words=words, operation=done.id, at=done.ended, point=record.point,
        age_seconds=round(age, 1),
    )  # fmt: skip


def gate_policy(row: ProofPolicyRow, *, within: timedelta, now: datetime) -> Gated:
    """Every workload of a policy has to stand green by a proof that is new enough; the worst of them decides."""
    if not row.standings:
        return Gated(code=UNKNOWN, verdict=Verdict.NOT_TESTED, words="it has proven nothing yet")
    return max((_stands(one, within, now) for one in row.standings), key=lambda one: (one.code == RED, one.code))


def _stands(one: Standing, within: timedelta, now: datetime) -> Gated:
    age = now - parse_rfc3339(one.at) if one.at else None
    known = {"operation": one.operation, "at": one.at, "point": one.point}
    seconds = round(age.total_seconds(), 1) if age is not None else None
    if one.verdict is Verdict.FAILED or one.control == "failed":
        words = f"{one.subject}: {one.words}"
        return Gated(code=RED, verdict=Verdict.FAILED, words=words, age_seconds=seconds, **known)
    old = _aged(age, within) if age is not None and one.green else ""
    if age is None or not one.green or old:
        words = f"{one.subject}: {old or one.words}"
        return Gated(code=UNKNOWN, verdict=Verdict.NOT_TESTED, words=words, age_seconds=seconds, **known)
    words = f"{one.subject}: {one.words}"
    return Gated(code=OPEN, verdict=Verdict.PASSED, words=words, age_seconds=seconds, **known)


def _about(views: Iterable[ProofView], namespace: str) -> Iterable[tuple[ProofView, ProofRecord]]:
    for done in views:
        record = done.record
        if record is not None and done.ended and record.namespace == namespace:
            yield done, record


def _unnoticed(told: Iterable[tuple[ProofView, ProofRecord]], one: bool) -> tuple[ProofView, ProofRecord] | None:
    """The control that did not go red and that no later one makes good, of proofs newest first: of a whole namespace
    each part has its own, and a later one of the whole stands for all of them."""
    seen: set[str] = set()
    for done, record in told:
        part = "" if one else record.workload
        if not record.control or not _clear(record.verdict) or part in seen:
            continue
        if record.verdict is Verdict.FAILED:
            return done, record
        if not part:
            return None
        seen.add(part)
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
