"""The one rule of the newest usable point (requirements.md, Rule L), and the other choices by name.

Newest means ``status.startTimestamp``, never ``creationTimestamp``: a cluster that imports backups gives them new
ones. A point is usable when it is Completed, really holds the workload with every volume, does not end before a
restore could, and sits in storage that answers now. What is not known makes a point unknown, which is never chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lazarus_tui.model import durations
from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.labels import LOCATION_LABEL, SCHEDULE_LABEL
from lazarus_tui.model.objects import Backup, Location
from lazarus_tui.model.scope import Wanted, missing_resources, takes_labels, takes_namespace
from lazarus_tui.model.topics import PointView
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.model.volumes import UNREAD, Coverage, Held

KIND = "velero"

RUNNING_PHASES = frozenset(
    {
        "", "New", "Queued", "ReadyToStart", "InProgress", "Finalizing", "FinalizingPartiallyFailed",
        "WaitingForPluginOperations", "WaitingForPluginOperationsPartiallyFailed",
    }
)  # fmt: skip
_VALIDATION = timedelta(minutes=1)  # velero server --store-validation-frequency
_SKEW = timedelta(minutes=5)
_PASSED_LIMIT = 50
_UNKNOWN_DEPTH = 500  # points judged in search of one whose volume list is worth reading


@dataclass(frozen=True, slots=True)
class Known:
    """What is known around the backups at ``now``.

    ``coverages`` by backup name; ``locations`` by name, None when they could not be read. ``spare`` is the time a
    restore may take: a point that expires within it is not usable. ``validated_every`` is the server's validation
    period; ``partial`` lets PartiallyFailed backups in when the workload's volumes are proven to be in them.
    """

    now: datetime
    locations: Mapping[str, Location] | None
    coverages: Mapping[str, Coverage] = field(default_factory=dict)
    proofs: Mapping[str, tuple[Verdict, str]] = field(default_factory=dict)
    spare: timedelta = timedelta(hours=1)
    validated_every: timedelta = _VALIDATION
    partial: bool = False
    unlisted: frozenset[str] = frozenset()  # backups, schedules: what could not be listed at all
    unread: str = UNREAD  # why the volume lists of backups without a coverage were not read
    sound: dict[str, bool] = field(default_factory=dict)  # by backup name, filled as needed; share it within one look


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen point (None: there is none), the rule's name, and newer points passed over, newest first."""

    rule: str
    point: PointView | None
    passed: tuple[PointView, ...] = ()


class _Reasons:
    """Collects what speaks against a point: for certain, or for all that is known."""

    def __init__(self) -> None:
        self.against: list[str] = []
        self.unknown: list[str] = []

    def no(self, text: str) -> None:
        self.against.append(text)

    def maybe(self, text: str) -> None:
        self.unknown.append(text)

    @property
    def usable(self) -> bool | None:
        return False if self.against else None if self.unknown else True


def started(backup: Backup) -> datetime | None:
    """When the backup began; None if it has not, or says something that is no time."""
    return _time(backup.status.start_timestamp)


def location_name(backup: Backup) -> str:
    return backup.spec.storage_location or backup.metadata.label(LOCATION_LABEL) or "default"


def newest_first(backups: Iterable[Backup]) -> list[Backup]:
    """Backups by start, newest first; those that never started come last. Ties are broken by name."""
    least = datetime.min.replace(tzinfo=UTC)
    return sorted(backups, key=lambda b: (started(b) or least, b.metadata.name), reverse=True)


def usability(backup: Backup, wanted: Wanted, known: Known) -> PointView:
    """The backup as a recovery point of ``wanted``, with every reason against it in plain words."""
    reasons = _Reasons()
    _phase(backup, known, reasons)
    _expiry(backup, known, reasons)
    _location(backup, known, reasons)
    if _scope(backup, wanted, reasons):
        _volumes(backup, wanted, known, reasons)
    verdict, at = known.proofs.get(backup.metadata.name, (Verdict.NOT_TESTED, ""))
    return PointView(
        name=backup.metadata.name,
        kind=KIND,
        start=backup.status.start_timestamp or "",
        usable=reasons.usable,
        reasons=(*reasons.against, *reasons.unknown),
        location=location_name(backup),
        schedule=backup.metadata.label(SCHEDULE_LABEL),
        proven=verdict,
        proven_at=at,
    )


