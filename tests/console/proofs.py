"""Proofs of shop as the engine would tell of them: green, too slow, red, a control that went red, and one that runs."""

from __future__ import annotations

from typing import Any

import msgspec

from lazarus_tui.model.operation import CheckResult, Figures, Operation, OpState, Phase, StepState, StepView
from lazarus_tui.model.plan import Danger, Effect, Plan, PlannedStep
from lazarus_tui.model.proofs import RUNGS, Ladder, ProofRecord, ProofView, Rung, Trouble, climb, located, targets, view
from lazarus_tui.model.verdict import Verdict
from tests.console import queueing
from tests.console.fake_link import FakeLink
from tests.console.moment import CONTEXT, ago

P, F, N = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_TESTED
CLUSTER = "7f3a9c12-5b1e"
ORDERS = "shop/StatefulSet/orders"
STEPS = (
    ("prove.preflight", "Look at the point and at the rights"),
    ("prove.contents", "See that the point is the plan's"),
    ("quarantine", "Make the quarantine"),
    ("isolation", "Show that the quarantine is closed"),
    ("restore.contents", "Read which volumes the point holds"),
    ("restore.create", "Create the restore"),
    ("restore.volumes", "Restore the volumes"),
    ("prove.compare", "Compare the result with the plan"),
    ("prove.identity", "See that no volume is a live one"),
    ("isolation-again", "Show that it is still closed"),
    ("checks.ready", "Wait until the workloads are ready"),
    ("checks.run", "Run the checks"),
    ("prove.capture", "Keep what explains it"),
    ("clean", "Remove the quarantine"),
    ("shown-clean", "Show that nothing is left"),
    ("prove.judge", "Judge"),
    ("prove.evidence", "Write the evidence"),
)
CHECKS = (
    CheckResult("workloads ready", "readiness", P, 4.2, "3 of 3 replicas ready"),
    CheckResult("web answers", "http", P, 0.063, "GET / → 200 in 63 ms", {"rung": "healthy"}),
    CheckResult("newest order", "watermark", P, 0.05, "order 18 233 of 07:40:12", {"rung": "data right"}),
)
PHASES = (
    ("queue", 0.4, "until Velero began (T5-T4)"),
    ("objects", 3.1, "until all objects were restored (T6-T5)"),
    ("volumes", 18.6, "until the last volume was filled (T7-T6)"),
    ("finish", 0.2, "until Velero called it finished (T8-T7)"),
    ("settle", 10.0, "until two looks at everything agreed"),
    ("start", 4.2, "until all workloads were ready (T10)"),
    ("checks", 1.1, "until all needed checks held (T12)"),
)


def isolation(*, closed: bool = True) -> dict[str, Any]:
    seen = "closed" if closed else "open"
    ways = (("control", "the other probe", "open", "open"), ("api", "the API server", "closed", "closed"),
            ("service", "shop/orders", "closed", seen), ("pod", "pod shop/web", "closed", "closed"),
            ("metadata", "the cloud's metadata service", "closed", "closed"),
            ("internet", "the internet", "closed", "closed"),
            ("kubelet", "kubelet of its own node", "either", "open"))  # fmt: skip
    probes = [{"kind": kind, "what": what, "expected": expected, "seen": found} for kind, what, expected, found in ways]
    good, bad = "closed: 5 ways out were tried, none was open", "it is not closed: shop/orders could be reached"
    return {"closed": closed, "words": good if closed else bad, "rounds": 1, "probes": probes}


def ladder(workload: str, reached: int, why: str = "", red: Verdict = F, at: str = "") -> Ladder:
    """Green up to ``reached`` rungs; the next one is ``red`` because of ``why``, where that is given."""
    good = ("the point is there, and its storage answers", "data of 1 volumes",
            "every volume was read back into one of its own", "23 objects came back as planned",
            "ready, and 2 checks held", "1 checks of the data passed")  # fmt: skip
    rungs = []
    for n, name in enumerate(RUNGS):
        if n < reached:
            rungs.append(Rung(name, P, good[n], at))
        elif n == reached and why:
            rungs.append(Rung(name, red, why, at))
        else:
            rungs.append(
                Rung(name, N, "a proof is no drill" if name == "drilled" else "no check of the data is defined")
            )
    return Ladder(workload, climb(rungs))


