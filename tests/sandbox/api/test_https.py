"""The HTTPS front end with a real client: TLS, streams, upgrades, refusals."""

from __future__ import annotations

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import yaml
from aiohttp import web

from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.sandbox.api.http import Serving, serve
from lazarus_tui.sandbox.api.kubeconfig import kubeconfig
from lazarus_tui.sandbox.api.pki import authority_pem, load_authority

from .conftest import World, config_map, pod
from .scripted_kubelet import V5, Cat, Kubelet

CM = "/api/v1/namespaces/default/configmaps"
AUTH = {"Authorization": "Bearer secret"}


@pytest.fixture
async def serving(worlds: object, tmp_path: Path) -> AsyncIterator[Serving]:
    world: World = worlds(token="secret")  # type: ignore[operator]
    served = await serve(world.server, tmp_path / "pki")
    yield served
    await served.close()


@pytest.fixture
async def client(serving: Serving) -> AsyncIterator[aiohttp.ClientSession]:
    context = ssl.create_default_context(cadata=serving.ca_pem.decode())
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(serving.url, connector=connector, headers=AUTH) as session:
        yield session
    await asyncio.sleep(0)


async def test_objects_over_tls(client: aiohttp.ClientSession) -> None:
    async with client.post(CM, json=config_map("a")) as made:
        assert made.status == 201
    async with client.get(f"{CM}/a") as found:
        assert (await found.json())["metadata"]["name"] == "a"
        assert found.headers["content-type"] == "application/json"
    async with client.get("/api/v1/namespaces", headers={"Authorization": "Bearer no"}) as refused:
        assert refused.status == 401


async def test_a_watch_streams_and_ends_with_the_server(client: aiohttp.ClientSession, serving: Serving) -> None:
    async with client.get(CM, params={"watch": "true"}) as stream:
        async with client.post(CM, json=config_map("a")) as made:
            assert made.status == 201
        event = json.loads(await stream.content.readline())
        assert (event["type"], event["object"]["metadata"]["name"]) == ("ADDED", "a")
        serving.server.stop()
        assert await stream.content.read() == b""


async def test_a_client_that_leaves_frees_its_watch(client: aiohttp.ClientSession, serving: Serving) -> None:
    stream = await client.get(CM, params={"watch": "true"})
    async with client.post(CM, json=config_map("a")):
        await stream.content.readline()
    assert any(serving.server.store._watchers.values())
    stream.close()
    for _ in range(12_000):
        if not any(serving.server.store._watchers.values()):
            break
        await asyncio.sleep(0.005)
    assert not any(serving.server.store._watchers.values())


async def test_exec_over_a_real_websocket(client: aiohttp.ClientSession, serving: Serving) -> None:
    kubelet = Kubelet(session=Cat(4, lines=[(1, b"hello")]))
    serving.server.runtime = kubelet
    async with client.post("/api/v1/namespaces/default/pods", json=pod("a", node="n1")):
        pass
    path = "/api/v1/namespaces/default/pods/a/exec"
    async with client.ws_connect(path, params={"command": "ls"}, protocols=(V5,)) as socket:
        assert socket.protocol == V5
        frames = [message.data async for message in socket]
    assert frames[0] == b"\x01hello"
    assert json.loads(frames[1][1:])["details"]["causes"][0]["message"] == "4"
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await client.ws_connect(path.replace("/a/", "/none/"), params={"command": "ls"}, protocols=(V5,))
    assert caught.value.status == 404


async def test_logs_over_tls(client: aiohttp.ClientSession, serving: Serving) -> None:
    kubelet = Kubelet()
    serving.server.runtime = kubelet
    async with client.post("/api/v1/namespaces/default/pods", json=pod("a", node="n1")):
        pass
    async with client.get("/api/v1/namespaces/default/pods/a/log", params={"follow": "true"}) as stream:
        assert stream.status == 200
        kubelet.gate.set()
        assert await stream.read() == b"one\ntwo\n"