def views(ordered: Iterable[Backup], wanted: Wanted, known: Known) -> Iterator[PointView]:
    """Points of ``wanted`` in the order given; backups that never meant to hold its namespace are left out."""
    for backup in ordered:
        if takes_namespace(backup.spec, wanted.namespace):
            yield usability(backup, wanted, known)


def newest_usable(backups: Sequence[Backup], wanted: Wanted, known: Known, *, ordered: bool = False) -> Choice:
    """The newest usable point. ``ordered`` says that ``backups`` already come from ``newest_first``."""
    return first_usable(_hopeful(backups if ordered else newest_first(backups), wanted, known))


def _hopeful(ordered: Sequence[Backup], wanted: Wanted, known: Known) -> Iterator[PointView]:
    """``views``; but behind those that are shown as passed over, only points that can be usable are judged at all.

    One whose volumes are not known can, once its list is read: the first of them is looked for a while longer.
    """
    seen, unknown = 0, False
    for backup in ordered:
        if seen >= _PASSED_LIMIT:
            uncovered = bool(wanted.claims) and backup.metadata.name not in known.coverages
            if (uncovered and (unknown or seen >= _UNKNOWN_DEPTH)) or not _sound(backup, known):
                continue
        if takes_namespace(backup.spec, wanted.namespace):
            seen += 1
            point = usability(backup, wanted, known)
            unknown = unknown or point.usable is None
            yield point


def _sound(backup: Backup, known: Known) -> bool:
    """Whether nothing speaks against the backup whatever is wanted from it."""
    name = backup.metadata.name
    if name not in known.sound:
        reasons = _Reasons()
        _phase(backup, known, reasons)
        _expiry(backup, known, reasons)
        _location(backup, known, reasons)
        known.sound[name] = reasons.usable is True
    return known.sound[name]


def first_usable(points: Iterable[PointView]) -> Choice:
    """The first usable point of a newest-first series, with those passed over on the way: at most 50, and the first
    unknown one behind them."""
    passed: list[PointView] = []
    unknown = False
    for point in points:
        if point.usable is True:
            return Choice("newest usable", point, tuple(passed))
        if len(passed) < _PASSED_LIMIT or (point.usable is None and not unknown):
            passed.append(point)
        unknown = unknown or point.usable is None
    return Choice("newest usable", None, tuple(passed))


def latest_proven(points: Iterable[PointView]) -> Choice:
    """The newest usable point that passed a restore test."""
    passed: list[PointView] = []
    for point in points:
        if point.usable is True and point.proven is Verdict.PASSED:
            return Choice("latest proven", point, tuple(passed))
        if len(passed) < _PASSED_LIMIT:
            passed.append(point)
    return Choice("latest proven", None, tuple(passed))


def before(points: Iterable[PointView], moment: datetime) -> Choice:
    """The newest usable point that started before ``moment``: the choice after a corruption that began then."""
    earlier = (p for p in points if (start := _time(p.start)) is not None and start < moment)
    choice = first_usable(earlier)
    return Choice("before a time", choice.point, choice.passed)


def oldest(points: Iterable[PointView]) -> Choice:
    last = None
    for point in points:
        last = point if point.usable is True else last
    return Choice("oldest", last)


def exact(points: Iterable[PointView], name: str) -> Choice:
    """The point of that name, usable or not: its reasons are for a person to weigh."""
    return Choice("exact", next((point for point in points if point.name == name), None))


