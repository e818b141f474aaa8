"""The definitions in deploy/crds, and objects of them, as a real API server takes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from real_world import World, eventually

from lazarus_tui.engine.object_status import Place, Telling
from lazarus_tui.engine.proof_objects import TESTS
from lazarus_tui.journal import Journal
from lazarus_tui.kube.errors import Invalid, NotFound
from lazarus_tui.model.clock import SystemClock
from lazarus_tui.model.resources import CRDS, EVENTS, Resource
from lazarus_tui.prove.policies import read_object
from lazarus_tui.snapshots.policies import status

Object = dict[str, Any]
DEPLOY = Path(__file__).parents[2] / "deploy"
FILES = sorted((DEPLOY / "crds").glob("*.yaml"))


def _condition(definition: Object | None, kind: str) -> Object:
    found = ((definition or {}).get("status") or {}).get("conditions") or ()
    return next((one for one in found if one["type"] == kind), {})


async def _served(world: World, definition: Object) -> bool:
    found = await world.cluster.get(CRDS, definition["metadata"]["name"], type=dict)
    spec = definition["spec"]
    resource = Resource(spec["group"], spec["versions"][0]["name"], spec["names"]["plural"], spec["names"]["kind"])
    if _condition(found, "Established").get("status") != "True" or not await world.cluster.has(resource):
        return False
    try:
        await world.cluster.list(resource, world.ns, type=dict)
    except NotFound:  # what serves it reads the definition from a cache of its own
        return False
    return True


@pytest.fixture
async def definitions(world: World) -> AsyncIterator[list[Object]]:
    """All of them, served; gone again afterwards."""
    found = [yaml.safe_load(path.read_text()) for path in FILES]
    try:
        for one in found:
            await world.cluster.create(CRDS, one)
        for one in found:
            await eventually(partial(_served, world, one))
        yield found
    finally:
        for one in found:  # whichever were made before something went wrong: the next test makes all of them anew
            with suppress(NotFound):
                await world.cluster.delete(CRDS, one["metadata"]["name"])
        for one in found:
            await eventually(partial(_gone, world, one["metadata"]["name"]))


async def _gone(world: World, name: str) -> bool:
    return await world.cluster.get(CRDS, name, type=dict) is None


def _example(**spec: Any) -> Object:
    found: Object = yaml.safe_load((DEPLOY / "policies" / "example-restore-test.yaml").read_text())
    del found["metadata"]["namespace"]
    found["spec"] |= spec
    return found


async def test_each_definition_is_structural_and_served(world: World, definitions: list[Object]) -> None:
    assert len(definitions) == 3
    for one in definitions:
        found = await world.cluster.get(CRDS, one["metadata"]["name"], type=dict)
        assert _condition(found, "NamesAccepted")["status"] == "True"
        assert _condition(found, "NonStructuralSchema") == {}, one["metadata"]["name"]


async def test_an_example_is_kept_as_it_was_written_and_read_as_a_proof(
    world: World, definitions: list[Object]
) -> None:
    made = await world.cluster.create(TESTS, _example(), world.ns)
    wanted = _example()["spec"]
    assert {key: made["spec"][key] for key in wanted if key != "healthChecks"} == {
        key: value for key, value in wanted.items() if key != "healthChecks"
    }
    assert made["spec"]["healthChecks"]["databases"]["checks"] == wanted["healthChecks"]["databases"]["checks"]
    assert made["spec"]["healthChecks"]["databases"]["enabled"] is True  # what the definition says where nothing is
    assert read_object(made).prove == read_object(_example()).prove


REFUSED: list[tuple[Object, str]] = [
    ({"backupName": ""}, "spec.backupName"),
    ({"healthChecks": {"http": {"endpoints": [{"name": "a"}]}}}, "spec.healthChecks.http.endpoints"),
    ({"healthChecks": {"databases": {"checks": [{"name": "a", "type": "oracle", "service": "db"}]}}},
     "spec.healthChecks.databases.checks"),
    ({"healthChecks": {"custom": {"pods": [{"name": "a", "image": "b", "timeoutSeconds": 0}]}}},
     "spec.healthChecks.custom.pods"),
]  # fmt: skip


async def test_what_cannot_be_a_test_is_refused_with_its_place(world: World, definitions: list[Object]) -> None:
    for spec, where in REFUSED:
        with pytest.raises(Invalid) as caught:
            await world.cluster.create(TESTS, _example(**spec), world.ns)
        assert where in str(caught.value)


async def test_a_misspelt_kind_is_no_kind_of_this_cluster(world: World, definitions: list[Object]) -> None:
    misspelt = Resource(TESTS.group, TESTS.version, "laziusrestoretests", "LaziusRestoreTest")
    with pytest.raises(NotFound):
        await world.cluster.create(misspelt, {**_example(), "kind": misspelt.kind}, world.ns)


async def test_its_status_is_written_beside_it_and_only_there(
    world: World, definitions: list[Object], tmp_path: Path
) -> None:
    made = await world.cluster.create(TESTS, _example(), world.ns)
    place = Place(world.cluster.context, world.cluster, await world.cluster.cluster_uid())
    journal = await Journal.open(tmp_path / "journal.db", clock=SystemClock())
    try:
        telling = Telling(journal, SystemClock())
        fields = {"phase": "Failed", "verdict": "FAILED", "recoveryTimeActualSeconds": 12}
        wanted = status.told(made, fields, good=False, reason="Failed", message="no answer", now=telling.now())
        assert await telling.status(place, TESTS, made, wanted, ("ProofFailed", "no answer")) == ""
        found = await _read(world, made["metadata"]["name"])
        assert found["status"] == wanted
        assert found["spec"] == made["spec"]
        assert found["metadata"]["generation"] == made["metadata"]["generation"]
        assert await telling.status(place, TESTS, made, wanted | {"phase": "Passed"}) != ""  # it was read before that
        assert (await _read(world, made["metadata"]["name"]))["status"] == wanted
    finally:
        await journal.close()
    events = await world.cluster.list(EVENTS, world.ns, type=dict)
    assert [(one["reason"], one["message"], one["type"]) for one in events] == [("ProofFailed", "no answer", "Warning")]


async def _read(world: World, name: str) -> Object:
    found: Object | None = await world.cluster.get(TESTS, name, world.ns, type=dict)
    assert found is not None
    return found
