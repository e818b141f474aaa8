"""Policies for proofs: what is proven by itself and when; the queue of proofs; and what a policy's workloads stand at.

Pure. A proof in the queue is an ``Entry`` with the planner's parameters in it; its id follows from what it is for, so
that whoever finds the same reason twice finds one entry.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Any

import msgspec

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.plan import digest
from lazarus_tui.model.policies import MOST_RUNS, RUN_ALL, RUN_ONCE, SKIP, Blackout, Timed, closed_until, opens
from lazarus_tui.model.verdict import Verdict, worst

ON_COMPLETION = "on-completion"
# Choices that are of the newest point there is: a proof of an older one that ends later says nothing newer.
_NEWEST = (ON_COMPLETION, "latest")
_OLDER = ("latest-proven", "oldest", "random:")  # how those begin that are of older ones
# What waits at most of one policy, unless it has more workloads; beyond it the oldest is left out where a newer one of
# the same workload waits, and that is recorded.
MOST_WAITING = 50
# A control that is this many times its period old is no ground for green any more.
STALE_CONTROL = 2
# Stretches of windows and blackouts that are followed when the time in which something may begin is counted.
_MOST_STRETCHES = 2000
_ended = attrgetter("ended")


class Selector(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which workloads: a namespace, one workload of it (``Kind/name``), or those with ``labels`` (in ``namespace``, or
    anywhere)."""

    namespace: str = ""
    workload: str = ""
    labels: dict[str, str] = {}


class Subject(msgspec.Struct, frozen=True, order=True):
    """What one proof is about; ``workload`` "" is the whole namespace."""

    namespace: str
    workload: str = ""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.workload}" if self.workload else self.namespace


# By what a proof is judged, of ``ProofPolicy.prove``.
_JUDGED_BY = {"checks": "checks", "require": "rungs", "targets": "targets", "stabilise_seconds": "stability"}


class ProofPolicy(Timed, frozen=True, kw_only=True, omit_defaults=True):
    """What a ProofPolicy file means. Times in seconds.

    ``points``: ``on-completion`` (each backup as it completes) and what a scheduled run proves: ``latest``, ``oldest``,
    ``random:30d`` … ``schedules``: Velero's, whose backups alone are proven as they complete; () is every backup.
    ``prove``: parameters of prove.run that are the same for all. ``again_seconds``: a point that was
    proven is not proven again within this time; 0: not at all. ``retries``: how often one that came to no verdict for a
    reason outside of its point is tried again (model.retrying). ``control`` breaks a copy on purpose each
    ``control_seconds``. ``windows``: times in which proofs begin; () is always. ``late_seconds``: a proof that waits
    longer is overdue. ``arrive_seconds``: so is a new point that does not come for longer, where no Velero Schedule
    says when it is due; 0: that is not known then. ``notify``: names of sinks.
    """

    workloads: tuple[Selector, ...]
    points: tuple[str, ...]
    schedules: tuple[str, ...] = ()
    prove: dict[str, Any] = msgspec.field(default_factory=dict)
    windows: tuple[Blackout, ...] = ()
    at_once: int = 1
    again_seconds: float = 0.0
    retries: int = 2
    control: str = ""
    control_seconds: float = 0.0
    late_seconds: float = 3600.0
    arrive_seconds: float = 0.0
    notify: tuple[str, ...] = ()

    @property
    def on_completion(self) -> bool:
        return ON_COMPLETION in self.points

    @property
    def by_clock(self) -> tuple[str, ...]:
        """The points that a scheduled run proves."""
        return tuple(one for one in self.points if one != ON_COMPLETION)

    def wants(self, subject: Subject, point: str, control: str = "") -> dict[str, Any]:
        """The planner's parameters of one proof."""
        given = {"namespace": subject.namespace, "workload": subject.workload, "point": point, "control": control}
        given |= {"policy": self.name, "policy_hash": digest([self])}
        return {key: value for key, value in {**self.prove, **given}.items() if value}

    def chosen_by(self, entry: Entry) -> str:
        """Which of its points a proof is for, or the choice of an older one that it has given up."""
        older = entry.choice.startswith(_OLDER) and not entry.uid
        return entry.choice if older or entry.choice in self.by_clock else ON_COMPLETION

    def judges_otherwise(self, entry: Entry) -> list[str]:
        """What it asks of a proof now that it did not when ``entry`` was queued, or the other way round; in words."""
        asked, asks = entry.params, self.prove
        return [words for key, words in _JUDGED_BY.items() if (asked.get(key) or None) != (asks.get(key) or None)]

    def names(self, subject: Subject) -> bool:
        """Whether it may be one of its workloads: who has which labels is not known here."""
        for one in self.workloads:
            if one.labels and one.namespace in ("", subject.namespace):
                return True
            if not one.labels and (one.namespace, one.workload) == (subject.namespace, subject.workload):
                return True
        return False


