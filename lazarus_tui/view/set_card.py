"""One snapshot set to read: where each volume stands, what keeps it from being used, and who used it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.proofs import KIND, ProofView, about
from lazarus_tui.model.sets import Member, SnapshotSet
from lazarus_tui.model.snapshots import cut_at, restore_size
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.view import snapshots, status, times
from lazarus_tui.view.operations import title
from lazarus_tui.view.text import BLANK, Line, Span, Tone, heading, labelled, line, muted, span, strong, wrap

_CONSISTENCY = {
    "application": "application: a hook ran, or nothing was written while it was cut",
    "crash": "crash: as after a power cut; the application recovers by itself",
    "skewed": "skewed: the volumes were cut at several moments, and nothing held the application still",
    "unknown": "unknown: a hook failed, so nobody can say what is in it",
}


def _fact(label: str, value: Span | str, *more: Span | str) -> Line:
    return labelled(label, value if isinstance(value, Span) else span(value, limit=1000), *more, width=13)


def _taken(found: SnapshotSet, now: datetime) -> Line:
    at = snapshots.taken(found)
    return _fact("taken", times.stamp(at), muted(f"  {times.age(at, now)} ago, its oldest cut")) if at else _fact(
        "taken", muted("not cut yet"))  # fmt: skip


def _skew(found: SnapshotSet) -> str:
    if found.about.method == "group":
        return "none: cut together, at one instant"
    if found.skew is None:
        return "unknown until every volume is cut"
    return f"{times.measured(found.skew)} between the first cut and the last"


def _facts(found: SnapshotSet, known: Mapping[str, Verdict], now: datetime) -> list[Line]:
    count = found.about.replicas
    replicas = f"  {count} replica{'s' * (count != 1)} then" if count else ""
    schedule = f"  by schedule {found.schedule}" if found.schedule else ""
    return [
        _fact("workload", snapshots.workload(found), muted(f"  StatefulSet{replicas}")),
        _taken(found, now),
        _fact("skew", _skew(found)),
        _fact("size", "unknown" if found.size is None else times.size(found.size)),
        _fact("consistency", _CONSISTENCY.get(found.consistency, found.consistency)),
        _fact("role", found.role, muted(schedule)),
        _fact("legal hold", span(found.hold, Tone.ACCENT, 300) if found.hold else muted("none")),
        _fact("proven", snapshots.proven(found, known)),
    ]


def _member(member: Member, consistency: str, width: int) -> list[Line]:
    cut = cut_at(member.snapshot)
    kept = span("kept", Tone.GOOD) if member.retained else span("▲ not kept", Tone.WARN)
    size = restore_size(member.snapshot)
    head = line(
        "   ", status.member_state(member.state), "  ", strong(member.claim), "  ", kept,
        muted(f"  cut {times.stamp(rfc3339(cut))}" if cut else "  not cut yet"),
        muted(f"  {times.size(size)}" if size is not None else ""), muted(f"  {consistency}" if cut else ""),
    )  # fmt: skip
    names = {
        "handle": member.handle or "not known",
        "snapshot": member.snapshot.metadata.name,
        "content": member.content.metadata.name if member.content else "none",
    }
    where = [part for label, name in names.items() for part in wrap(f"{label} {name}", width - 1, Tone.MUTED, 5)]
    trouble = wrap(f"✗ {member.trouble}", width - 1, Tone.BAD, 5) if member.trouble else []
    return [head, *trouble, *where]


def _proves(operation: Operation, found: SnapshotSet) -> bool:
    known = about(operation.facts) if operation.kind == KIND else None
    return known is not None and (known.source, known.namespace, known.point) == (
        "snapshots", found.namespace, found.id
    )  # fmt: skip


def uses(found: SnapshotSet, operations: Iterable[Operation]) -> list[Operation]:
    """The operations that took, proved, restored or removed it, newest first: it is in their facts, title or steps."""
    used = [
        each
        for each in operations
        if _proves(each, found)
        or (
            each.kind.startswith("snapshots.")
            and each.target.partition("/")[0] == found.namespace
            and (
                each.facts.get("set") == found.id
                or found.id in each.title.replace(",", " ").split()
                or any(found.id in step.title.split() for step in each.steps)
                or each.facts.get("safety.set") == found.id
            )
        )
    ]
    return sorted(used, key=lambda each: each.started, reverse=True)


def _uses(found: SnapshotSet, operations: Iterable[Operation], now: datetime) -> list[Line]:
    used = uses(found, operations)
    if not used:
        return [line(muted("   no operation that is known here"))]
    return [
        line("   ", status.operation_state(each.state, each.verdict), "  ", span(title(each), limit=120),
             muted(f"  {each.id[:8]}  {times.age(each.started, now)} ago"))
        for each in used[:20]
    ]  # fmt: skip


def card(
    found: SnapshotSet, operations: Iterable[Operation], now: datetime, width: int, proofs: Iterable[ProofView] = ()
) -> list[Line]:
    """All of it in lines. What keeps it from being used comes first; the rest is of its context."""
    lines = [BLANK, line(" ", strong(found.id), "   ", status.set_state(found.state)), BLANK]
    if found.troubles:
        lines += [heading(" What keeps it from being used")]
        lines += [part for text in found.troubles for part in wrap(f"✗ {text}", width - 1, Tone.BAD, 3)] + [BLANK]
    lines += [*_facts(found, snapshots.verdicts(proofs), now), BLANK, heading(" Volumes")]
    for claim in sorted({*found.about.claims, *found.members}):
        member = found.members.get(claim)
        if member is None:
            lines.append(line("   ", span("✗ missing", Tone.BAD), "  ", strong(claim), muted("  it has no snapshot")))
        else:
            lines += _member(member, found.about.consistency.get(claim, "crash"), width)
    return [*lines, BLANK, heading(" Used by"), *_uses(found, operations, now)]