def _phase(backup: Backup, known: Known, reasons: _Reasons) -> None:
    phase = backup.status.phase
    if backup.metadata.deletion_timestamp or phase == "Deleting":
        reasons.no("it is being deleted")
    elif phase == "Completed":
        _start(backup, known, reasons)
    elif phase == "PartiallyFailed":
        if not known.partial:
            reasons.no(f"PartiallyFailed with {how_many(backup.status.errors, 'error')}: usable only on request")
        else:
            _start(backup, known, reasons)
    elif phase in RUNNING_PHASES:
        reasons.no(f"not finished yet ({phase or 'New'})")
    elif phase in ("Failed", "FailedValidation"):
        why = backup.status.failure_reason or "; ".join(backup.status.validation_errors or ())
        reasons.no(f"{phase}: {why}" if why else phase)
    else:
        reasons.maybe(f"its phase {phase} is not known to this version, so it cannot be trusted as finished")


def _start(backup: Backup, known: Known, reasons: _Reasons) -> None:
    start = started(backup)
    if start is None:
        reasons.maybe("it has no start time")
    elif start > known.now + _SKEW:
        reasons.maybe("it started in the future: a clock is wrong")


def _expiry(backup: Backup, known: Known, reasons: _Reasons) -> None:
    if not backup.status.expiration:
        return  # Velero's collector leaves backups without an expiration alone
    expires = _time(backup.status.expiration)
    if expires is None:
        reasons.maybe("its expiration cannot be read")
    elif expires <= known.now:
        reasons.no(f"expired {durations.human(known.now - expires)} ago")
    elif expires <= known.now + known.spare:
        reasons.no(f"expires in {durations.human(expires - known.now)}, before a restore is sure to end")


def _location(backup: Backup, known: Known, reasons: _Reasons) -> None:
    name = location_name(backup)
    if known.locations is None:
        reasons.maybe(f"storage location {name} could not be read")
        return
    location = known.locations.get(name)
    if location is None:
        reasons.no(f"storage location {name} does not exist")
    elif location.status.phase == "Unavailable":
        why = location.status.message
        reasons.no(f"storage location {name} is unavailable" + (f": {why}" if why else ""))
    elif location.status.phase != "Available":
        reasons.maybe(f"storage location {name} is {location.status.phase or 'not validated yet'}")
    else:
        _validated(location, known, reasons)


def _validated(location: Location, known: Known, reasons: _Reasons) -> None:
    name, last = location.metadata.name, _time(location.status.last_validation_time)
    try:
        text = location.spec.validation_frequency
        period = known.validated_every if text is None else durations.parse(text)
    except durations.DurationError:
        period = known.validated_every
    if last is None:
        reasons.maybe(f"storage location {name} has no validation time")
    elif period <= timedelta(0):
        reasons.maybe(f"storage location {name} was checked only once, {durations.human(known.now - last)} ago")
    elif known.now - last > max(2 * period, timedelta(minutes=2)):
        reasons.maybe(f"storage location {name} was last checked {durations.human(known.now - last)} ago")


def _scope(backup: Backup, wanted: Wanted, reasons: _Reasons) -> bool:
    if not takes_namespace(backup.spec, wanted.namespace):
        reasons.no(f"does not include namespace {wanted.namespace}")
        return False
    missing = missing_resources(backup.spec, wanted)
    if missing:
        reasons.no(f"leaves out {', '.join(missing)}")
    labelled = takes_labels(backup.spec, wanted)
    if labelled is False:
        reasons.no("its label selector leaves the workload out")
    elif labelled is None:
        reasons.maybe("its label selector may leave the workload out")
    return not missing


def _volumes(backup: Backup, wanted: Wanted, known: Known, reasons: _Reasons) -> None:
    if not wanted.claims:
        return
    coverage = known.coverages.get(backup.metadata.name) or Coverage(unread=known.unread)
    for claim in wanted.claims:
        held = coverage.of(wanted.namespace, claim)
        if held.held is Held.ABSENT:
            reasons.no(f"no data of volume {claim}: {held.reason}")
        elif held.held is Held.UNKNOWN:
            reasons.maybe(f"volume {claim}: {held.reason}")


def _time(text: str | None) -> datetime | None:
    try:
        return parse_rfc3339(text) if text else None
    except ValueError:
        return None