class State(StrEnum):
    """Of an entry. ``SKIPPED``: it never began, and ``words`` say why; ``REFUSED``: it could not be planned."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    REFUSED = "refused"

    @property
    def open(self) -> bool:
        return self in (State.WAITING, State.RUNNING)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One proof in the queue. Times are RFC 3339, "" for not yet. ``why``: what asked for it.

    ``policy`` "" is a single test, and ``object`` the uid of the object that asked for it. ``point``: its name, or the
    choice while it waits. ``operation``: the id it runs under, set before it is started. ``nominal``: the scheduled
    time. ``after``: it does not begin before. Of one that is tried again, ``attempt`` is its number and ``first`` the
    entry that was tried first; ``asked``: the choice of the point that one named. ``cause``: what kept one that ended
    from a verdict, where that was not its point. ``cluster``: uid of the cluster its policy was stored for when it was
    queued; ``point_start``: when its point began, known once it has begun.
    """

    id: str
    context: str
    subject: Subject
    point: str
    params: dict[str, Any]
    why: str
    queued: str
    policy: str = ""
    uid: str = ""
    control: str = ""
    nominal: str = ""
    object: str = ""
    by_hand: bool = False  # also of a point that was proven already
    attempt: int = 0
    first: str = ""
    asked: str = ""
    after: str = ""
    cause: str = ""
    state: State = State.WAITING
    operation: str = ""
    begun: str = ""
    ended: str = ""
    verdict: Verdict = Verdict.NOT_TESTED
    words: str = ""
    waiting: str = ""  # why it has not begun yet; found out again at each look
    figures: dict[str, float] = {}
    cluster: str = ""
    point_start: str = ""

    @property
    def judged(self) -> bool:
        return self.state is State.DONE

    @property
    def choice(self) -> str:
        """The choice of a point that it was queued with, or the point by its name."""
        return self.asked or str(self.params.get("point") or "")


def entry_id(*parts: str) -> str:
    """16 hex digits from what a proof is for."""
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:16]


def _opened(policy: ProofPolicy) -> Timed:
    """With its windows as what ``closed_until`` knows: a time outside of them is one in which nothing begins."""
    return Timed(name=policy.name, rule=policy.rule, time_zone=policy.time_zone, blackout=policy.windows)


def may_begin(policy: ProofPolicy, now: datetime) -> str:
    """Why no proof of it begins at ``now``, "" when one may."""
    if (end := closed_until(policy, now)) is not None:
        return f"no proof begins in a blackout, which ends at {end:%Y-%m-%d %H:%M} UTC"
    if not policy.windows:
        return ""
    if closed_until(_opened(policy), now) is not None:
        return ""
    begin = opens(policy, policy.windows, now)
    return f"it waits for a maintenance window of its policy: {f'{begin:%Y-%m-%d %H:%M} UTC' if begin else 'never'}"


