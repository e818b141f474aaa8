"""kubectl's server-side apply goes on where its client-side apply ended, as the real server lets it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lazarus_tui.sandbox.api.apply import LAST_APPLIED

from .conftest import Reply, World

APPLY = "application/apply-patch+yaml"
MAPS = "/api/v1/namespaces/default/configmaps"


def configuration(**data: str) -> dict[str, Any]:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "one"}, "data": data}


async def client_side(world: World, said: str, **data: str) -> None:
    made = configuration(**data)
    made["metadata"]["annotations"] = {LAST_APPLIED: said}
    await world.call("POST", MAPS, made, fieldManager="kubectl-client-side-apply")


async def apply(world: World, manager: str, **data: str) -> Reply:
    return await world.call("PATCH", f"{MAPS}/one", configuration(**data), type=APPLY, fieldManager=manager)


async def test_kubectl_takes_over_what_it_applied_before(world: World) -> None:
    await client_side(world, json.dumps(configuration(x="1", y="1")), x="1", y="1")
    taken = await apply(world, "kubectl", x="2", y="1")
    assert (taken.status, taken.body["data"]) == (200, {"x": "2", "y": "1"})
    noted = taken.body["metadata"]["annotations"][LAST_APPLIED]
    assert noted.endswith("\n")
    assert json.loads(noted)["data"] == {"x": "2", "y": "1"}, "or the next client-side apply would undo it"
    owners = {one["manager"]: one["fieldsV1"]["f:data"] for one in taken.body["metadata"]["managedFields"]}
    assert owners["kubectl"] == {"f:x": {}, "f:y": {}}
    assert "f:x" not in owners["kubectl-client-side-apply"]


async def test_what_others_changed_since_is_a_conflict(world: World) -> None:
    await client_side(world, json.dumps(configuration(x="1", y="1")), x="1", y="1")
    changed = {"data": {"x": "9"}}
    await world.call("PATCH", f"{MAPS}/one", changed, type="application/merge-patch+json", fieldManager="someone")
    refused = await apply(world, "kubectl", x="2", y="2")
    assert refused.status == 409
    assert [cause["field"] for cause in refused.body["details"]["causes"]] == [".data.x"]


@pytest.mark.parametrize(
    ("manager", "said"),
    [
        ("argocd", json.dumps(configuration(x="1"))),
        ("kubectl", ""),
        ("kubectl", "no JSON"),
        ("kubectl", "[]"),
        ("kubectl", '{"data": {"x": "1"}}'),
    ],
)
async def test_nobody_else_does_and_not_without_a_word_of_it(world: World, manager: str, said: str) -> None:
    await client_side(world, said, x="1")
    assert (await apply(world, manager, x="2")).status == 409