def proof(
    id: str,
    hours: float,
    *ladders: Ladder,
    verdict: Verdict = P,
    words: str = "proven up to 'data right'",
    rta: float | None = 37.6,
    rto: float | None = 60.0,
    rpa: float | None = 83.0,
    point: str = "ka-04-daily-20261120020000",
    **more: Any,
) -> Operation:
    """One that has ended ``hours`` ago."""
    at = ago(hours=hours)
    record = ProofRecord(
        operation=id, source=more.get("source", "velero"), point=point, namespace="shop",
        quarantine=f"lazarus-q-{id[:8]}", verdict=verdict, words=words,
        ladders=ladders or (ladder(ORDERS, 6, at=at),), targets=targets({"rto_seconds": rto}, rta, rpa),
        troubles=more.get("troubles", ()), not_green=more.get("not_green", ()), left=more.get("left", ()),
        control=more.get("control", ""), deviations=more.get("deviations", ()),
    )  # fmt: skip
    scale = (rta or 0) / sum(seconds for _, seconds, _ in PHASES)
    figures = Figures(
        rta_seconds=rta, rpa_seconds=rpa, watermark=ago(hours=hours, seconds=83), engine_seconds=2.1,
        rta_definition="from the restore's request (T4) until every check held (T12)",
        rpa_definition="from the newest restored data to right before the next point",
        rta_phases=tuple(Phase(name, round(s * scale, 1), words) for name, s, words in PHASES) if rta else (),
    )  # fmt: skip
    facts = {
        "prove.record": msgspec.to_builtins(record),
        "prove.isolation": isolation(),
        "prove.isolation_after": isolation(),
        "prove.cleaned": {"clean": True, "words": "nothing is left"},
        "evidence": f"evidence/{id}.json",
    }
    return Operation(
        id=id, kind="prove.run", context=CONTEXT, target=record.quarantine, title=f"Prove namespace shop from {point}",
        state=OpState.DONE, plan_digest="ab" * 32, started=ago(hours=hours, seconds=58), ended=at, seconds=58.0,
        steps=tuple(StepView(name, title, StepState.DONE, seconds=1.0) for name, title in STEPS),
        verdict=verdict, exit_code=0 if verdict is P else 2, checks=more.get("checks", CHECKS), figures=figures,
        facts=facts, log_lines=0,
    )  # fmt: skip


TROUBLE = Trouble(
    "pod orders-0",
    "orders CrashLoopBackOff: back-off 20s restarting failed container; its log ends: "
    "sqlite: database disk image is malformed",
    "its data is damaged",
    "this point cannot be trusted: prove an older one, and look how it was taken",
)


def red() -> Operation:
    why = "0 of 1 replicas were ready; web answers: GET / → 503"
    checks = (
        CheckResult("workloads ready", "readiness", F, 300.0, "orders-0: CrashLoopBackOff"),
        CheckResult("web answers", "http", F, 0.2, "GET / → 503, not 200", {"rung": "healthy"}),
    )
    return proof(
        "9c30f684e742512c", 2.0, ladder(ORDERS, 4, why, at=ago(hours=2)), verdict=F, rta=None, rpa=None,
        words=f"{ORDERS} 'healthy': {why}", point="ka-03-hourly-20261120080000", troubles=(TROUBLE,), checks=checks,
    )  # fmt: skip


def history() -> dict[str, Operation]:
    """Newest first: red, then fourteen green ones of which two were too slow, and a control that was noticed."""
    found = [red()]
    slow = {3: 71.0, 9: 64.2}
    for n in range(1, 15):
        seconds = slow.get(n, 34.0 + 3.1 * (n % 5))
        found.append(
            proof(f"{n:016x}", 24.0 * n, ladder(ORDERS, 6, at=ago(hours=24.0 * n)),
                  ladder("shop/Deployment/web", 5, at=ago(hours=24.0 * n)), rta=seconds)
        )  # fmt: skip
    noticed = "broken (withhold: withheld the data of shop/data-orders-0), and noticed by newest order"
    found.append(proof("c0ffee00c0ffee00", 50.0, ladder(ORDERS, 2, "0 of 1 volumes were filled"), control="withhold",
                       words=noticed, rta=None, rpa=None))  # fmt: skip
    return {each.id: each for each in found}


