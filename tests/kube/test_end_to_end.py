"""The whole way: the sandbox's kubeconfig, TLS with its own authority, its token, and every kind of request."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sandbox_world import Config, World, config

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.contexts import load_kubeconfig
from lazarus_tui.kube.errors import AuthError, Conflict, KubeError, NotFound, NotSent
from lazarus_tui.kube.retry import ONCE
from lazarus_tui.kube.watch import follow
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.sandbox.api.http import Serving, serve
from lazarus_tui.sandbox.api.kubeconfig import kubeconfig


@dataclass
class Wired:
    world: World
    serving: Serving
    cluster: Cluster
    config: Path


@asynccontextmanager
async def opened(file: Path) -> AsyncIterator[Cluster]:
    context = load_kubeconfig([file]).context()
    async with await Cluster.open(context) as cluster:
        cluster.policy = ONCE
        yield cluster


@pytest.fixture
async def wired(tmp_path: Path) -> AsyncIterator[Wired]:
    world = World()
    serving = await serve(world.server, tmp_path / "pki")
    file = tmp_path / "config"
    file.touch(mode=0o600)
    file.write_text(kubeconfig(serving.url, serving.ca_pem, "secret"))
    async with opened(file) as cluster:
        yield Wired(world, serving, cluster, file)
    await serving.close()
    await world.close()


async def test_the_sandboxs_kubeconfig_is_read_without_a_complaint(wired: Wired) -> None:
    found = load_kubeconfig([wired.config])
    assert (found.current, found.errors, found.warnings) == ("lazarus-sandbox", (), ())
    assert found.context().warnings == ()
    assert wired.cluster.context == "lazarus-sandbox"


async def test_objects_and_preconditions_over_the_wire(wired: Wired) -> None:
    cluster = wired.cluster
    made = await cluster.create(CONFIGMAPS, config("a", x="ä"), "shop")
    with pytest.raises(Conflict):
        await cluster.delete(CONFIGMAPS, "a", "shop", uid="another")
    found = await cluster.get(CONFIGMAPS, "a", "shop", type=Config)
    assert found is not None
    assert found.data == {"x": "ä"}
    await cluster.delete(CONFIGMAPS, "a", "shop", uid=made["metadata"]["uid"])
    assert await cluster.get(CONFIGMAPS, "a", "shop", type=Config) is None
    assert len(await cluster.cluster_uid()) == 36


async def test_a_follower_over_the_wire(wired: Wired) -> None:
    wired.world.api.create(CONFIGMAPS, config("a"), "shop")
    seen: set[str] = set()
    async with asyncio.timeout(60), aclosing(follow(wired.cluster, CONFIGMAPS, "shop", type=Config)) as batches:
        async for batch in batches:
            seen |= {item.metadata.name for item in batch.items}
            if batch.kind == "events" and "b" not in seen:
                wired.world.api.create(CONFIGMAPS, config("b"), "shop")
            if "b" in seen:
                break
    assert seen == {"a", "b"}


async def test_logs_exec_and_port_forward_over_the_wire(wired: Wired) -> None:
    cluster = wired.cluster
    wired.world.running_pod("web-0")
    await wired.world.runtime.listen()
    assert b"".join([chunk async for chunk in cluster.logs("shop", "web-0")]) == b"one\ntwo\nthree\n"
    found = await cluster.exec("shop", "web-0", "app", ["cat", "a"], stdin=b"x" * 300_000)
    assert (found.exit_code, len(found.stdout), found.stderr) == (1, 300_000, b"done")
    async with cluster.forward("shop", "web-0", 7) as (reader, writer):
        writer.write(b"hello" * 50_000)
        await writer.drain()
        assert await asyncio.wait_for(reader.readexactly(250_000), 60) == b"hello" * 50_000
    with pytest.raises(KubeError, match="bash is not in the catalogue"):
        await cluster.exec("shop", "web-0", "app", ["bash"])
    with pytest.raises(NotFound):
        await cluster.exec("shop", "missing", "app", ["true"])


async def test_a_kubeconfig_with_a_wrong_token_and_a_server_that_has_gone(wired: Wired, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text(wired.config.read_text().replace("secret", "guessed"))
    async with opened(wrong) as cluster:
        with pytest.raises(AuthError) as caught:
            await cluster.cluster_uid()
        assert "guessed" not in f"{caught.value!r}{caught.value}"
    await wired.serving.close()
    async with opened(wired.config) as cluster:
        with pytest.raises(NotSent):
            await cluster.version()
