"""Records as operations write them, small."""

from __future__ import annotations

from typing import Any

AT = "2026-03-01T03:00:00Z"
HOSTILE = "<script>alert(1)</script>\x1b[2J\u202eevil\u2066&\"'"


def rung(name: str, verdict: str = "PASSED", why: str = "seen", at: str = AT) -> dict[str, str]:
    return {"name": name, "verdict": verdict, "why": why, "at": at}


def proof(say: str = "orders", **fields: Any) -> dict[str, Any]:
    """A proof of namespace shop; ``say`` stands wherever text from a cluster stands."""
    rungs = [
        *(rung(name, why=say) for name in ("exists", "complete", "intact", "restores")),
        rung("healthy", "FAILED", say),
    ]
    ladder = {"workload": f"shop/StatefulSet/{say}", "rungs": [*rungs, rung("data right", "NOT TESTED", "", "")]}
    return {
        "type": "proof",
        "kind": "prove.run",
        "target": "lazarus-q-0badcafe",
        "verdict": "FAILED",
        "context": f"prod-{say}",
        "cluster_uid": "uid-1",
        "by": f"{say}@bastion",
        "started": "2026-03-01T02:58:00Z",
        "plan": {"title": f"Prove {say}", "params": {}},
        "plan_digest": "ab" * 32,
        "lazarus": "0.1.0",
        "versions": {"kubernetes": "v1.33.1", "velero": "v1.17.1"},
        "policy": {"name": f"nightly-{say}", "hash": "cd" * 32},
        "segregation": "a namespace of the same cluster: separated logically, not physically",
        "proof": {
            "namespace": "shop",
            "workload": "",
            "point": say,
            "verdict": "FAILED",
            "words": f"'healthy': {say}",
            "required": ["exists", "complete", "intact", "restores", "healthy"],
            "ladders": [ladder],
            "targets": [{"name": "rto", "objective_seconds": 60.0, "actual_seconds": 75.5, "result": "missed"},
                        {"name": "rpo", "objective_seconds": None, "actual_seconds": 3600.0, "result": "no target"}],
            "troubles": [{"where": f"pod/{say}", "seen": "CrashLoopBackOff", "cause": "bad image", "advice": "look"}],
            "deviations": [f"deviation of {say}"],
            "not_green": [],
            "control": "",
        },
        "point": {
            "name": say,
            "source": "velero",
            "start": "2026-03-01T01:00:00Z",
            "phase": "Completed",
            "location": "default",
            "contents_digest": "ef" * 32,
            "volumes": [
                {"claim": say, "held": "captured", "method": "PodVolumeBackup", "frozen_at": AT, "size": 42}
            ],
        },
        "modifiers": {"name": "m", "rules": [{}, {}]},
        "isolation": {
            "closed": True,
            "words": "closed: 6 ways out were tried, none was open",
            "probes": [{"what": say, "target": "10.0.0.1:443", "expected": "closed", "seen": "closed", "words": say}],
        },
        "compared": {"missing": [f"Secret/{say}"], "unexpected": [], "violated": [], "unread": []},
        "checks": [
            {"name": say, "kind": "http", "verdict": "FAILED", "seconds": 1.25, "summary": f"500 {say}",
             "evidence": {"status": 500}}
        ],
        "figures": {
            "rta_seconds": 75.5,
            "rta_definition": "from T4 to T12",
            "engine_seconds": 1.5,
            "rta_phases": [
                {"name": "queue", "seconds": 0.5, "definition": "T5-T4"},
                {"name": "objects", "seconds": 15.0, "definition": "T6-T5"},
                {"name": "checks", "seconds": 60.0, "definition": "T12-T10"},
            ],
            "rpa_seconds": 3600.0,
            "rpa_definition": "from the newest restored data to the next point",
            "watermark": "2026-03-01T02:00:00Z",
        },
        "reference": {"at": AT, "words": "the next point"},
        "clean_up": {"clean": False, "words": "1 left", "leftovers": [{"kind": "PVC", "name": say}]},
        "negative_control": {"at": "2026-02-27T00:00:00Z", "verdict": "PASSED"},
        "not_captured": [f"Velero's list of errors of {say}"],
        "steps": [{"title": "Make the quarantine", "state": "done", "started": AT, "seconds": 1.0, "detail": say}],
        **fields,
    }  # fmt: skip