def open_seconds(policy: ProofPolicy, since: datetime, until: datetime, enough: float = math.inf) -> float:
    """Of the time from ``since`` to ``until``, that in which proofs of it may begin; only until there is ``enough``.
    Raises ``CronError``."""
    opened, total, at = _opened(policy), 0.0, since
    for _ in range(_MOST_STRETCHES):
        if at >= until or total > enough:
            break
        if (end := closed_until(policy, at)) is not None:
            at = end
            continue
        shut = closed_until(opened, at) if policy.windows else until
        if shut is None:
            at = opens(policy, policy.windows, at) or until
            continue
        dark = opens(policy, policy.blackout, at) or until
        stop = min(until, shut, dark)
        total, at = total + (stop - at).total_seconds(), stop
    return total


def catch_up(policy: ProofPolicy, late: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Of what completed while nobody looked (oldest first): what is proven still, and what is left out."""
    count = {SKIP: 0, RUN_ONCE: 1, RUN_ALL: MOST_RUNS}[policy.catch_up]
    cut = max(0, len(late) - count)
    return late[cut:], late[:cut]


def proven_already(
    policy: ProofPolicy, entries: Iterable[Entry], new: Entry, point: str, now: datetime, start: str = ""
) -> str:  # fmt: skip
    """Why ``point``, which began at ``start`` ("" if not known), is not proven again for ``new``; "" when it is. What
    came to no verdict does not count, nor what was judged by something else than it would be now."""
    for one in entries if not new.by_hand else ():
        same = (one.policy, one.subject, one.point, one.control) == (new.policy, new.subject, point, new.control)
        other = (one.uid and new.uid and one.uid != new.uid) or (one.point_start and start and one.point_start != start)
        if not same or one.id == new.id or other:
            continue  # another backup may have the name of one that was removed
        if one.state is State.RUNNING:
            return f"operation {one.operation[:8]} proves {point} now"
        decided = one.judged and one.verdict in (Verdict.PASSED, Verdict.FAILED)
        if decided and not policy.judges_otherwise(one):
            within = timedelta(seconds=policy.again_seconds)
            if not within or now - parse_rfc3339(one.ended) < within:
                return f"{point} was proven at {one.ended[:16]}Z: {one.verdict}"
    return ""


def by_subject(entries: Iterable[Entry]) -> dict[Subject, list[Entry]]:
    """Each in its order."""
    found: dict[Subject, list[Entry]] = {}
    for one in entries:
        found.setdefault(one.subject, []).append(one)
    return found


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one workload of a policy stands. ``green``: the newest proof of each of the policy's points passed, by what
    the policy asks for now, and its controls go red."""

    subject: Subject
    verdict: Verdict = Verdict.NOT_TESTED
    at: str = ""
    point: str = ""
    operation: str = ""
    control: str = ""  # "", due, red, failed, inconclusive, stale
    control_at: str = ""
    green: bool = False
    words: str = "never proven"
    pending: str = ""  # a newest point whose proof waits or runs
    refused: str = ""  # a newest point whose proof could not be planned


def standing(policy: ProofPolicy, subject: Subject, entries: Iterable[Entry], now: datetime) -> Standing:
    """From all entries of a policy."""
    entries = list(entries)
    ended = [one for one in entries if one.policy == policy.name and one.subject == subject and one.judged]
    proofs, controls = [one for one in ended if not one.control], [one for one in ended if one.control]
    proof, control = _deciding(policy, proofs), _telling(controls)
    how = _controlled(policy, control, now)
    pending, refused = _pending(policy, subject, entries), _refused(policy, subject, entries)
    at = control.ended if control else ""
    if proof is None:
        return Standing(subject=subject, control=how, control_at=at, pending=pending, refused=refused)
    passed, former = proof.verdict is Verdict.PASSED, policy.judges_otherwise(proof)
    green = passed and not former and how in ("", "due", "red")
    words = proof.words
    if passed and former:
        words = f"proven before the policy asked for other {', '.join(former)}: the next proof tells"
    elif passed and not green:
        words = "control failed: " if how == "failed" else "control not shown red: "
        words += control.words if control and how != "stale" else "the last one is too long ago"
    return Standing(
        subject=subject, verdict=proof.verdict, at=proof.ended, point=proof.point, operation=proof.operation,
        control=how, control_at=at, green=green, words=words, pending=pending, refused=refused,
    )  # fmt: skip


def _of_newest(policy: ProofPolicy, subject: Subject, entries: Iterable[Entry]) -> list[Entry]:
    of = (one for one in entries if one.subject == subject and one.policy == policy.name and not one.control)
    return [one for one in of if policy.chosen_by(one) in _NEWEST]


def _pending(policy: ProofPolicy, subject: Subject, entries: Iterable[Entry]) -> str:
    """The point of the last proof in the queue that is of a newest point, "" when none waits or runs."""
    of = [one.point for one in _of_newest(policy, subject, entries) if one.state.open]
    return of[-1] if of else ""


def _refused(policy: ProofPolicy, subject: Subject, entries: Iterable[Entry]) -> str:
    """The point of the last proof of a newest point that could not be planned, "" when a later one was. That an older
    point is tried once more makes up for nothing."""
    found = ""
    for one in _of_newest(policy, subject, entries):
        if one.state is State.REFUSED:
            found = one.point
        elif one.judged and (not one.attempt or one.point == found):
            found = ""
    return found


def _deciding(policy: ProofPolicy, proofs: Iterable[Entry]) -> Entry | None:
    """Of each choice of a point the newest proof, and of these the worst: that an old point is good does not make up
    for the newest one, whichever is proven last. Of choices that the policy has given up only what is red counts."""
    newest: dict[str, Entry] = {}
    for one in sorted(proofs, key=_ended):
        chosen = policy.chosen_by(one)
        if chosen not in newest or chosen not in _NEWEST or _begun(one) >= _begun(newest[chosen]):
            newest[chosen] = one
    counts = [one for of, one in newest.items() if of in (*policy.points, *_NEWEST) or one.verdict is Verdict.FAILED]
    verdict = worst(one.verdict for one in counts)
    return max((one for one in counts if one.verdict is verdict), key=_ended, default=None)


def _begun(entry: Entry) -> datetime:
    """When its point began; of one that does not say so, not after it ended."""
    return parse_rfc3339(entry.point_start or entry.ended)


def _telling(controls: Iterable[Entry]) -> Entry | None:
    """The control that counts: the newest, but one that was not noticed stands until its own kind is."""
    newest = {one.control: one for one in sorted(controls, key=_ended)}
    failed = [one for one in newest.values() if one.verdict is Verdict.FAILED]
    return max(failed or newest.values(), key=_ended, default=None)


def _controlled(policy: ProofPolicy, control: Entry | None, now: datetime) -> str:
    """A control says PASSED when the checks noticed; one that did not go red counts for ever, whatever the policy."""
    if control is None:
        return "due" if policy.control else ""
    if control.verdict is Verdict.FAILED:
        return "failed"
    if control.verdict is not Verdict.PASSED:
        return "inconclusive"
    old = now - parse_rfc3339(control.ended)
    if policy.control and old > timedelta(seconds=policy.control_seconds * STALE_CONTROL):
        return "stale"
    return "red"


class ProofPolicyRow(msgspec.Struct, frozen=True, kw_only=True):
    """A policy as lists show it. Times are RFC 3339. ``overdue``: what should have run and did not, in words.
    ``unseen``: why it is not known whether there is a point that it has not proven.
    ``expects``: which new recovery points come by when; ``unknown``: of which that cannot be told, and why."""

    policy: ProofPolicy
    means: tuple[str, ...] = ()
    stored: str = ""
    enabled: bool = False
    next: str = ""
    standings: tuple[Standing, ...] = ()
    waiting: int = 0
    running: int = 0
    overdue: str = ""
    trouble: str = ""
    unseen: str = ""
    expects: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    cluster_uid: str = ""  # of the cluster it was stored for


class QueueRow(msgspec.Struct, frozen=True, kw_only=True):
    """The queue and its newest ended entries. ``oldest_seconds``: how long the oldest waits."""

    entries: tuple[Entry, ...] = ()
    waiting: int = 0
    running: int = 0
    oldest_seconds: float = 0.0
