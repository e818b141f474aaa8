"""Recovery points that a proof policy counts on: when the next one is due, what came late, failed, or never was.

Pure: it follows from the policy, its workloads, and the backups and schedules as they were last seen. When a point is
due is read from the cron line of the Velero Schedule that makes it, else from the policy's own ``overdueAfter``; where
neither says it, it is not known, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from lazarus_tui.model import clock, durations
from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.durations import human
from lazarus_tui.model.labels import SCHEDULE_LABEL, label_value
from lazarus_tui.model.objects import Backup, BackupSpec, Schedule
from lazarus_tui.model.proof_policies import ProofPolicy, Subject
from lazarus_tui.model.redact import redact
from lazarus_tui.model.schedules import parsed
from lazarus_tui.model.scope import Wanted, missing_resources, takes_labels, takes_namespace

# Phases of Velero after which a backup is not worked on any more; of these, those with something to prove, and those
# that somebody has to look into.
TERMINAL = frozenset({"Completed", "PartiallyFailed", "Failed", "FailedValidation"})
PROVABLE = frozenset({"Completed", "PartiallyFailed"})
FAILED = TERMINAL - {"Completed"}
_GOING = "Deleting"  # neither finished nor under way
_MOST_WORDS = 300  # characters of what Velero says about a failure
_LEVEL = "latest"
_OF_LABELS = "labels/"  # how the keys of selectors begin, which no schedule has to do with
_PATTERN = frozenset("*?[{")  # what makes a pattern of a namespace's name
# What Velero keeps a backup for where its Schedule does not say it (velero server --default-backup-ttl).
_KEPT = timedelta(hours=720)
# A backup begins after its Schedule noted that it made one; this much before is a clock that differs.
_SLACK = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Lack:
    """What should be there and is not. ``due``: since when (RFC 3339); "" is since it was first seen, and then it has
    to stay so for as long as a proof may wait."""

    key: str
    why: str
    due: str = ""


@dataclass(frozen=True, slots=True)
class Arrivals:
    """``expects``: what comes by when, in words; ``unknown``: of what that cannot be told, and why. ``coming``: keys of
    what only a backup that still runs keeps from lacking, or of which nothing is left to look at; ``blind``: the
    schedules are not known."""

    lacks: tuple[Lack, ...] = ()
    expects: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    coming: frozenset[str] = frozenset()
    blind: bool = False

    def over(self, key: str) -> bool:
        """Whether what was lacking is known to be there: a backup that runs may fail yet, and of what schedules make
        nothing is known without them."""
        if key in self.coming or (self.blind and not key.startswith(_OF_LABELS)):
            return False
        return all(one.key != key for one in self.lacks)


@dataclass
class _Line:
    """The backups of one schedule, of what the policy names: when the newest of each sort began."""

    good: str = ""
    running: str = ""
    whole: str = ""
    failed: Backup | None = None
    spec: BackupSpec | None = None  # of the one looked at last, and what of the policy that holds
    held: tuple[Subject, ...] = ()
    spaces: dict[str, str] = field(default_factory=dict)  # newest good one by namespace


def leaves_out(spec: BackupSpec, subject: Subject) -> str:
    """What of the workload the filters of a backup do not take, in words."""
    kind, _, name = subject.workload.partition("/")
    wanted = Wanted(subject.namespace, kind, name)
    if missing := missing_resources(spec, wanted):
        return f"it leaves out {', '.join(missing)}"
    return "its label selector leaves it out" if takes_labels(spec, wanted) is False else ""


def holds(spec: BackupSpec, subject: Subject) -> bool:
    return takes_namespace(spec, subject.namespace) and not leaves_out(spec, subject)


def moment(backup: Backup) -> str:
    """When it was over; a backup that Velero refused has no times of its own. What is no time does not count."""
    status = backup.status
    return _first(status.completion_timestamp, status.start_timestamp, backup.metadata.creation_timestamp)


def _began(backup: Backup) -> str:
    return _first(backup.status.start_timestamp, backup.metadata.creation_timestamp)


def _first(*given: str | None) -> str:
    """The first of them that is a time (RFC 3339), "" where none is."""
    return next((text for text in given if text and clock.moment(text)), "")


def arrivals(
    policy: ProofPolicy, subjects: Sequence[Subject], backups: Iterable[Backup],
    schedules: Sequence[Schedule] | str, since: datetime, now: datetime, rule: str = "velero",
) -> Arrivals:  # fmt: skip
    """``schedules`` as text: why they are not known. ``since``: what was before is not the policy's business."""
    lines = _lines(policy, subjects, backups)
    why = schedules if isinstance(schedules, str) else ""
    there = () if isinstance(schedules, str) else schedules
    known = _making(policy, subjects, there)
    lacks = [*_failures(lines, known, rfc3339(since)), *(() if why else _no_such(policy, there, lines))]
    expects: list[str] = []
    unknown: list[str] = []
    timed: list[Schedule] = []
    coming: set[str] = set()
    runs = any(line.running for line in lines.values())
    ended = {label: replace(line, running="") for label, line in lines.items()} if runs else {}
    for one in known if _counts_on_new(policy) else ():
        line = lines.get(label_value(one.metadata.name), _Line())
        found = _of_schedule(policy, one, line, since, now, rule)
        if line.running:
            coming |= _key(_of_schedule(policy, one, replace(line, running=""), since, now, rule))
        if _gone(one, line, now):  # it came, and nobody can see any more whether it was good
            coming |= {f"point/{one.metadata.name}", f"backup/{label_value(one.metadata.name)}"}
        if isinstance(found, str):
            (expects if found.startswith("by ") else unknown).append(found)
        else:
            lacks.append(found)
        timed += [] if isinstance(found, str) and not found.startswith("by ") else [one]
    for subject in subjects:
        if any(holds(one.spec.template, subject) for one in timed):
            continue
        said = _without(policy, subject, lines, why, since, now)
        coming |= _key(_without(policy, subject, ended, why, since, now)) if runs else set()
        if isinstance(said, Lack):
            lacks.append(said)
        elif said:
            unknown.append(said)
    once = {one.key: one for one in reversed(lacks)}
    return Arrivals(
        tuple(reversed(once.values())), tuple(expects), tuple(dict.fromkeys(unknown)), frozenset(coming), bool(why)
    )  # fmt: skip


