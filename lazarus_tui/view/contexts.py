"""Contexts as rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from lazarus_tui.model.topics import ContextRow
from lazarus_tui.view.chrome import uid
from lazarus_tui.view.reasons import armed
from lazarus_tui.view.sheet import Column, Sheet
from lazarus_tui.view.text import Span, Tone, muted, span

COLUMNS = (
    Column("name", "CONTEXT", 0, 16, 50, key="N"),
    Column("state", "STATE", 0, 10, 40, key="S"),
    Column("writes", "CHANGES", 0, 9, 12),
    Column("velero", "VELERO", 1, 8, 24),
    Column("uid", "CLUSTER", 2, 8, 10),
    Column("version", "KUBERNETES", 3, 8, 14),
    Column("server", "SERVER", 4, 12, 48),
    Column("user", "USER", 5, 8, 24),
)

_STATES = {
    "ready": ("● live", Tone.GOOD),
    "stale": ("▲ stale", Tone.WARN),
    "failed": ("✗ unreachable", Tone.BAD),
    "connecting": ("○ connecting", Tone.MUTED),
    "unknown": ("○ not asked", Tone.MUTED),
}


def _velero(row: ContextRow) -> Span:
    if row.velero_namespace:
        return span(f"{row.velero_version or '?'} in {row.velero_namespace}")
    if row.velero:
        return span(f"▲ {len(row.velero)} found", Tone.WARN)
    return muted("none" if row.state == "ready" else "-")


def cells(row: ContextRow, now: datetime) -> tuple[Span, ...]:
    word, tone = _STATES.get(row.state, (row.state, Tone.MUTED))
    changes = span("sandbox", Tone.ACCENT) if row.sandbox else (
        span("▲ armed", Tone.WARN) if armed(row, now) else muted("read-only"))  # fmt: skip
    return (
        span(f"{row.name} *" if row.current else row.name),
        span(f"{word}: {row.reason}" if row.reason and row.state == "failed" else word, tone),
        changes,
        _velero(row),
        muted(uid(row.cluster_uid) or "-"),
        muted(row.server_version or "-"),
        muted(row.server),
        muted(row.user),
    )


def order(row: ContextRow, column: str) -> Any:
    return row.state if column == "state" else row.name


SHEET: Sheet[ContextRow] = Sheet(
    columns=COLUMNS,
    cells=cells,
    order=order,
    text=lambda row: f"{row.name} {row.cluster} {row.server} {row.state}",
    sort="name",
    faulty=lambda row: row.state in ("failed", "stale"),
    nothing="the kubeconfig has no contexts",
    what="contexts",
)
