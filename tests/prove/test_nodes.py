"""Copies run where a plan says: on nodes that are set aside for them, whatever the original asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.proof_policies import ProofPolicy
from lazarus_tui.prove.checks import launched
from lazarus_tui.prove.policies import read
from lazarus_tui.prove.policies.wording import words
from lazarus_tui.prove.quarantine.bodies import probes
from lazarus_tui.prove.quarantine.names import quarantine
from tests.prove.hostile.build import bare_pod, workload
from tests.prove.site import Site

TAINT: dict[str, Any] = {"key": "dr", "operator": "Exists", "effect": "NoSchedule"}
WANTED: dict[str, Any] = {"labels": {"tier": "test", "node.example/pool": "dr"}, "tolerations": [TAINT]}
OWN: dict[str, Any] = {
    "nodeName": "prod-7",
    "nodeSelector": {"disk": "ssd", "tier": "prod"}, "tolerations": [{"key": "own", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}, "podAntiAffinity": {}},
}  # fmt: skip
POLICY = b"""apiVersion: lazarus.io/v1alpha1
kind: ProofPolicy
name: gold
workloads: [{namespace: shop}]
nodes:
  labels: {tier: test}
  tolerations: [{key: dr, operator: Exists, effect: NoSchedule}]
"""


def spec_of(spec: dict[str, Any]) -> dict[str, Any]:
    """Of the pods that a patch makes, or of the pod itself."""
    found: dict[str, Any] = spec.get("template", {}).get("spec", spec)
    return found


async def test_every_pod_of_a_copy_and_both_probes_go_to_the_named_nodes() -> None:
    site = Site()
    site.backup("full", [workload(**OWN), bare_pod(**OWN)])
    plan = await site.plan(nodes=WANTED)
    patches = [one["patchData"] for rule in plan.params["modifiers"]["rules"] for one in rule.get("mergePatches", ())]
    specs = [spec_of(json.loads(one)["spec"]) for one in patches if "nodeSelector" in one]
    assert len(specs) == 2
    for spec in specs:
        assert spec["nodeSelector"] == {"disk": None, **WANTED["labels"]}
        assert spec["affinity"] == {"nodeAffinity": None}, "what is about other pods stays as it is"
        assert spec["tolerations"] == [{"key": "own", "operator": "Exists"}, TAINT]
        assert spec["nodeName"] is None, "the scheduler chooses"
    asked = [one for one in plan.params["expected"] if "nodeSelector" in one["pointer"]]
    assert {one["pointer"].rpartition("/")[2] for one in asked} == {"tier", "node.example~1pool"}
    assert len(asked) == 4
    for body in probes(quarantine(plan.params)):
        assert body["spec"]["nodeSelector"] == WANTED["labels"]
        assert body["spec"]["tolerations"] == [TAINT]


async def test_what_checks_and_a_control_start_runs_there_too_and_pushes_as_little_away() -> None:
    site = Site()
    site.backup("full", [workload(), bare_pod()])
    own: list[dict[str, Any]] = [
        {"kind": "pod", "name": "p", "image": "i:1"},
        {"kind": "job", "name": "j", "image": "i:1"},
    ]
    plan = await site.plan(nodes=WANTED, control="flip", checks={"checks": own})
    steps = {step.name: getattr(step, "inner", step) for step in site.registry.steps(plan.kind, plan)}
    launch: Any = steps["checks.launch"]
    made = [spec_of(launched.body(check, "n", launch.placed)["spec"]) for check in launch.wanted]
    made.append(steps["prove.sabotage"]._pod(["data"])["spec"])  # type: ignore[attr-defined]
    assert len(made) == 3
    for spec in made:
        assert spec["priorityClassName"] == "lazarus-quarantine"
        assert spec["nodeSelector"] == WANTED["labels"]
        assert spec["tolerations"] == [TAINT]
    plain = await site.plan(checks={"checks": own})
    launch = {step.name: getattr(step, "inner", step) for step in site.registry.steps(plain.kind, plain)}[
        "checks.launch"
    ]
    assert launch.placed.fields == {"priorityClassName": "lazarus-quarantine"}


async def test_without_nodes_the_original_s_choice_stays() -> None:
    site = Site()
    site.backup("full", [workload(**OWN)])
    plan = await site.plan()
    assert plan.params["nodes"] == {}
    assert "nodeSelector" not in str(plan.params["modifiers"])
    assert all("nodeSelector" not in body["spec"] for body in probes(quarantine(plan.params)))


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        ({"labels": {"a b": "c"}}, "a b=c is no label of a node"), ({"labels": {"a": "-"}}, "is no label"),
        ({"tolerations": [{"key": "a", "value": "b c"}]}, "is no taint"), ({"label": {}}, "unknown field"),
        ({"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}, "has no value"),
        ({"tolerations": [{"key": "a", "effect": "Sometimes"}]}, "Sometimes"),
        ({"labels": {f"a{n}": "b" for n in range(21)}}, "21 are too many"),
    ],
)  # fmt: skip
async def test_what_is_no_label_of_a_node_is_refused(nodes: dict[str, Any], why: str) -> None:
    site = Site()
    site.backup("full", [workload()])
    with pytest.raises(PlanRefused) as refused:
        await site.plan(nodes=nodes)
    assert why in refused.value.what


def test_a_policy_names_them() -> None:
    found = read(POLICY)
    assert isinstance(found, ProofPolicy)
    assert found.prove["nodes"] == {"labels": {"tier": "test"}, "tolerations": [TAINT]}
    assert "copies run only on nodes with tier=test" in words(found)
    with pytest.raises(PlanRefused) as refused:
        read(POLICY.replace(b"tier: test", b"'t er': test"))
    assert "is no label of a node" in refused.value.what
