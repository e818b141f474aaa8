"""Contexts: nothing is used that nobody named, nothing is written that nobody armed, a lost cluster keeps its data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.engine.contexts import Connection, Contexts, Identity
from lazarus_tui.engine.hub import Hub
from lazarus_tui.kube.contexts import Context, Kubeconfig
from lazarus_tui.kube.errors import ConfigError, NotSent, Unreachable
from lazarus_tui.kube.kubeconfig import ClusterEntry, UserEntry
from lazarus_tui.link.codec import LinkFault
from lazarus_tui.sandbox.clock import VirtualClock
from tests.engine.fakes import look


def context(name: str, server: str = "", refusal: str = "") -> Context:
    return Context(
        name, ClusterEntry(f"{name}-cluster", server or f"https://{name}:6443"), UserEntry("me"), "", refusal
    )


LOCAL = "https://127.0.0.1:6443"


class FakeCluster:
    """A connection that can be closed; what it answers is the scene's business."""

    def __init__(self, name: str) -> None:
        self.context, self.closed = name, False

    async def close(self) -> None:
        self.closed = True


class Scene:
    """Contexts over a kubeconfig and clusters that a test changes at will."""

    def __init__(self, *, sandbox: bool = False) -> None:
        self.clock = VirtualClock()
        self.hub = Hub(self.clock)
        self.files = Kubeconfig({"prod": context("prod"), "lab": context("lab")}, "prod")
        self.answers: dict[str, Identity | Exception] = {}
        self.busy: set[str] = set()
        self.told: list[tuple[str, bool]] = []
        self.opened: list[FakeCluster] = []
        self.following = 0
        self.contexts = Contexts(
            self.hub,
            self.clock,
            load=lambda path: self.files,
            open=self.open,
            identify=self.identify,
            follow=self.follow,
            busy=self.busy.__contains__,
            armed=lambda name, writable: self.told.append((name, writable)),
            sandbox=sandbox,
        )
        self.contexts.read("/home/me/.kube/config")

    async def open(self, context: Context) -> Any:
        self.opened.append(FakeCluster(context.name))
        return self.opened[-1]

    async def identify(self, cluster: Any) -> Identity:
        answer = self.answers.get(cluster.context, Identity(f"uid-{cluster.context}", "v1.30.0", ("velero",), "velero"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def follow(self, connection: Connection) -> Any:
        scene = self

        class Forever:
            async def run(self) -> None:
                scene.following += 1
                try:
                    await asyncio.Event().wait()
                finally:
                    scene.following -= 1

        return Forever()

    async def row(self, name: str) -> dict[str, Any]:
        await self.clock.advance(0.2)
        _, rows = await look(self.hub, "contexts")
        return dict(rows[name])

    async def close(self) -> None:
        await self.contexts.close()
        await self.hub.stop()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    await scene.close()


async def test_the_list_is_shown_before_anything_is_connected(scene: Scene) -> None:
    row = await scene.row("prod")
    assert (row["state"], row["current"], row["server"], row["write_until"]) == (
        "unknown",
        True,
        "https://prod:6443",
        "",
    )
    assert scene.opened == []


async def test_using_a_context_connects_it_once(scene: Scene) -> None:
    first = await scene.contexts.use("lab")
    again = await scene.contexts.use("lab")
    assert first == again
    assert (first.state, first.cluster_uid, first.velero_namespace) == ("ready", "uid-lab", "velero")
    assert len(scene.opened) == 1
    assert (await scene.row("lab"))["state"] == "ready"
    assert scene.following == 1


async def test_no_name_means_the_current_one_and_only_if_it_is_certain(scene: Scene) -> None:
    assert (await scene.contexts.use(None)).name == "prod"
    scene.files = Kubeconfig(scene.files.contexts, "", ("/x: cannot be read",))
    with pytest.raises(LinkFault) as caught:
        await scene.contexts.use(None)
    assert "--context" in caught.value.fault.hint
    assert "lab" in caught.value.fault.hint


async def test_a_file_that_changes_moves_no_connection(scene: Scene) -> None:
    await scene.contexts.use("prod")
    scene.files = Kubeconfig({"prod": context("prod", "https://evil:6443"), "lab": context("lab")}, "lab")
    scene.contexts.read(scene.contexts.kubeconfig)
    assert (await scene.row("prod"))["server"] == "https://prod:6443"
    assert len(scene.opened) == 1
    # Asking for it by name is a choice: then the file counts.
    assert (await scene.contexts.use("prod")).server == "https://evil:6443"
    assert scene.opened[0].closed


async def test_a_context_is_not_moved_under_an_open_operation(scene: Scene) -> None:
    await scene.contexts.use("prod")
    scene.files = Kubeconfig({"prod": context("prod", "https://other:6443")}, "prod")
    scene.busy.add("prod")
    with pytest.raises(LinkFault, match="an operation of it is open"):
        await scene.contexts.use("prod")
    assert not scene.opened[0].closed


async def test_a_new_token_is_no_move(scene: Scene) -> None:
    """An open operation keeps its connection, which finds the token by itself; without one the file counts."""
    await scene.contexts.use("prod")
    changed = replace(context("prod"), user=UserEntry("me", token="new"))
    scene.files = Kubeconfig({"prod": changed}, "prod")
    scene.busy.add("prod")
    await scene.contexts.use("prod")
    assert len(scene.opened) == 1
    scene.busy.clear()
    await scene.contexts.use("prod")
    assert len(scene.opened) == 2


async def test_an_unknown_context_is_refused_with_the_known_ones(scene: Scene) -> None:
    with pytest.raises(LinkFault) as caught:
        await scene.contexts.use("pord")
    assert caught.value.fault.code == "not-found"
    assert "lab, prod" in caught.value.fault.hint


async def test_a_refused_context_says_why(scene: Scene) -> None:
    scene.files = Kubeconfig({"old": context("old", refusal="auth-provider gcp is not supported")}, "old")
    row = await scene.contexts.use("old")
    assert row.state == "failed"
    assert "auth-provider gcp" in row.reason
    assert row.hint


async def test_a_cluster_that_does_not_answer_is_tried_again(scene: Scene) -> None:
    scene.answers["prod"] = Unreachable("connection reset")
    row = await scene.contexts.use("prod")
    assert (row.state, row.reason) == ("failed", "connection reset")
    with pytest.raises(NotSent):
        await scene.contexts.cluster_for("prod")
    with pytest.raises(LinkFault, match="connection reset"):
        scene.contexts.reader("prod")
    del scene.answers["prod"]
    await scene.clock.advance(5)
    assert (await scene.row("prod"))["state"] == "ready"
    assert scene.contexts.reader("prod") is scene.opened[0]


async def test_what_the_engine_takes_for_itself_is_not_the_clusters_silence(scene: Scene) -> None:
    loop, identify = asyncio.get_running_loop(), scene.contexts._identify
    now = loop.time()

    async def late(cluster: Any) -> Identity:
        nonlocal now
        now += 60.0  # a machine with much else to do, while the client is loaded
        for _ in range(6):
            await asyncio.sleep(0)
        return await identify(cluster)

    scene.contexts._identify = late
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "time", lambda: now)
        assert (await scene.contexts.use("lab")).state == "ready"


async def test_operations_connect_what_they_need(scene: Scene) -> None:
    assert await scene.contexts.cluster_for("lab") is scene.opened[0]
    with pytest.raises(ConfigError, match="no context nowhere"):
        await scene.contexts.cluster_for("nowhere")


async def test_another_cluster_behind_the_same_name_is_not_believed(scene: Scene) -> None:
    await scene.contexts.use("prod")
    connection = scene.contexts.in_use["prod"]
    with pytest.raises(LinkFault, match="another cluster answers"):
        scene.contexts._identified(connection, Identity("uid-other"))
    assert connection.row.cluster_uid == "uid-prod"


async def test_the_mirror_says_when_the_cluster_is_gone_and_back(scene: Scene) -> None:
    await scene.contexts.use("prod")
    connection = scene.contexts.in_use["prod"]
    scene.contexts.heard(connection, reason="connection reset", hint="check the VPN")
    row = await scene.row("prod")
    assert (row["state"], row["reason"], row["hint"]) == ("stale", "connection reset", "check the VPN")
    scene.contexts.heard(connection)
    assert (await scene.row("prod"))["state"] == "ready"


async def test_a_context_is_read_only_until_armed_and_only_so_long(scene: Scene) -> None:
    await scene.contexts.use("prod")
    assert not scene.contexts.writable("prod")
    row = await scene.contexts.arm("prod", 15)
    assert row.write_until == "2026-01-01T00:15:00Z"
    assert scene.contexts.writable("prod")
    assert not scene.contexts.writable("lab")
    await scene.clock.advance(14 * 60)
    assert scene.contexts.writable("prod")
    await scene.clock.advance(61)
    assert not scene.contexts.writable("prod")
    assert (await scene.row("prod"))["write_until"] == ""
    assert scene.told == [("prod", True), ("prod", False)]


async def test_arming_again_prolongs_and_zero_takes_it_back(scene: Scene) -> None:
    await scene.contexts.use("prod")
    await scene.contexts.arm("prod", 5)
    await scene.clock.advance(240)
    await scene.contexts.arm("prod", 5)
    await scene.clock.advance(120)
    assert scene.contexts.writable("prod")
    assert (await scene.row("prod"))["write_until"] != ""
    assert scene.told == [("prod", True), ("prod", True)]
    await scene.contexts.arm("prod", 0)
    assert not scene.contexts.writable("prod")
    assert scene.told[2:] == [("prod", False)]
    await scene.clock.advance(3600)
    assert len(scene.told) == 3, "what was taken back does not run out as well"


@pytest.mark.parametrize("minutes", [-1, 61, float("nan"), float("inf")])
async def test_arming_is_for_minutes_only(scene: Scene, minutes: float) -> None:
    await scene.contexts.use("prod")
    with pytest.raises(LinkFault, match="minutes must be"):
        await scene.contexts.arm("prod", minutes)
    assert not scene.contexts.writable("prod")


async def test_only_the_sandbox_engine_believes_in_a_sandbox() -> None:
    for sandbox in (True, False):
        scene = Scene(sandbox=sandbox)
        scene.files = Kubeconfig(
            {"lazarus-sandbox": context("lazarus-sandbox", LOCAL), "prod": context("prod")}, "prod"
        )
        row = await scene.contexts.use("lazarus-sandbox")
        assert row.sandbox is sandbox
        assert scene.contexts.writable("lazarus-sandbox") is sandbox
        assert not scene.contexts.writable("prod")
        assert row.write_until == ("always" if sandbox else "")
        await scene.close()


async def test_a_cluster_elsewhere_is_no_sandbox_whatever_its_name() -> None:
    scene = Scene(sandbox=True)
    scene.files = Kubeconfig({"lazarus-sandbox": context("lazarus-sandbox", "https://prod:6443")}, "lazarus-sandbox")
    assert not (await scene.contexts.use("lazarus-sandbox")).sandbox
    assert not scene.contexts.writable("lazarus-sandbox")
    await scene.close()


async def test_no_kubeconfig_is_a_first_screen_that_helps() -> None:
    scene = Scene()
    scene.files = Kubeconfig()
    scene.contexts.read("/nowhere/config")
    await scene.clock.advance(0.2)
    update, rows = await look(scene.hub, "contexts")
    assert (update.state, rows) == ("failed", {})
    assert "/nowhere/config" in update.reason
    assert "lazarus --sandbox" in update.hint
    await scene.close()


async def test_closing_ends_the_following_and_the_connections(scene: Scene) -> None:
    await scene.contexts.use("prod")
    await scene.clock.advance(0.2)
    await scene.contexts.close()
    assert scene.following == 0
    assert all(cluster.closed for cluster in scene.opened)


@pytest.mark.parametrize("there", [False, True])
async def test_without_any_context_the_sentence_names_the_files_and_the_next_step(tmp_path: Path, there: bool) -> None:
    scene, file = Scene(), tmp_path / "config"
    scene.files = Kubeconfig(paths=(str(file),))
    if there:
        file.write_text("{}")
    with pytest.raises(LinkFault) as caught:
        await scene.contexts.use(None)
    fault = caught.value.fault
    words = "the kubeconfig names no context" if there else "no kubeconfig was found"
    assert fault.what == f"{words} ({file})"
    assert fault.hint == "name one with --kubeconfig, or try: lazarus --sandbox"
    update, _ = await look(scene.hub, "contexts")
    assert (update.state, update.reason) == ("failed", fault.what)
    await scene.close()
