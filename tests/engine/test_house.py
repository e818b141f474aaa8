"""The whole engine on the sandbox's own cluster in memory, asked over its real socket."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lazarus_tui.engine.runner import Runner
from lazarus_tui.engine.timetable import Timetable
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.link.client import Client, LinkFault, SyncClient
from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.objects import Backup
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.resources import BACKUPS, SECRETS
from lazarus_tui.model.topics import ContextRow
from lazarus_tui.sandbox.cluster import SandboxCluster
from tests.engine.scene import SANDBOX, Scene


async def test_a_console_sees_the_cluster(scene: Scene) -> None:
    row = await scene.use()
    assert (row.state, row.sandbox, row.velero_namespace, row.write_until) == ("ready", True, "velero", "always")
    names = [f"{name}/{SANDBOX}" for name in ("backups", "schedules", "restores", "locations", "copies", "overview")]
    topics = await scene.follow(*names, until=lambda t: all(t.state(name).state == "ready" for name in names))
    assert len(topics.state(f"schedules/{SANDBOX}").records) == 5
    assert set(topics.state(f"locations/{SANDBOX}").records) == {"default", "dr", "offsite"}
    assert "shop/StatefulSet/orders" in topics.state(f"overview/{SANDBOX}").records


async def test_a_backup_runs_and_its_artefacts_can_be_read(scene: Scene) -> None:
    await scene.use()
    begun = await scene.backup()
    backups, log = f"backups/{SANDBOX}", f"oplog/{begun.id}"
    topics = await scene.follow(
        "operations",
        backups,
        log,
        until=lambda t: (
            begun.id in t.state("operations").records and not t.state("operations").records[begun.id].state.open
        ),
    )
    assert topics.state("operations").records[begun.id].target == "mine"
    assert len(topics.state(log).records) >= 1
    assert "mine" in topics.state(backups).records
    text = await scene.call("artefact.get", context=SANDBOX, kind="BackupLog", name="mine")
    assert "mine" in text["text"]
    names = await scene.call("artefact.get", context=SANDBOX, kind="BackupContents", name="mine")
    assert any("statefulsets" in name for name in names["json"])
    again = await scene.call("artefact.get", context=SANDBOX, kind="BackupContents", name="mine")
    assert again == names
    # The signed address was used and its request removed again.
    raw = await scene.cluster.transport().send(_get("/apis/velero.io/v1/downloadrequests"))
    assert msgspec.json.decode(raw.body)["items"] == []


def _get(path: str) -> HttpRequest:
    return HttpRequest("GET", path)


async def test_a_read_only_context_starts_nothing_and_fetches_nothing(prod: Scene) -> None:
    await prod.use()
    with pytest.raises(LinkFault) as caught:
        await prod.backup()
    assert caught.value.fault.code == "read-only"
    theirs = {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "theirs"}}
    prod.cluster.api.create(BACKUPS, {**theirs, "spec": {"includedNamespaces": ["shop"]}}, "velero")
    done = "backups/prod"
    await prod.follow(done, until=lambda t: _phase(t.state(done).records.get("theirs")) == "Completed")
    with pytest.raises(LinkFault) as caught:
        await prod.call("artefact.get", context="prod", kind="BackupLog", name="theirs")
    assert caught.value.fault.code == "read-only"
    assert "arm" in caught.value.fault.hint
    await prod.call("context.arm", context="prod", minutes=15)
    assert (await prod.call("artefact.get", context="prod", kind="BackupLog", name="theirs"))["text"]
    assert (await prod.backup()).state.open


def _phase(backup: Backup | None) -> str:
    return backup.status.phase if backup is not None else ""


async def test_a_secret_is_never_shown(scene: Scene) -> None:
    await scene.use()
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {"password": "c2VzYW1l"}}
    scene.cluster.api.create(SECRETS, body, "shop")
    found = await scene.call("object.get", context=SANDBOX, resource="secrets", namespace="shop", name="s")
    assert found["metadata"]["name"] == "s"
    assert "c2VzYW1l" not in str(found)


async def test_objects_of_velero_need_no_namespace_and_missing_ones_say_so(scene: Scene) -> None:
    await scene.use()
    found = await scene.call("object.get", context=SANDBOX, resource="schedules.velero.io", name="tier-hot")
    assert found["kind"] == "Schedule"
    for params, code in (
        ({"resource": "backups.velero.io", "name": "never"}, "not-found"),
        ({"resource": "pods", "name": "x"}, "usage"),
        ({"resource": "nonsense.example.com", "name": "x"}, "usage"),
        ({"resource": "backups.velero.io", "name": "../../secrets"}, "refused"),
    ):
        with pytest.raises(LinkFault) as caught:
            await scene.call("object.get", context=SANDBOX, **params)
        assert caught.value.fault.code == code


async def test_a_cluster_that_goes_leaves_its_data_and_comes_back(scene: Scene) -> None:
    await scene.use()
    schedules, overview = f"schedules/{SANDBOX}", f"overview/{SANDBOX}"
    await scene.follow(schedules, overview, until=lambda t: t.state(overview).state == "ready")
    scene.down.set()
    topics = await scene.follow(
        schedules, overview, "contexts", until=lambda t: t.state(schedules).state == t.state(overview).state == "stale"
    )
    assert len(topics.state(schedules).records) == 5
    assert topics.state(schedules).as_of
    assert topics.state(schedules).reason
    assert topics.state("contexts").records[SANDBOX].state == "stale"
    scene.down.clear()
    await scene.follow(
        schedules,
        overview,
        "contexts",
        until=lambda t: (
            t.state(schedules).state == t.state(overview).state == "ready"
            and t.state("contexts").records[SANDBOX].state == "ready"
        ),
    )


async def test_a_tampered_plan_is_refused(scene: Scene) -> None:
    await scene.use()
    params = {"kind": "velero.backup", "context": SANDBOX, "params": {"namespaces": ["shop"]}}
    plan = await scene.client.call("plan.make", params, Plan)
    other = msgspec.structs.replace(plan, target="something-else")
    with pytest.raises(LinkFault) as caught:
        await scene.call("operation.start", plan=msgspec.to_builtins(other), digest=plan.digest(), confirm="")
    assert caught.value.fault.code == "refused"
    assert scene.house.runner.open == ()


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("plan.make", {"kind": 7}),
        ("pull", {"known": {"contexts": "x"}}),
        ("pull", {"known": {f"t{n}": 0 for n in range(1000)}}),
        ("operation.get", {}),
        ("no.such", {}),
        ("context.arm", {"context": "x", "minutes": "many"}),
        ("operation.start", {"plan": {}, "digest": ""}),
    ],
)
async def test_nonsense_is_answered_as_usage(scene: Scene, method: str, params: dict[str, Any]) -> None:
    with pytest.raises(LinkFault) as caught:
        await scene.call(method, **params)
    assert caught.value.fault.code == "usage"


async def test_a_newer_pull_ends_the_older(scene: Scene) -> None:
    [update] = (await scene.call("pull", known={"contexts": 0}, wait=0))["updates"]
    old = asyncio.create_task(scene.call("pull", known={"contexts": update["version"]}, wait=20))
    await asyncio.sleep(0.02)
    new = asyncio.create_task(scene.call("pull", known={"contexts": update["version"]}, wait=20))
    assert (await asyncio.wait_for(old, 60))["updates"] == []
    assert not new.done()
    new.cancel()
    await asyncio.gather(new, return_exceptions=True)


async def test_stopping_is_refused_with_an_operation_open_and_names_it(scene: Scene) -> None:
    await scene.use()
    begun = await scene.backup()
    with pytest.raises(LinkFault) as caught:
        await scene.call("engine.stop", park=False)
    assert begun.id in caught.value.fault.what
    assert not scene.ended.is_set()
    await scene.call("engine.stop", park=True)
    await asyncio.wait_for(scene.ended.wait(), 60)
    assert (await scene.house.runner.get(begun.id)).state.value in ("parked", "done", "left changed")


async def test_what_was_open_is_taken_up_before_anybody_is_listened_to(
    tmp_path: Path, cluster: SandboxCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one that is recovered would be refused, or begun a second time, to whoever asks at once; and a policy that
    is stored would not be known."""
    recover, load, listening = Runner.recover, Timetable.load, list[bool]()
    socket = StateRoot(True, env={"LAZARUS_STATE": str(tmp_path / "state")}).socket

    async def seen(runner: Runner) -> list[Operation]:
        listening.append(socket.exists())
        return await recover(runner)

    async def loaded(timetable: Timetable) -> None:
        listening.append(socket.exists())
        await load(timetable)

    monkeypatch.setattr(Runner, "recover", seen)
    monkeypatch.setattr(Timetable, "load", loaded)
    async with Scene(tmp_path, cluster, sandbox=True):
        listening.append(socket.exists())
    assert listening == [False, False, True]


