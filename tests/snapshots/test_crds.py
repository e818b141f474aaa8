"""The definitions that are shipped: a cluster takes them, takes what the manual shows, and refuses what is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lazarus_tui.engine.policies import Policies
from lazarus_tui.engine.policy_calls import ContextParams, PolicyCalls
from lazarus_tui.kube.errors import Invalid
from lazarus_tui.model.policies import PolicyRow
from lazarus_tui.model.resources import CRDS, NAMESPACES
from lazarus_tui.snapshots.policies.status import BACKUPS as STS_BACKUPS
from lazarus_tui.snapshots.policies.status import RESTORES as STS_RESTORES
from lazarus_tui.snapshots.policies.written import BackupSpec, RestoreSpec
from tests.engine.world import Engine, World, laboratory
from tests.snapshots import policy_files as files

FOLDER = Path(__file__).parents[2] / "deploy" / "crds"
DEFINITIONS = [yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("backup.sts-backup.io_*.yaml"))]
SPACES = ("default", "production", "databases", "cache", "prod")


@pytest.fixture
async def served() -> AsyncIterator[tuple[World, Engine]]:
    async with laboratory() as (world, engine):
        for one in DEFINITIONS:
            world.api.create(CRDS, one)
        for space in SPACES:
            if world.api.get(NAMESPACES, space) is None:
                world.api.create(NAMESPACES, {"metadata": {"name": space}})
        yield world, engine


async def put(engine: Engine, text: str, **spec: Any) -> dict[str, Any]:
    body = yaml.safe_load(text)
    body["spec"] |= spec
    space = body["metadata"].setdefault("namespace", body["spec"]["statefulSetRef"].get("namespace"))
    resource = STS_BACKUPS if body["kind"] == STS_BACKUPS.kind else STS_RESTORES
    return dict(await engine.cluster.create(resource, body, space))


def calls_on(world: World, engine: Engine) -> PolicyCalls:
    async def plan(kind: str, context: str, params: Any) -> Any:
        raise AssertionError("listing plans nothing")

    policies = Policies(engine.journal, world.clock)
    return PolicyCalls(policies, reader=lambda context: engine.cluster, plan=plan, wake=lambda: None)


async def test_a_cluster_takes_everything_the_manual_shows(served: tuple[World, Engine]) -> None:
    _, engine = served
    for text in (*files.BACKUPS.values(), *files.RESTORES.values(), files.NEWER_BACKUP, files.NEWER_RESTORE):
        made = await put(engine, text)
        wanted = yaml.safe_load(text)["spec"]
        assert {key: made["spec"][key] for key in wanted} == wanted  # nothing was dropped


@pytest.mark.parametrize(
    ("text", "spec", "words"),
    [
        (files.BASIC, {"retentionPolicy": {"keepLast": 0}}, "keepLast"),
        (files.BASIC, {"statefulSetRef": {"namespace": "default"}}, "statefulSetRef.name"),
        (files.BASIC, {"preBackupHook": {"command": []}}, "preBackupHook.command"),
        (files.BASIC, {"volumeSnapshotClassName": "other"}, "two snapshot classes"),
        (files.POST_ONLY, {}, "nothing to end"),
        (files.LATEST, {"scaleDown": "yes"}, "scaleDown"),
    ],
)
async def test_a_cluster_refuses_what_lazarus_refuses(
    served: tuple[World, Engine], text: str, spec: dict[str, Any], words: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await put(served[1], text, **spec)
    assert words in refused.value.message


@pytest.mark.parametrize(("definition", "model"), zip(DEFINITIONS, (BackupSpec, RestoreSpec), strict=True))
def test_the_definitions_and_the_files_know_the_same_fields(definition: dict[str, Any], model: Any) -> None:
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert set(schema) == {field.alias for field in model.model_fields.values()}


async def test_objects_of_the_cluster_are_listed_beside_what_is_stored(served: tuple[World, Engine]) -> None:
    world, engine = served
    listed = calls_on(world, engine).methods["policy.list"][1]
    await put(engine, files.HOOKED)
    await put(engine, files.BASIC, schedule="at noon")
    rows: list[PolicyRow] = await listed(None, ContextParams("lab"))
    assert [(row.name, row.source) for row in rows] == [
        ("my-database-backup", "cluster"), ("postgres-scheduled-backup", "cluster"),
    ]  # fmt: skip
    assert "cannot be read" in rows[0].trouble
    assert (rows[1].means, "only when it is applied as a file" in rows[1].trouble) == ("02:00 every day", True)


async def test_without_the_definitions_there_are_simply_none() -> None:
    async with laboratory() as (world, engine):
        assert await calls_on(world, engine).methods["policy.list"][1](None, ContextParams("lab")) == []