def _key(found: Lack | str) -> set[str]:
    return {found.key} if isinstance(found, Lack) else set()


def _counts_on_new(policy: ProofPolicy) -> bool:
    return policy.on_completion or _LEVEL in policy.by_clock


def _lines(policy: ProofPolicy, subjects: Sequence[Subject], backups: Iterable[Backup]) -> dict[str, _Line]:
    """By schedule label. The backups of a schedule mostly have one spec: of very many it is looked into once."""
    of = set(map(label_value, policy.schedules))
    found: dict[str, _Line] = {}
    by_space: dict[str, list[Subject]] = {}
    for one in subjects:
        by_space.setdefault(one.namespace, []).append(one)
    for backup in backups:
        label = backup.metadata.label(SCHEDULE_LABEL)
        if of and label not in of:
            continue
        line, began, phase = found.setdefault(label, _Line()), _began(backup), backup.status.phase
        if line.spec != backup.spec:
            line.spec, line.held = backup.spec, _held(backup.spec, subjects, by_space)
        if not line.held or phase == _GOING:
            continue
        if phase not in TERMINAL:
            line.running = max(line.running, began)
        if phase in PROVABLE:
            line.good = max(line.good, began)
            for one in line.held:
                line.spaces[one.namespace] = max(line.spaces.get(one.namespace, ""), began)
        if phase == "Completed":
            line.whole = max(line.whole, began)
        if phase in FAILED and (line.failed is None or _began(line.failed) < began):
            line.failed = backup
    return found


def _held(spec: BackupSpec, subjects: Sequence[Subject], by_space: Mapping[str, list[Subject]]) -> tuple[Subject, ...]:
    """Those of the subjects that a backup with this spec holds; of most only its own namespaces are looked at."""
    names = spec.included_namespaces or ["*"]
    plain = not any(set(name) & _PATTERN for name in names)
    near = [one for name in names for one in by_space.get(name, ())] if plain else subjects
    return tuple(one for one in near if holds(spec, one))


def _making(policy: ProofPolicy, subjects: Sequence[Subject], schedules: Sequence[Schedule]) -> list[Schedule]:
    """Schedules that make what the policy proves."""
    named = [one for one in schedules if not policy.schedules or one.metadata.name in policy.schedules]
    return [one for one in named if any(holds(one.spec.template, subject) for subject in subjects)]


def _failures(lines: dict[str, _Line], known: Sequence[Schedule], since: str) -> Iterable[Lack]:
    """The newest backup of each schedule, where it failed and no later one of it was whole; by hand, or of a schedule
    that is gone, any later one makes up for it."""
    of = {label_value(one.metadata.name) for one in known}
    newest = max((line.whole for line in lines.values()), default="")
    for label, line in lines.items():
        one = line.failed
        if one is None or moment(one) < since:
            continue
        if _began(one) > (line.whole if label in of else newest):
            why = f"backup {one.metadata.name} ended {one.status.phase}: {_reason(one)}"
            yield Lack(f"backup/{label or 'by hand'}", why, moment(one))


