"""Snapshot sets as rows: a row is all volumes of all replicas of one StatefulSet, cut under one id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.proofs import ProofView
from lazarus_tui.model.sets import SetState, SnapshotSet, sets
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import status, times
from lazarus_tui.view.gathering import gather
from lazarus_tui.view.sheet import Column, Sheet
from lazarus_tui.view.source import TopicState
from lazarus_tui.view.text import Span, Tone, muted, span

COLUMNS = (
    Column("set", "SET", 0, 16, 44, key="N", middle=True),
    Column("workload", "WORKLOAD", 0, 8, 44),
    Column("state", "STATE", 0, 12, 12, key="S"),
    Column("volumes", "VOLUMES", 0, 3, 9, right=True),
    Column("age", "AGE", 0, 4, 9, right=True, key="A"),
    Column("proven", "PROVEN", 1, 12, 14),
    Column("hold", "HOLD", 2, 4, 20),
    Column("role", "ROLE", 3, 6, 11),
    Column("size", "SIZE", 4, 5, 10, right=True, key="O"),
    Column("skew", "SKEW", 5, 4, 9, right=True),
    Column("consistency", "CONSISTENCY", 6, 5, 11),
)

_NONE: Mapping[str, Verdict] = MappingProxyType({})
_WORST_FIRST = ("failed", "loading", "stale", "ready")


class Gathered:
    """The sets in two topics as a topic of its own; they are put together anew only when one of the two has news.

    Without the contents nobody knows whether a set can be used: then there are none, and the reason says why.
    """

    def __init__(self) -> None:
        self._of: tuple[Any, Any] = (None, None)
        self._records: dict[str, SnapshotSet] = {}

    def __call__(self, snapshots: TopicState, contents: TopicState) -> TopicState:
        worst = min((snapshots, contents), key=lambda each: _WORST_FIRST.index(each.state))
        if worst.state in ("failed", "loading"):
            return replace(worst, records={})
        if self._of[0] is not snapshots.records or self._of[1] is not contents.records:
            found = sets(snapshots.records.values(), contents.records.values())
            self._of = (snapshots.records, contents.records)
            self._records = {f"{each.namespace}/{each.id}": each for each in found}
        as_of = min(filter(None, (snapshots.as_of, contents.as_of)), default="")
        return replace(worst, records=self._records, as_of=as_of)


def workload(found: SnapshotSet) -> str:
    """``namespace/name``; the kind is always a StatefulSet."""
    return f"{found.namespace}/{found.about.workload.rpartition('/')[2] or '?'}"


def taken(found: SnapshotSet) -> str:
    """The moment the set stands for, RFC 3339; "" while it is not cut."""
    return rfc3339(found.taken, micro=True) if found.taken else ""


def volumes(found: SnapshotSet) -> Span:
    """Usable members of those that belong to it."""
    good = sum(not member.trouble for member in found.members.values())
    total = len(found.about.claims)
    return span(f"{good}/{total}", Tone.PLAIN if good == total else Tone.WARN)


def verdicts(proofs: Iterable[ProofView]) -> dict[str, Verdict]:
    """What the last proof of each set said, by ``namespace/set``, of the proofs of one context. A green whose checks
    did not notice a broken copy is none."""
    judged = sorted((each for each in proofs if each.here and each.record is not None), key=lambda one: one.ended)
    controls = gather((each for each in judged if each.record and each.record.control), ())
    blind = {key for key, row in controls.items() if row.unnoticed}
    found: dict[str, Verdict] = {}
    for each in judged:
        record = each.record
        if record is not None and record.proves and record.source == "snapshots":
            doubted = record.verdict is Verdict.PASSED and any(one.workload in blind for one in record.ladders)
            found[f"{record.namespace}/{record.point}"] = Verdict.INCONCLUSIVE if doubted else record.verdict
    return found


def proven(found: SnapshotSet, known: Mapping[str, Verdict]) -> Span:
    """Whether it was restored into a quarantine, started and checked, by ``verdicts``."""
    return status.verdict(known.get(f"{found.namespace}/{found.id}", Verdict.NOT_TESTED))


def cells(found: SnapshotSet, now: datetime, known: Mapping[str, Verdict] = _NONE) -> tuple[Span, ...]:
    return (
        span(found.id),
        span(workload(found)),
        status.set_state(found.state),
        volumes(found),
        span(times.age(taken(found), now)) if found.taken else muted("not cut"),
        proven(found, known),
        span(found.hold, Tone.ACCENT) if found.hold else muted("-"),
        muted(found.role),
        muted("unknown") if found.size is None else span(times.size(found.size)),
        muted("unknown") if found.skew is None else span(times.measured(found.skew)),
        span(found.consistency, Tone.WARN if found.consistency in ("unknown", "skewed") else Tone.PLAIN),
    )


def order(found: SnapshotSet, column: str) -> Any:
    values: Mapping[str, Any] = {
        "state": (found.state.value, found.id),
        "age": taken(found) or "~",
        "size": -1 if found.size is None else found.size,
    }
    return values.get(column, found.id)


def _labels(found: SnapshotSet) -> Mapping[str, str]:
    first = next(iter(found.members.values()), None)
    return (first.snapshot.metadata.labels or {}) if first else {}


SHEET: Sheet[SnapshotSet] = Sheet(
    columns=COLUMNS,
    cells=cells,
    order=order,
    text=lambda found: f"{found.id} {workload(found)} {found.state} {found.role} {found.hold}",
    labels=_labels,
    namespaces=lambda found: (found.namespace,),
    sort="age",
    descending=True,
    faulty=lambda found: found.state not in (SetState.READY, SetState.TAKING),
    nothing="no snapshot sets yet: t on a StatefulSet in the Overview (1) takes one",
    what="snapshot sets",
    velero=False,
)
