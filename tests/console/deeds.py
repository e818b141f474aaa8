"""Operations, their log and a plan, as the console gets to see them."""

from __future__ import annotations

from lazarus_tui.model.operation import (
    CheckResult,
    Figures,
    Operation,
    OpState,
    Phase,
    StageProgress,
    StepState,
    StepView,
)
from lazarus_tui.model.plan import Danger, Effect, Estimate, Plan, PlannedStep
from lazarus_tui.model.verdict import Verdict
from tests.console.moment import CONTEXT, ago

STEPS = (
    ("choose the newest usable point", 1.2),
    ("count the orders before the loss", 0.8),
    ("delete namespace shop", 6.4),
    ("restore shop from the point", 0.0),
    ("wait until the workloads are ready", 0.0),
    ("check web, orders and the newest data", 0.0),
    ("write the evidence", 0.0),
)


def running_operation() -> Operation:
    steps = []
    for at, (title, seconds) in enumerate(STEPS):
        state = StepState.DONE if at < 3 else StepState.RUNNING if at == 3 else StepState.PLANNED
        progress = (StageProgress("objects", 22, 40, "items"), StageProgress("volumes", 1363148, 4194304, "bytes"))
        steps.append(
            StepView(
                name=f"step-{at}",
                title=title,
                state=state,
                mutates=at in (2, 3),
                seconds=seconds,
                started=ago(seconds=12) if at == 3 else ago(seconds=30),
                detail="ka-07-offsite-20261120093000" if at == 0 else "22 of 40 items" if at == 3 else "",
                progress=progress if at == 3 else (),
            )
        )
    return Operation(
        id="op-01jd5k7x",
        kind="rehearse",
        context=CONTEXT,
        target="shop",
        title="rehearse: namespace shop is lost",
        state=OpState.RUNNING,
        plan_digest="ab" * 32,
        started=ago(seconds=21),
        changed=ago(seconds=2),
        steps=tuple(steps),
        estimate_seconds=47.0,
        estimate_basis="median of the last 3 runs",
        log_lines=6,
    )


def finished_operation() -> Operation:
    steps = tuple(
        StepView(
            name=f"step-{at}", title=title, state=StepState.DONE, seconds=seconds or 4.1 + at, mutates=at in (2, 3)
        )
        for at, (title, seconds) in enumerate(STEPS)
    )
    return Operation(
        id="op-01jd4aaa",
        kind="rehearse",
        context=CONTEXT,
        target="shop",
        title="rehearse: namespace shop is lost",
        state=OpState.DONE,
        plan_digest="cd" * 32,
        started=ago(hours=3),
        ended=ago(hours=2, minutes=59),
        seconds=48.3,
        steps=steps,
        verdict=Verdict.PASSED,
        exit_code=0,
        log_lines=6,
        checks=(
            CheckResult("orders answers", "http", Verdict.PASSED, 0.041, "GET /healthz → 200 in 41 ms"),
            CheckResult("web answers", "http", Verdict.PASSED, 0.063, "GET / → 200 in 63 ms"),
            CheckResult("newest order", "watermark", Verdict.PASSED, 0.05, "order 18 233 of 07:40:12"),
        ),
        figures=Figures(
            rta_seconds=41.7,
            rpa_seconds=83.0,
            watermark=ago(hours=3, seconds=83),
            orders_before=18212,
            orders_at_loss=18254,
            orders_restored=18233,
            orders_lost=21,
            engine_seconds=1.9,
            rta_definition="from the loss (T0) until every check held (T12)",
            rpa_definition="from the newest restored data to the loss (T0)",
            lost_definition="in the shop just before the loss (T0), not in the restored shop",
            rta_phases=(
                Phase("choose", 1.2, "decision to restore request"),
                Phase("restore", 26.1, "request to Completed"),
                Phase("settle", 12.9, "Completed to all pods ready"),
                Phase("check", 1.5, "ready to verdict"),
            ),
        ),
        facts={"evidence": "evidence/op-01jd4aaa.json", "point": "ka-04-daily-20261120020000"},
    )


LOG = (
    "plan approved: ab12cd34",
    "point ka-07-offsite-20261120093000 holds every volume of shop",
    "20 orders taken after the backup",
    "namespace shop deleted, gone after 6.4 s",
    "restore lazarus-op-01jd5k7x created",
    "restore is InProgress: 22 of 40 items",
)


def delete_plan() -> Plan:
    return Plan(
        kind="velero.delete-backup",
        context=CONTEXT,
        cluster_uid="7f3a9c12-5b1e",
        target="before-the-upgrade",
        title="Delete backup before-the-upgrade",
        danger=Danger.DESTROYS,
        params={"backup": "before-the-upgrade"},
        steps=(
            PlannedStep("request", 1, "ask Velero to delete it", True),
            PlannedStep("gone", 1, "wait until it is gone"),
        ),
        effects=(
            Effect("delete", "backup before-the-upgrade", "42 objects"),
            Effect("delete", "snapshot of data-orders-0", "1.0 MiB"),
            Effect("skip", "its restores", "records stay"),
        ),
        losses=("the only recovery point from before 2026-11-18 08:00",),
        warnings=("no newer proven point exists",),
        undo="",
        estimate=Estimate(5.0, 20.0, "median of 4 deletions"),
        made=ago(seconds=1),
    )
