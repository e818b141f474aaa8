"""What Velero puts before a pod's containers gets the first one's security context: the quarantine has to take it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lazarus_tui.model.volumes import Held
from lazarus_tui.prove.points import Contents, Item, PointVolume
from lazarus_tui.prove.rules import Options, judge
from lazarus_tui.prove.rules.modifiers import document
from lazarus_tui.sandbox.velero import modifiers as velero
from lazarus_tui.sandbox.velero import remake
from lazarus_tui.sandbox.velero.layout import Item as Kept
from tests.prove.hostile.build import bare_pod, claim

HERE, THERE = "shop", "lazarus-q-01234567"
FILES = PointVolume("data", Held.CAPTURED, method="PodVolumeBackup")
STALE = {"name": "restore-wait", "image": "velero/velero:old"}


def restored(context: dict[str, Any], *, filled: bool, stale: bool = False) -> tuple[dict[str, Any], list[str]]:
    """The pod's spec as the sandbox's Velero leaves it with the plan's rules, and what it says of them."""
    pod, held = bare_pod("db-0"), claim("data")
    pod["metadata"]["namespace"] = held["metadata"]["namespace"] = HERE
    pod["spec"]["containers"] = [{"name": "db", "image": "db:1", "securityContext": context}]
    if stale:
        pod["spec"]["initContainers"] = [{**STALE, "securityContext": context}, {"name": "own", "image": "own:1"}]
    items = (Item("pods", HERE, "db-0", pod), Item("persistentvolumeclaims", HERE, "data", held))
    copied = frozenset({"db-0"} if filled else {"another"})
    found = judge(Contents("velero", "p", HERE, items, (), (FILES,), copied), Options(target=THERE))
    body = remake.remade(Kept("pods", HERE, "db-0", json.loads(json.dumps(pod))), THERE, {HERE: THERE}, False)
    if filled:
        remake.wait_for_volumes(body, "uid", ["data"])
    rules = velero.parse({"data": {"rules": document(found.modifiers)}}, "velero/x")
    body, errors = velero.apply(rules, "pods", HERE, body)
    assert errors == []
    return body["spec"], [line.words for line in found.lines if "restore-wait" in line.words]


@pytest.mark.parametrize(
    ("context", "left"),
    [
        ({"capabilities": {"add": ["IPC_LOCK"]}}, {"capabilities": {}}),
        ({"capabilities": {"add": ["SYS_NICE", "CHOWN"]}}, {"capabilities": {"add": ["CHOWN"]}}),
        ({"privileged": True, "runAsUser": 999}, {"runAsUser": 999}),
        ({"seccompProfile": {"type": "Unconfined"}}, {}),
    ],
)
@pytest.mark.parametrize("stale", [False, True], ids=["fresh", "restored before"])
def test_what_waits_for_the_volumes_keeps_nothing_that_the_quarantine_refuses(
    context: dict[str, Any], left: dict[str, Any], stale: bool
) -> None:
    spec, words = restored(context, filled=True, stale=stale)
    wait = spec["initContainers"][0]
    assert wait["name"] == "restore-wait"
    assert wait["image"] == remake.HELPER_IMAGE
    assert wait["securityContext"] == spec["containers"][0]["securityContext"] == left
    assert len(words) == 1, "the plan says so"


@pytest.mark.parametrize("stale", [False, True], ids=["fresh", "restored before"])
def test_where_nothing_waits_no_container_without_an_image_is_put_in(stale: bool) -> None:
    """Velero takes out what waited in the pod when it was backed up; a pod with half a container is refused."""
    spec, _ = restored({"privileged": True}, filled=False, stale=stale)
    assert [one["name"] for one in spec.get("initContainers") or ()] == (["own"] if stale else [])
    assert spec["containers"][0]["securityContext"] == {}


def test_a_context_that_the_quarantine_takes_is_left_as_it_is() -> None:
    spec, words = restored({"runAsUser": 999, "capabilities": {"drop": ["ALL"]}}, filled=True)
    assert spec["initContainers"][0]["securityContext"] == {"runAsUser": 999, "capabilities": {"drop": ["ALL"]}}
    assert words == []


def test_a_template_may_call_a_container_as_it_likes() -> None:
    body = {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": HERE},
        "spec": {"template": {"spec": {"initContainers": [{**STALE, "securityContext": {"privileged": True}}],
                                       "containers": [{"name": "web", "image": "web:1"}]}}},
    }  # fmt: skip
    point = Contents("velero", "p", HERE, (Item("deployments.apps", HERE, "web", body),))
    found = judge(point, Options(target=THERE)).apply(body)
    assert found is not None
    assert found["spec"]["template"]["spec"]["initContainers"][0]["securityContext"] == {}
