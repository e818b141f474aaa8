"""``lazarus prove plan``: what is asked of the engine, and how a plan reads."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from lazarus_tui.link.client import LinkFault
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model.plan import Danger, Effect, Estimate, Plan

PARAMS = {
    "point": "full", "point_start": "2026-06-01T11:00:00Z", "quarantine": "lazarus-q-01234567",
    "require": ["exists", "healthy"],
    "volumes": [
        {"claim": "data", "held": "captured", "reason": "", "size": 1, "method": "CSISnapshot", "handle": "s",
         "frozen_at": "2026-06-01T11:00:00Z"},
        {"claim": "cache", "held": "absent", "reason": "opted out", "size": None, "method": "", "handle": "",
         "frozen_at": ""},
    ],
}  # fmt: skip
PLAN = Plan(
    kind="prove.run", context="prod", cluster_uid="abcdef0123456789", target="lazarus-q-01234567",
    title="Prove namespace shop from full", danger=Danger.CHANGES, params=PARAMS, steps=(),
    effects=(Effect("skip", "ingresses.networking.k8s.io/shop", "S8: a second route"),),
    warnings=("cannot be PASSED: cache has no data\x1b[31m",), undo="all of it is removed",
    estimate=Estimate(4, 9, "median 5 s of the last 3 runs"),
)  # fmt: skip


def test_the_plan_reads_object_by_object_with_the_rule_and_volume_by_volume(lazarus: Any) -> None:
    done, client = lazarus({"plan.make": PLAN}, "prove", "plan", "--workload", "shop")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == "Prove namespace shop from full"
    assert any(
        line.split() == ["skip", "ingresses.networking.k8s.io/shop", "S8:", "a", "second", "route"] for line in lines
    )
    assert any(line.split()[:3] == ["cache", "ABSENT", "-"] and line.endswith("opted out") for line in lines)
    assert any(line.split()[:3] == ["data", "CAPTURED", "CSISnapshot"] for line in lines)
    assert any("! cannot be PASSED: cache has no data" in line for line in lines)
    assert "\x1b" not in done.output
    assert lines[-1].strip() == "estimate: 4-9 s (median 5 s of the last 3 runs)"
    assert [method for method, _ in client.calls] == ["context.use", "plan.make"], "nothing is started"
    request = client.calls[-1][1]
    assert request == {"kind": "prove.run", "context": "prod", "params": {"namespace": "shop"}}


def test_json_is_the_plan_itself(lazarus: Any) -> None:
    done, _ = lazarus({"plan.make": PLAN}, "prove", "plan", "--workload", "shop", "-o", "json")
    assert msgspec.convert(json.loads(done.output), Plan) == PLAN


def test_everything_that_can_be_chosen_reaches_the_planner(lazarus: Any) -> None:
    words = ["prove", "plan", "--workload", "shop/StatefulSet/db", "--point", "oldest", "--source", "snapshots"]
    words += ["--allow", "S10:gadgets.example.com:2027-01-31T00:00:00Z:no operator: really none"]
    done, client = lazarus({"plan.make": PLAN}, *words)
    assert done.exit_code == 0, done.output
    exception = {
        "rule": "S10", "what": "gadgets.example.com", "expires": "2027-01-31T00:00:00Z",
        "reason": "no operator: really none",
    }  # fmt: skip
    assert client.calls[-1][1]["params"] == {
        "namespace": "shop", "workload": "StatefulSet/db", "point": "oldest", "source": "snapshots",
        "allow": [exception],
    }  # fmt: skip


def test_an_exception_that_cannot_be_read_is_a_mistake_in_usage(lazarus: Any) -> None:
    for written in ("S10", "S10:x:soon:because", "S10:x:2027-01-31T00:00:00"):
        done, client = lazarus({"plan.make": PLAN}, "prove", "plan", "--workload", "shop", "--allow", written)
        assert done.exit_code == 64, done.output
        assert "no exception" in done.output
        assert client.calls == []


def test_what_cannot_be_planned_ends_with_five_and_says_what_to_do(lazarus: Any) -> None:
    fault = LinkFault(Fault("refused", "nothing makes 1 object of shop harmless", "shop", "prove another point"))
    done, _ = lazarus({"plan.make": fault}, "prove", "plan", "--workload", "shop")
    assert done.exit_code == 5
    assert "prove another point" in done.output