def views(*operations: Operation) -> dict[str, ProofView]:
    """Of the cluster that the context leads to."""
    seen = {each.id: found for each in operations if (found := view(each)) is not None}
    return {id: located(msgspec.structs.replace(found, cluster_uid=CLUSTER), CLUSTER) for id, found in seen.items()}


def fill(link: FakeLink, *operations: Operation) -> None:
    """These proofs, or all of the history, as the engine tells of them."""
    found = operations or tuple(history().values())
    link.put("operations", {each.id: each for each in found})
    link.put(f"proofs/{CONTEXT}", views(*found))
    queueing.fill(link)


def running(step: str = "checks.run", **facts: Any) -> Operation:
    """One that is at ``step`` of orders and web."""
    at = [name for name, _ in STEPS].index(step)
    steps = tuple(
        StepView(name, title, StepState.DONE if n < at else StepState.RUNNING if n == at else StepState.PLANNED,
                 started=ago(seconds=7) if n <= at else "", seconds=2.0 if n < at else 0.0)
        for n, (name, title) in enumerate(STEPS)
    )  # fmt: skip
    about = {"namespace": "shop", "point": "ka-07-offsite-20261120093000", "source": "velero"}
    return Operation(
        id="feed0123feed0123", kind="prove.run", context=CONTEXT, target="lazarus-q-feed0123",
        title="Prove namespace shop from ka-07-offsite-20261120093000", state=OpState.RUNNING, plan_digest="cd" * 32,
        started=ago(seconds=41), changed=ago(seconds=1), steps=steps, estimate_seconds=58.0,
        estimate_basis="median of the last 14 runs", checks=CHECKS[:2] if at >= 11 else (),
        facts={"prove.about": about, "prove.isolation": isolation(), **facts},
    )  # fmt: skip


def plan(params: dict[str, Any] | None = None) -> Plan:
    """Of a namespace with one volume that has data and one that has none."""
    wanted = (params or {}).get("params", {})
    target = "lazarus-q-feed0123"
    copies = ("services/orders", "services/web", "statefulsets.apps/orders", "deployments.apps/web", "configmaps/web")
    return Plan(
        kind="prove.run", context=CONTEXT, cluster_uid=CLUSTER, target=target,
        title="Prove namespace shop from ka-07-offsite-20261120093000", danger=Danger.CHANGES,
        params={
            **wanted, "point": "ka-07-offsite-20261120093000", "source": "velero", "require": list(RUNGS[:6]),
            "targets": {"rto_seconds": 60.0, "rpo_seconds": None}, "control": "",
            "volumes": [
                {"claim": "data-orders-0", "held": "captured", "size": 4194304, "method": "PodVolumeBackup",
                 "frozen_at": ago(minutes=72), "reason": ""},
                {"claim": "cache-web-0", "held": "absent", "size": 0, "method": "", "frozen_at": "",
                 "reason": "skipped: no snapshot class, and files were not asked for"},
            ],
        },
        steps=(PlannedStep("quarantine", 1, "Make the quarantine", True), PlannedStep("judge", 1, "Judge")),
        effects=(
            Effect("create", f"namespace {target}", "closed before anything is in it; removed at the end (S1, S4)"),
            *(Effect("create", f"{name} in {target}") for name in copies),
            Effect("create", f"volume {target}/data-orders-0", "with its data, 4.0 MiB, PodVolumeBackup"),
            Effect("skip", "ingresses.networking.k8s.io/web", "S7: nobody outside may reach the copy"),
            Effect("skip", "endpoints/orders", "S14: the original's addresses and leader; the copy makes its own"),
            Effect("skip", "endpoints/web", "S14: the original's addresses and leader; the copy makes its own"),
            Effect("suspend", "cronjobs.batch/mail", "S15: it would act on others"),
            Effect("empty", "persistentvolumeclaims/cache-web-0", "S9: no data in this point"),
        ),
        warnings=("cannot be PASSED: persistentvolumeclaims/cache-web-0: no data in this point",
                  "images are pulled from the registry of production"),
        undo="", made=ago(seconds=1),
    )  # fmt: skip
