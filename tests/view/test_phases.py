"""A phase, known or not, goes from the API through mirror and hub to every row, pane and command as it is."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from lazarus_tui import posture
from lazarus_tui.engine.hub import Hub
from lazarus_tui.engine.mirror import Mirror, Sight
from lazarus_tui.kube.decode import KindPage, decode
from lazarus_tui.kube.watch import Batch
from lazarus_tui.model import resources as r
from lazarus_tui.model.objects import Backup, Location, Restore, VolumeCopy, Workload
from lazarus_tui.model.resources import Resource
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.view import backups, documents, restores
from tests.cli.conftest import lazarus as lazarus  # the fixture
from tests.cli.conftest import topic
from tests.engine.fakes import ScriptedFollow, look

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PHASES = (
    "", "New", "Queued", "ReadyToStart", "FailedValidation", "InProgress", "WaitingForPluginOperations",
    "WaitingForPluginOperationsPartiallyFailed", "Finalizing", "FinalizingPartiallyFailed", "Completed",
    "PartiallyFailed", "Failed", "Deleting", "Frobnicating",
)  # fmt: skip
# 80 columns have no room for these; the pane and the command line write them out.
SHORT = {
    "WaitingForPluginOperations": "Waiting: plugins",
    "WaitingForPluginOperationsPartiallyFailed": "Waiting, part failed",
    "FinalizingPartiallyFailed": "Finalizing, part failed",
}


def raw(resource: Resource, name: str, phase: str, **spec: Any) -> dict[str, Any]:
    status = {"phase": phase, "progress": None, "fieldOfTheFuture": {"deep": [None]}} if phase else None
    metadata = {"name": name, "namespace": "velero", "uid": f"uid-{name}", "labels": None}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


def page(resource: Resource, kind: type[Any], phases: tuple[str, ...], **spec: Any) -> list[Any]:
    """Records as the API's own bytes give them."""
    items = [raw(resource, f"o{at}", phase, **spec) for at, phase in enumerate(phases)]
    body = json.dumps({"kind": f"{resource.kind}List", "metadata": {}, "items": items}).encode()
    found: list[Any] = decode(body, KindPage[kind]).items  # type: ignore[valid-type]
    return found


def rows(sight: Sight) -> Any:
    return lambda: posture.workload_rows(
        workloads=sight.workloads, claims=sight.claims, backups=sight.backups, schedules=sight.schedules,
        locations=sight.locations, copies=list(sight.copies.values()), now=sight.now,
    )  # fmt: skip


async def through_the_engine() -> dict[str, dict[str, Any]]:
    """What a console gets of each topic, as plain JSON."""
    clock, follow = VirtualClock(), ScriptedFollow()
    hub = Hub(clock)

    async def at_once(work: Any) -> Any:
        return work()

    mirror = Mirror(
        hub, clock, None, "prod", velero="velero", follow=follow, overview=rows, aside=at_once,  # type: ignore[arg-type]
    )  # fmt: skip
    task = asyncio.create_task(mirror.run())
    workload = {"kind": "StatefulSet", "metadata": {"name": "orders", "namespace": "shop"}}
    follow.put(r.STATEFULSETS, Batch("snapshot", [msgspec.convert(workload, Workload)]))
    follow.put(
        r.BACKUPS, Batch("snapshot", page(r.BACKUPS, Backup, PHASES, includedNamespaces=["shop"], labelSelector=None))
    )
    follow.put(
        r.RESTORES, Batch("snapshot", page(r.RESTORES, Restore, PHASES, backupName="o1", existingResourcePolicy=None))
    )
    follow.put(r.LOCATIONS, Batch("snapshot", page(r.LOCATIONS, Location, ("", "Frobnicating"), provider="aws")))
    follow.put(r.POD_VOLUME_BACKUPS, Batch("snapshot", page(r.POD_VOLUME_BACKUPS, VolumeCopy, PHASES, pod=None)))
    for kind in (r.SCHEDULES, r.POD_VOLUME_RESTORES, r.DATA_UPLOADS, r.DATA_DOWNLOADS, r.DEPLOYMENTS, r.CLAIMS):
        follow.put(kind, Batch("snapshot"))
    await clock.advance(5.0)
    found = {}
    for name in ("backups", "restores", "locations", "copies", "overview"):
        update, found[name] = await look(hub, f"{name}/prod")
        assert (update.state, update.reason) == ("ready", ""), name
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await hub.stop()
    return found


def by_phase(found: dict[str, Any], kind: type[Any]) -> dict[str, Any]:
    return {item.status.phase: item for item in (msgspec.convert(one, kind) for one in found.values())}


async def test_every_phase_reaches_every_list_and_pane() -> None:
    found = await through_the_engine()
    assert len(found["copies"]) == len(PHASES)
    assert set(by_phase(found["locations"], Location)) == {"", "Frobnicating"}
    assert len(found["overview"]) == 1, "one workload, whatever its backups' phases"
    made, back = by_phase(found["backups"], Backup), by_phase(found["restores"], Restore)
    assert set(made) == set(back) == set(PHASES)
    sheet = restores.sheet(back.values())
    for phase in PHASES:
        word = SHORT.get(phase, phase or "New")
        assert backups.SHEET.cells(made[phase], NOW)[1].text.partition(" ")[2] == word
        shown = sheet.cells(back[phase], NOW)[1].text.partition(" ")[2]
        assert shown == word or (phase in ("", "New", "Queued", "ReadyToStart") and shown.startswith("queued behind"))
        for one in (backups.SHEET, sheet):
            assert [one.order(item, column.id) for item in (made if one is backups.SHEET else back).values()
                    for column in one.columns]  # fmt: skip
            one.faulty((made if one is backups.SHEET else back)[phase])


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(("kind", "resource"), [("backup", r.BACKUPS), ("restore", r.RESTORES)])
def test_the_pane_writes_the_phase_as_velero_does(kind: str, resource: Resource, phase: str) -> None:
    spec = {"backupName": "b", "existingResourcePolicy": None} if kind == "restore" else {"ttl": None}
    lines = documents.describe(kind, raw(resource, "one", phase, **spec), NOW)
    (headline,) = [line for line in lines if any(span.text == "one" for span in line)]
    assert (phase or "New") in "".join(span.text for span in headline).split()


@pytest.mark.parametrize(
    ("command", "resource", "kind"), [("backup", r.BACKUPS, Backup), ("restore", r.RESTORES, Restore)]
)
def test_the_command_line_writes_every_phase_as_it_is(
    lazarus: Any, command: str, resource: Resource, kind: type[Any]
) -> None:
    records = {item.metadata.name: item for item in page(resource, kind, PHASES)}
    table, _ = lazarus({"pull": topic(f"{command}s/prod", records)}, command, "list")
    assert table.exit_code == 0
    words = {
        line.split()[0]: line.split()[1 if command == "backup" else 2 - 1] for line in table.stdout.splitlines()[1:]
    }
    assert words == {f"o{at}": phase or "New" for at, phase in enumerate(PHASES)}
    as_json, _ = lazarus({"pull": topic(f"{command}s/prod", records)}, command, "list", "-o", "json")
    assert {one.get("status", {}).get("phase", "") for one in json.loads(as_json.stdout)} == set(PHASES)