async def test_other_host_names_are_refused(client: aiohttp.ClientSession) -> None:
    async with client.get("/version", headers={"Host": "evil.example.com:443"}) as reply:
        assert reply.status == 403
    async with client.get("/version", headers={"Host": "localhost:1"}) as reply:
        assert reply.status == 200


async def test_bodies_over_the_limit(client: aiohttp.ClientSession) -> None:
    headers = {"Content-Type": "application/json"}
    async with client.post(CM, data=io.BytesIO(b"x" * (3 * 1024 * 1024 + 10)), headers=headers) as reply:
        assert reply.status == 413


async def test_a_long_command_line_fits(client: aiohttp.ClientSession) -> None:
    async with client.get(CM, params={"labelSelector": ",".join(f"k{n}" for n in range(8000))}) as reply:
        assert reply.status == 200


async def test_faults_come_through_the_seam(client: aiohttp.ClientSession, serving: Serving) -> None:
    faults: list[HttpResponse | OSError] = [
        HttpResponse(429, {"retry-after": "1"}, b"{}"),
        HttpResponse(500, {}, b"oops"),
        ConnectionResetError("cut"),
    ]

    async def fail(request: HttpRequest) -> HttpResponse | None:
        fault = faults.pop(0) if faults else None
        if isinstance(fault, OSError):
            raise fault
        return fault

    serving.server.interceptor = fail
    async with client.get(CM) as reply:
        assert (reply.status, reply.headers["retry-after"]) == (429, "1")
    async with client.get(CM) as reply:
        assert (reply.status, await reply.read()) == (500, b"oops")
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.post(CM, json=config_map("a"))
    async with client.get(f"{CM}/a") as reply:
        assert reply.status == 404


def test_the_authority_stays(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    first = authority_pem(load_authority(folder))
    assert authority_pem(load_authority(folder)) == first
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert authority_pem(load_authority(tmp_path / "other")) != first


def test_the_kubeconfig_leads_here() -> None:
    document = yaml.safe_load(kubeconfig("https://127.0.0.1:6443", b"PEM", "secret"))
    assert document["current-context"] == "lazarus-sandbox"
    assert document["clusters"][0]["cluster"] == {
        "server": "https://127.0.0.1:6443",
        "certificate-authority-data": "UEVN",
    }
    assert document["users"][0] == {"name": "lazarus-admin", "user": {"token": "secret"}}


async def test_a_websocket_through_the_proxy(client: aiohttp.ClientSession, serving: Serving) -> None:
    """What a pod upgrades passes untouched: its subprotocol, large messages both ways, and the end."""
    runtime, asked = Kubelet(), list[web.BaseRequest]()

    async def talk(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request)
        if "plain" in request.path:
            return web.Response(status=426, text="upgrade, please")
        socket = web.WebSocketResponse(protocols=("chat",), max_msg_size=1 << 23)
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(message.data[::-1])
            if message.data == b"end":
                break
        await socket.close(code=4001)
        return socket

    backend = web.ServerRunner(web.Server(talk))
    await backend.setup()
    site = web.TCPSite(backend, "127.0.0.1", 0)
    await site.start()
    runtime.port = backend.addresses[0][1]
    serving.server.runtime = runtime
    async with client.post("/api/v1/namespaces/default/pods", json=pod("a", node="n1")) as made:
        assert made.status == 201
    base = "/api/v1/namespaces/default/pods/a:80/proxy"
    async with client.ws_connect(f"{base}/chat?room=1", protocols=("chat",), max_msg_size=1 << 23) as socket:
        assert socket.protocol == "chat"
        for data in (b"abc", bytes(range(256)) * 12_000, b"end"):
            await socket.send_bytes(data)
            assert (await socket.receive(60)).data == data[::-1]
        last = await socket.receive(60)
        assert (last.type, last.data) == (aiohttp.WSMsgType.CLOSE, 4001)
    assert (asked[0].path, asked[0].query["room"], "Authorization" in asked[0].headers) == ("/chat", "1", False)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect(f"{base}/plain")
    assert refused.value.status == 426
    async with client.get("/healthz") as alive:
        assert alive.status == 200
    await backend.cleanup()
