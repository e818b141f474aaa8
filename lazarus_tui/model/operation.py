"""Operations: one durable run of a plan, as the journal keeps it and the console shows it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from lazarus_tui.model.verdict import Verdict


class OpState(StrEnum):
    """``PARKED``: stopped at a safe place and waiting for a person; still open. The last four are terminal."""

    RUNNING = "running"
    PARKED = "parked"
    UNDOING = "undoing"
    DONE = "done"
    FAILED = "failed"
    UNDONE = "undone"
    LEFT_CHANGED = "left changed"

    @property
    def open(self) -> bool:
        return self in (OpState.RUNNING, OpState.PARKED, OpState.UNDOING)


class StepState(StrEnum):
    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    UNKNOWN = "unknown"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNDONE = "undone"


class StageProgress(msgspec.Struct, frozen=True):
    """One bar: ``items`` or ``bytes`` done of total (total 0: unknown, show words instead of a bar)."""

    stage: str
    done: int
    total: int
    unit: str


class StepView(msgspec.Struct, frozen=True):
    """A step of an operation as it stands. Times are RFC 3339; ``seconds`` is measured on the monotonic clock."""

    name: str
    title: str
    state: StepState
    mutates: bool = False
    started: str = ""
    seconds: float = 0.0
    detail: str = ""
    progress: tuple[StageProgress, ...] = ()


class CheckResult(msgspec.Struct, frozen=True):
    """What one check saw. ``evidence`` is redacted text or numbers; never row values or secrets."""

    name: str
    kind: str
    verdict: Verdict
    seconds: float
    summary: str
    evidence: dict[str, Any] = {}


class Phase(msgspec.Struct, frozen=True):
    """A part of the recovery time, in seconds. ``definition`` says from which event to which."""

    name: str
    seconds: float
    definition: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a restore measured (requirements.md §5). None means: not measured, shown as unknown.

    The definitions say from what to what each figure reaches; "" where nothing was defined.
    """

    rta_seconds: float | None = None
    rta_phases: tuple[Phase, ...] = ()
    rpa_seconds: float | None = None
    watermark: str | None = None
    orders_before: int | None = None
    orders_at_loss: int | None = None
    orders_restored: int | None = None
    orders_lost: int | None = None
    engine_seconds: float | None = None
    rta_definition: str = ""
    rpa_definition: str = ""
    lost_definition: str = ""

    @property
    def measured(self) -> bool:
        """Whether there is anything to show of the recovery: a figure, or why one is not known."""
        figures = (self.rta_seconds, self.rpa_seconds, self.watermark, self.orders_lost)
        return any(figure is not None for figure in figures) or bool(self.rta_definition or self.lost_definition)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation with its steps, newest first in lists. ``exit_code`` is what a waiting command returns."""

    id: str
    kind: str
    context: str
    target: str
    title: str
    state: OpState
    plan_digest: str
    started: str
    ended: str = ""
    changed: str = ""
    seconds: float = 0.0
    recoveries: int = 0
    steps: tuple[StepView, ...] = ()
    message: str = ""
    hint: str = ""
    can_undo: bool = False
    undo: str = ""  # what taking it back means, as the plan says; "" where the plan promises nothing
    verdict: Verdict = Verdict.NOT_TESTED
    checks: tuple[CheckResult, ...] = ()
    figures: Figures | None = None
    facts: dict[str, Any] = {}
    estimate_seconds: float | None = None
    estimate_basis: str = "no basis"
    exit_code: int | None = None
    log_lines: int = 0
    cluster_uid: str = ""  # of the cluster its plan was made for; "": it began before that was kept here
    foreign: str = ""  # why another engine may be at it, so that going on needs the target's name; "" when it is ours
