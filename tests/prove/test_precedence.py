"""Copies push nothing away: by a class of their own, or the plan says when they still may."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.steps import Outcome, Seen, Write, WriteResult
from lazarus_tui.prove.precedence import CLASSES, NAME, Precedence, body, pushing
from lazarus_tui.prove.proof.priority import Priority
from lazarus_tui.prove.quarantine.bodies import probes
from lazarus_tui.prove.quarantine.names import quarantine
from tests.prove.hostile.build import bare_pod, workload
from tests.prove.site import Site

STRONG: dict[str, Any] = {"value": 1000, "globalDefault": True, "preemptionPolicy": "PreemptLowerPriority"}


@pytest.mark.parametrize(
    ("fields", "pushes"),
    [
        (STRONG, True), ({**STRONG, "preemptionPolicy": ""}, True), ({**STRONG, "preemptionPolicy": "Never"}, False),
        ({**STRONG, "globalDefault": False}, False), ({**STRONG, "value": -5}, False),
    ],
)  # fmt: skip
async def test_only_a_default_class_that_preempts_is_warned_of(fields: dict[str, Any], pushes: bool) -> None:
    site = Site()
    site.put(CLASSES, "usual", "", **fields)
    assert bool(await pushing(site)) is pushes  # type: ignore[arg-type]


async def test_the_plan_has_the_warning() -> None:
    site = Site()
    site.put(CLASSES, "usual", "", **STRONG)
    site.put(CLASSES, NAME, "", value=7, preemptionPolicy="Never")
    site.backup("full", [workload()])
    warnings = (await site.plan(point="full")).warnings
    assert any(one.startswith("the copy gets the cluster's default priority class usual (1000)") for one in warnings)


async def test_what_may_not_be_read_is_not_known() -> None:
    class Closed(Site):
        async def list(self, resource: Any, *args: Any, **more: Any) -> Any:
            raise Forbidden("no", status=403)

    assert "is not known" in (await pushing(Closed()))[0]  # type: ignore[arg-type]


QUIET: dict[str, Any] = {"value": -1000, "preemptionPolicy": "Never"}


def of_copies(plan: Plan) -> list[Any]:
    return [one["value"] for one in plan.params["expected"] if one["rule"] == "S18"]


async def test_the_class_of_copies_is_made_where_it_is_missing_and_every_pod_gets_it() -> None:
    site = Site()
    pushing_pod = bare_pod()
    pushing_pod["spec"] |= {"priorityClassName": "high", "priority": 1000, "preemptionPolicy": "PreemptLowerPriority"}
    site.backup("full", [workload(), pushing_pod])
    plan = await site.plan()
    assert plan.params["priority"] == {"name": NAME, "value": -10, "make": True}
    [effect] = [one for one in plan.effects if one.what == f"PriorityClass {NAME}"]
    assert (effect.verb, effect.detail) == ("create", "value -10, pushes nothing away; it stays, for all proofs (S18)")
    assert of_copies(plan) == [NAME, NAME]
    patches = [
        json.loads(one["mergePatches"][0]["patchData"])
        for one in plan.params["modifiers"]["rules"]
        if "mergePatches" in one
    ]
    given = {"priorityClassName": NAME, "priority": None, "preemptionPolicy": None}
    assert {"spec": given} in patches
    assert {"spec": {"template": {"spec": given}}} in patches
    said = [one.detail for one in plan.effects if "S18" in one.detail and one.what.startswith("pods/")]
    assert said == [f"S18: priority high → {NAME}: a copy pushes nothing away"]
    names = [step.name for step in site.registry.steps(plan.kind, plan)]
    assert names.index("prove.preflight") < names.index("prove.priority") < names.index("quarantine")


async def test_a_class_of_that_name_that_pushes_nothing_away_is_taken_as_it_is() -> None:
    site = Site()
    site.put(CLASSES, NAME, "", **QUIET)
    site.backup("full", [workload()])
    plan = await site.plan()
    assert plan.params["priority"] == {"name": NAME, "value": -1000, "make": False}
    assert not [one for one in plan.effects if "PriorityClass" in one.what]


@pytest.mark.parametrize(
    ("fields", "may", "words"),
    [
        ({**QUIET, "value": 7}, True, f"PriorityClass {NAME} is there and may push others off their nodes (7)"),
        ({**QUIET, "preemptionPolicy": ""}, True, f"PriorityClass {NAME} is there and may push others"),
        (None, False, f"there is no PriorityClass {NAME}, and no right to create priorityclasses.scheduling.k8s.io"),
    ],
)
async def test_without_it_a_copy_comes_with_no_class_and_the_plan_says_why(
    fields: dict[str, Any] | None, may: bool, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site()
    if fields is not None:
        site.put(CLASSES, NAME, "", **fields)

    async def allowed(*right: Any, **more: Any) -> bool:
        return may

    monkeypatch.setattr(site, "can_i", allowed)
    strong = workload()
    strong["spec"]["template"]["spec"]["priorityClassName"] = "high"
    site.backup("full", [strong])
    plan = await site.plan()
    assert plan.params["priority"] == {}
    [said] = [one for one in plan.warnings if one.startswith(words)]
    assert said.endswith("the copy comes without a class, with the cluster's default priority (S18)")
    assert of_copies(plan) == [None]
    assert "prove.priority" not in [step.name for step in site.registry.steps(plan.kind, plan)]


async def test_the_step_makes_it_once_and_takes_none_that_pushes() -> None:
    site = Site()
    params = {"priority": {"name": NAME, "value": -10, "make": True}}
    step: Any = Priority(params)
    context: Any = SimpleNamespace(reader=site, gate=Sends(site))
    assert (await step.observe(context)).seen is Seen.ABSENT
    await step.act(context)
    seen = await step.observe(context)
    assert (seen.seen, seen.detail) == (Seen.DONE, f"{NAME} (-10)")
    site.put(CLASSES, NAME, "", value=5, preemptionPolicy="Never")
    seen = await step.observe(context)
    assert (seen.seen, seen.detail) == (
        Seen.DIVERGED,
        f"PriorityClass {NAME} may push others off their nodes (5, Never)",
    )


class Sends:
    def __init__(self, site: Site) -> None:
        self.site = site

    async def write(self, write: Write) -> WriteResult:
        assert write.users, "it belongs to no operation"
        body = {key: value for key, value in write.body.items() if key not in ("apiVersion", "kind", "metadata")}
        self.site.put(CLASSES, write.name, "", **body)
        return WriteResult(Outcome.APPLIED)


def test_the_probes_push_nothing_away_either() -> None:
    params = {"op": "aaaabbbbccccdddd", "priority": {"name": NAME, "value": -10, "make": True}}
    assert {one["spec"].get("priorityClassName") for one in probes(quarantine(params))} == {NAME}
    assert {one["spec"].get("priorityClassName") for one in probes(quarantine({**params, "priority": {}}))} == {None}


def test_the_class_that_is_applied_by_hand_is_the_one_that_proofs_make() -> None:
    given = Path(__file__).parents[2] / "deploy" / "priority" / f"{NAME}.yaml"
    assert yaml.safe_load(given.read_text(encoding="utf-8")) == body(Precedence(NAME).frozen())
