"""A proof that went well, as params, facts and checks: tests spoil one thing of it and look which rung says so."""

from __future__ import annotations

from typing import Any

import msgspec

from lazarus_tui.engine.closing import verdict_code
from lazarus_tui.model.operation import CheckResult, Figures, Operation, OpState
from lazarus_tui.model.proofs import LEFT, REQUIRED, ProofRecord
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.proof.rungs import Evidence

AT = "2026-06-01T12:00:00.000000Z"


def volume(claim: str = "data-orders-0", held: str = "captured", **more: Any) -> dict[str, Any]:
    return {"claim": claim, "held": held, "reason": "", "size": 10, "method": "PodVolumeBackup", "handle": "", **more}


def check(name: str, verdict: Verdict = Verdict.PASSED, rung: str = "healthy", *, needed: bool = True) -> CheckResult:
    return CheckResult(name, "http", verdict, 0.1, f"{name} said so", {"rung": rung, "needed": needed})


def params(**more: Any) -> dict[str, Any]:
    return {
        "op": "00000000000000aa", "quarantine": "lazarus-q-00000000", "velero": "velero", "source": "velero",
        "point": "nightly", "namespace": "shop", "workload": "", "volumes": [volume()], "not_green": [],
        "inventory": ["apps/v1/StatefulSet/orders"], "require": list(REQUIRED), "targets": {}, "control": "", **more,
    }  # fmt: skip


def facts(**more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "prove.point": {"name": "nightly", "phase": "Completed", "errors": 0, "at": AT},
        "prove.space": {"uid": "u"},
        "prove.isolation": {"closed": True},
        "prove.isolation_after": {"closed": True},
        "restore.name": "r", "restore.uid": "u", "restore.verdict": "PASSED", "restore.phase": "Completed",
        "restore.words": "Completed", "restore.errors": 0, "restore.warnings": 0, "restore.messages": [],
        "restore.copies": 1, "restore.bad_volumes": [], "restore.empty": [], "restore.unread": "",
        "restore.t4": "2026-06-01T12:00:01Z", "restore.t7": AT, "restore.settled": AT,
        "prove.compared": {"missing": [], "unexpected": [], "violated": [], "unread": []},
        "prove.workloads": [{"kind": "StatefulSet", "name": "orders", "claims": ["data-orders-0"], "replicas": 1}],
        "prove.identity": {"same": [], "compared": 1, "unbound": []},
        "prove.ready": {"StatefulSet/orders": [1, 1]}, "prove.flipped": "", "prove.again": [], "prove.anew": [],
        "checks.ready": "PASSED", "checks.verdict": "PASSED", "checks.t10": AT, "checks.t12": "2026-06-01T12:00:31Z",
        "prove.cleaned": {"clean": True, "leftovers": [], "lost": [], "kept_until": ""},
    }  # fmt: skip
    return {**found, **more}


def evidence(checks: Any = None, *, given: dict[str, Any] | None = None, **more: Any) -> Evidence:
    """``more`` are facts, with ``__`` for the dot; ``given`` are params."""
    news = {key.replace("__", "."): value for key, value in more.items()}
    found = [check("orders answer")] if checks is None else checks
    return Evidence(params(**(given or {})), facts(**news), found)


def ended(record: ProofRecord, found: Evidence, figures: Figures) -> Operation:
    """The operation as it ends with this record."""
    facts = {**found.facts, "prove.record": msgspec.to_builtins(record), LEFT: list(record.left), "evidence": "e.json"}
    done = Operation(
        id="00000000000000aa", kind="prove.run", context="c", target="lazarus-q-00000000", title="Prove shop",
        started="s", state=OpState.DONE, plan_digest="", ended="e", verdict=record.verdict, figures=figures,
        checks=tuple(found.checks), facts=facts,
    )  # fmt: skip
    return msgspec.structs.replace(done, exit_code=verdict_code(done, True))


def exit_code(record: ProofRecord) -> int:
    """What the engine makes of it."""
    return ended(record, evidence(), Figures()).exit_code or 0
