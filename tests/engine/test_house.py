"""The whole engine on the sandbox's own cluster in memory, asked over its real socket."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lazarus_tui.engine.house import House
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.link.client import Client, LinkFault, SyncClient, Topics
from lazarus_tui.model.clock import SystemClock
from lazarus_tui.model.http import ByteStream, HttpRequest, HttpResponse
from lazarus_tui.model.objects import Backup
from lazarus_tui.model.operation import Operation
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.model.plan import Plan
from lazarus_tui.model.resources import BACKUPS, SECRETS
from lazarus_tui.model.topics import ContextRow
from lazarus_tui.sandbox.api.memory import MemoryTransport
from lazarus_tui.sandbox.clock import ScaledClock
from lazarus_tui.sandbox.cluster import SandboxCluster

SANDBOX = "lazarus-sandbox"
# Where the cluster in memory says it is; nothing listens there.
KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: {name}
contexts: [{{name: {name}, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "https://127.0.0.1:1"}}}}]
users: [{{name: u, user: {{token: sesame}}}}]
"""


class Cut:
    """A stream that breaks when its line does."""

    def __init__(self, inner: ByteStream, down: asyncio.Event) -> None:
        self.inner, self._down = inner, down
        self.status, self.headers = inner.status, inner.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        source = aiter(self.inner.chunks())
        broken = asyncio.create_task(self._down.wait())
        following: asyncio.Task[bytes | None] | None = None
        try:
            while True:
                following = asyncio.create_task(_next(source))
                await asyncio.wait({following, broken}, return_when=asyncio.FIRST_COMPLETED)
                if broken.done():
                    raise ConnectionResetError(104, "Connection reset by peer")
                chunk = following.result()
                if chunk is None:
                    return
                yield chunk
        finally:
            tasks = [task for task in (following, broken) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _next(source: AsyncIterator[bytes]) -> bytes | None:
    return await anext(source, None)


class Line:
    """The way to a cluster, which can be cut: requests are refused and open streams break."""

    def __init__(self, inner: MemoryTransport, down: asyncio.Event) -> None:
        self._inner, self._down = inner, down

    def _check(self) -> None:
        if self._down.is_set():
            raise ConnectionRefusedError(111, "Connection refused")

    async def send(self, request: HttpRequest) -> HttpResponse:
        self._check()
        return await self._inner.send(request)

    @contextlib.asynccontextmanager
    async def stream(self, request: HttpRequest) -> AsyncIterator[Cut]:
        self._check()
        async with self._inner.stream(request) as found:
            yield Cut(found, self._down)

    @contextlib.asynccontextmanager
    async def websocket(self, request: HttpRequest, subprotocols: tuple[str, ...]) -> AsyncIterator[Any]:
        self._check()
        async with self._inner.websocket(request, subprotocols) as found:
            yield found

    async def close(self) -> None:
        await self._inner.close()


class Scene:
    """One engine and one cluster; ``client`` is a console's link."""

    def __init__(self, folder: Path, cluster: SandboxCluster, sandbox: bool) -> None:
        self.folder, self.cluster, self.sandbox = folder, cluster, sandbox
        self.context = SANDBOX if sandbox else "prod"
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(KUBECONFIG.format(name=self.context))
        self.kubeconfig.chmod(0o600)
        self.ended, self.down = asyncio.Event(), asyncio.Event()

    async def __aenter__(self) -> Scene:
        root = StateRoot(self.sandbox, env={"LAZARUS_STATE": str(self.folder / "state")}).ensure()
        options = argparse.Namespace(
            root=root, sandbox=self.sandbox, kubeconfig=str(self.kubeconfig), context=None, stay=False
        )
        self.socket = root.socket
        self.house = await House.open(options, self.ended.set, connect=self.connect)
        await self.house.start()
        self.client = await Client.connect(root.socket, kubeconfig=str(self.kubeconfig))
        return self

    async def connect(self, context: Any) -> Cluster:
        line: Any = Line(self.cluster.transport(), self.down)
        return Cluster(line, context.name, SystemClock(), rng=lambda: 0.0)

    async def __aexit__(self, *_: object) -> None:
        await self.client.close()
        await self.house.close()

    async def call(self, method: str, **params: Any) -> Any:
        return await self.client.call(method, params, Any)

    async def use(self) -> ContextRow:
        return await self.client.call("context.use", {"context": None}, ContextRow)

    async def follow(self, *topics: str, until: Any) -> Topics:
        """Pull until ``until(topics)``; the follower has its own connection."""
        found = Topics(
            lambda: Client.connect(self.socket, kubeconfig=str(self.kubeconfig)),
            on_change=lambda names: None,
            interval=0.02,
        )
        found.want(topics)
        task = asyncio.create_task(found.run())
        try:
            async with asyncio.timeout(60):
                while not until(found):
                    await asyncio.sleep(0.01)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return found

    async def backup(self) -> Operation:
        params = {"kind": "velero.backup", "context": self.context, "params": {"namespaces": ["shop"], "name": "mine"}}
        plan = await self.client.call("plan.make", params, Plan)
        consent = {"plan": msgspec.to_builtins(plan), "digest": plan.digest(), "confirm": ""}
        return await self.client.call("operation.start", consent, Operation)


@contextlib.asynccontextmanager
async def running_cluster(folder: Path) -> AsyncIterator[SandboxCluster]:
    clock = SystemClock()
    cluster = SandboxCluster(folder, clock, velero_clock=ScaledClock(20), history=False)
    await cluster.start()
    try:
        await cluster.settle()
        yield cluster
    finally:
        await cluster.stop()


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[SandboxCluster]:
    async with running_cluster(tmp_path / "cluster") as cluster:
        yield cluster


@pytest.fixture
async def scene(tmp_path: Path, cluster: SandboxCluster) -> AsyncIterator[Scene]:
    async with Scene(tmp_path, cluster, sandbox=True) as scene:
        yield scene


@pytest.fixture
async def prod(tmp_path: Path, cluster: SandboxCluster) -> AsyncIterator[Scene]:
    async with Scene(tmp_path, cluster, sandbox=False) as scene:
        yield scene


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


async def test_the_doctor_finds_what_is_wrong(scene: Scene) -> None:
    found = await scene.call("doctor", context=None)
    checks = {check["check"] for check in found}
    assert {"python", "disk", "journal", "kubeconfig", "api", "clock", "velero", "storage", "rights"} <= checks
    assert [check for check in found if check["severity"] == "error" and check["check"] == "storage"]
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

    row, stats = await asyncio.to_thread(work)
    assert row.state == "ready"
    assert stats["contexts"] == {SANDBOX: "ready"}
    assert stats["loop_lag_max_ms"] < 5000


POLICY = """
apiVersion: lazarus.io/v1alpha1
kind: SnapshotPolicy
name: nightly
workload: shop/orders
schedule: "0 2 * * *"
"""


async def test_a_stored_schedule_keeps_its_engine_up_and_survives_it(scene: Scene, tmp_path: Path) -> None:
    await scene.use()
    with pytest.raises(LinkFault, match="no StatefulSet shop/nothing"):
        await scene.call("policy.apply", context=SANDBOX, text=POLICY.replace("orders", "nothing"))
    await scene.call("policy.apply", context=SANDBOX, text=POLICY)
    assert (await scene.call("stats"))["stays_for_schedules"] == []  # it may not write
    row = await scene.call("policy.apply", context=SANDBOX, text=POLICY, writes="schedules")
    assert row["next"].endswith("T02:00:00Z")
    assert (await scene.call("stats"))["stays_for_schedules"] == [f"{SANDBOX}: shop/nightly"]
    await scene.__aexit__()
    async with Scene(tmp_path, scene.cluster, sandbox=True) as again:
        async with asyncio.timeout(10):
            while not (await again.call("stats"))["stays_for_schedules"]:  # connected by itself
                await asyncio.sleep(0.01)
        await again.call("policy.delete", context=SANDBOX, name="nightly")
        assert await again.call("policy.list", context=SANDBOX) == []