async def test_an_engine_that_was_told_to_stop_stops_though_whoever_said_so_has_gone(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    close, begun, go = scene.house.runner.close, asyncio.Event(), asyncio.Event()

    async def slowly(**how: bool) -> None:
        begun.set()
        await go.wait()
        await close(**how)

    monkeypatch.setattr(scene.house.runner, "close", slowly)
    client = await Client.connect(scene.socket, kubeconfig=str(scene.kubeconfig))
    peers = len(scene.house.server.peers)
    asking = asyncio.create_task(client.call("engine.stop", {"park": True}, dict[str, Any]))
    await begun.wait()
    await client.close()
    await asyncio.gather(asking, return_exceptions=True)
    while len(scene.house.server.peers) == peers:
        await asyncio.sleep(0.001)
    go.set()
    await asyncio.wait_for(scene.ended.wait(), 60)


async def test_the_doctor_finds_what_is_wrong(scene: Scene) -> None:
    found = await scene.call("doctor", context=None)
    checks = {check["check"] for check in found}
    assert {
        "engine",
        "python",
        "disk",
        "journal",
        "kubeconfig",
        "api",
        "clock",
        "velero",
        "storage",
        "rights",
    } <= checks
    assert [check for check in found if check["severity"] == "error" and check["check"] == "storage"]
    [engine] = [check for check in found if check["check"] == "engine"]
    assert (engine["severity"], engine["what"].startswith("all ")) == ("info", True)
    assert "sesame" not in str(found)


async def test_the_doctor_says_that_an_api_is_gone(scene: Scene) -> None:
    scene.cluster.server.stop()

    async def unreachable(context: Any) -> Cluster:
        raise ConnectionRefusedError(111, "Connection refused")

    scene.house.contexts._open = unreachable
    found = await scene.call("doctor", context=None)
    assert found[-1]["severity"] == "error"
    assert "Connection refused" in found[-1]["what"]


async def test_a_command_reads_the_same_over_its_own_client(scene: Scene) -> None:
    def work() -> tuple[ContextRow, Any]:
        with SyncClient.connect(scene.socket, kubeconfig=str(scene.kubeconfig)) as client:
            return client.call("context.use", {"context": None}, ContextRow), client.call("stats", {}, dict[str, Any])

    before, late, over = scene.house.heartbeat.worst, [0.0], threading.Event()

    def beside() -> None:
        """How much later than it wanted the machine lets somebody else of this process go on, in seconds."""
        while not over.is_set():
            began = time.monotonic()
            over.wait(0.1)
            late[0] = max(late[0], time.monotonic() - began - 0.1)

    with ThreadPoolExecutor(1) as others:
        others.submit(beside)
        row, stats = await asyncio.to_thread(work)
        over.set()
    assert row.state == "ready"
    assert stats["loop_lag_max_ms"] < max(before * 1000, 5000 + late[0] * 1000) + 0.1
    assert stats["contexts"] == {SANDBOX: "ready"}
    assert round(before * 1000, 1) <= stats["loop_lag_max_ms"] <= round(scene.house.heartbeat.worst * 1000, 1)