def _reason(backup: Backup) -> str:
    status = backup.status
    said = status.failure_reason or "; ".join(status.validation_errors or ())
    if not said and status.errors:
        said = f"{how_many(status.errors, 'error')}; see: lazarus backup describe {backup.metadata.name}"
    return redact(said)[:_MOST_WORDS] or "Velero gives no reason"


def _of_schedule(
    policy: ProofPolicy, one: Schedule, line: _Line, since: datetime, now: datetime, rule: str
) -> Lack | str:
    """What is lacking; or what is expected ("by …"); or why that is not known."""
    name, cron = one.metadata.name, parsed(one, rule)
    if cron is None or one.status.phase == "FailedValidation":
        why = "; ".join(one.status.validation_errors or ()) or f"{one.spec.schedule!r} is no cron line"
        return Lack(f"schedule/{name}", f"schedule {name} never runs: {redact(why)[:_MOST_WORDS]}")
    gone = _gone(one, line, now)
    said = f"the last one, of {gone[:16]}Z, was kept for {human(_kept(one))} and is gone" if gone else ""
    made = "" if line.good or gone else one.metadata.creation_timestamp  # made anew, it owes what it owed before
    marks = (line.good, line.running, gone, made, one.status.last_skipped)
    due = cron.next(max([since, *(parse_rfc3339(mark) for mark in marks if mark)]))
    if due is None:
        return Lack(f"schedule/{name}", f"schedule {name} never runs: {one.spec.schedule!r} never comes")
    until = due + timedelta(seconds=policy.late_seconds)
    if now <= until:
        paused = ", but it is paused" if one.spec.paused else ""
        return f"by {until:%Y-%m-%d %H:%M} UTC a point of schedule {name}{paused}{said and f'; {said}'}"
    last = f"the newest is of {line.good[:16]}Z" if line.good else "there was none"
    why = f"no new point came by schedule {name}{' (it is paused)' if one.spec.paused else ''}; {said or last}"
    return Lack(f"point/{name}", why, rfc3339(due))


def _gone(one: Schedule, line: _Line, now: datetime) -> str:
    """When the last backup of a schedule began, where that has expired and nothing is left of it; "" where that is
    not so. A Schedule notes when it made its last backup, but not those that a person made from it."""
    last, kept = _first(one.status.last_backup), _kept(one)
    if not last or kept <= timedelta(0) or parse_rfc3339(last) + kept > now:
        return ""
    seen = (line.good, line.running, _began(line.failed) if line.failed is not None else "")
    after = parse_rfc3339(last) - _SLACK
    return "" if any(parse_rfc3339(mark) >= after for mark in seen if mark) else last


def _kept(one: Schedule) -> timedelta:
    """How long Velero keeps a backup of a schedule, from its begin; zero where that cannot be read."""
    try:
        return durations.parse(one.spec.template.ttl or "0") or _KEPT
    except durations.DurationError:
        return timedelta(0)


def _no_such(policy: ProofPolicy, schedules: Iterable[Schedule], lines: dict[str, _Line]) -> list[Lack]:
    """Schedules that the policy names and nobody knows, nor any backup of theirs."""
    there = {one.metadata.name for one in schedules}
    gone = [name for name in policy.schedules if name not in there and label_value(name) not in lines]
    return [Lack(f"schedule/{name}", f"there is no schedule {name}, and no backup of it") for name in gone]


def _without(
    policy: ProofPolicy, subject: Subject, lines: dict[str, _Line], why: str, since: datetime, now: datetime
) -> Lack | str:
    """Of a workload that no schedule with a time makes points of: what is lacking, or what is not known."""
    newest = max((line.spaces.get(subject.namespace, "") for line in lines.values()), default="")
    running = any(line.running for line in lines.values())
    if not newest and not running:
        where = f"of the schedules {', '.join(policy.schedules)} " if policy.schedules else ""
        return Lack(f"nothing/{subject.namespace}", f"no backup {where}holds {subject.namespace}")
    if not _counts_on_new(policy):
        return ""
    if not policy.arrive_seconds:
        because = why or "no Velero schedule makes one, and the policy has no overdueAfter"
        return f"when a new point of {subject.namespace} is due is not known: {because}"
    due = max(since, parse_rfc3339(newest) if newest else since) + timedelta(seconds=policy.arrive_seconds)
    if now <= due:
        return ""
    within = human(timedelta(seconds=policy.arrive_seconds))
    said = f"no new point of {subject.namespace} came within {within}; the newest is of {newest[:16]}Z"
    return Lack(f"point/namespace {subject.namespace}", said, rfc3339(due))
