"""Port-forward and the proxies, over a scripted kubelet and real loopback connections."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest

from lazarus_tui.model.resources import ENDPOINTS
from lazarus_tui.sandbox.runtime import RuntimeRefused

from .conftest import World
from .scripted_kubelet import PODS, V4, Kubelet, frames, request


async def _serve(handler: Any) -> asyncio.Server:
    return await asyncio.start_server(handler, "127.0.0.1", 0)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100):
        writer.write(data.upper())
        await writer.drain()
        if data.endswith(b"end"):
            break
    writer.close()
    await writer.wait_closed()


async def test_port_forward_relays_both_ways(world: World, kubelet: Kubelet) -> None:
    server = await _serve(_echo)
    kubelet.port = server.sockets[0].getsockname()[1]
    async with server:
        wanted = request(f"{PODS}/a/portforward", ("ports", "8080"))
        async with world.transport.websocket(wanted, (V4,)) as socket:
            assert await socket.receive() == b"\x00" + struct.pack("<H", 8080)
            assert await socket.receive() == b"\x01" + struct.pack("<H", 8080)
            await socket.send(b"\x00hello")
            assert await socket.receive() == b"\x00HELLO"
            await socket.send(b"\x00the end")
            assert await frames(socket) == [b"\x00THE END"]
    assert kubelet.asked == [("a", 8080)]


async def test_a_port_nobody_listens_on(world: World, kubelet: Kubelet) -> None:
    kubelet.refusal = RuntimeRefused(500, "", "connection refused")
    async with world.transport.websocket(request(f"{PODS}/a/portforward", ("ports", "81")), (V4,)) as socket:
        found = await frames(socket)
    uid = (await world.call("GET", f"{PODS}/a")).body["metadata"]["uid"]
    assert found[2] == f"\x01error forwarding port 81 to pod a, uid {uid}: connection refused".encode()


def _http(answer: bytes, seen: list[bytes]) -> Any:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(one.split(b":")[1]) for one in head.split(b"\r\n") if one.startswith(b"Content-Length")), 0)
        seen.append(head + await reader.readexactly(length))
        writer.write(answer)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    return handle


async def _service(world: World) -> None:
    ports = [{"name": "http", "port": 8080, "targetPort": 80}]
    service = {"metadata": {"name": "web"}, "spec": {"ports": ports, "selector": {"app": "web"}}}
    await world.call("POST", "/api/v1/namespaces/default/services", service)
    address = {"ip": "127.42.0.1", "targetRef": {"kind": "Pod", "name": "a"}}
    subset = {"addresses": [address], "ports": [{"name": "http", "port": 80}]}
    world.api.create(ENDPOINTS, {"metadata": {"name": "web"}, "subsets": [subset]}, "default")


PROXY = "/api/v1/namespaces/default/services/{}/proxy/stats"


@pytest.mark.parametrize("target", ["web", "web:8080", "web:http", "http:web:8080"])
@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello", 200, b"hello"),
        (b"HTTP/1.1 500 Oops\r\n\r\nuntil the end", 500, b"until the end"),
        (b"HTTP/1.1 201 C\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", 201, b"abcde"),
        (b"HTTP/1.1 204 No\r\n\r\n", 204, b""),
    ],
)
async def test_service_proxy(
    world: World, kubelet: Kubelet, target: str, answer: bytes, status: int, body: bytes
) -> None:
    seen: list[bytes] = []
    server = await _serve(_http(answer, seen))
    kubelet.port = server.sockets[0].getsockname()[1]
    await _service(world)
    async with server:
        reply = await world.call("GET", PROXY.format(target), headers={"x-mine": "1"}, q="a b")
    assert (reply.status, reply.raw) == (status, body)
    assert seen[0].startswith(b"GET /stats?q=a+b HTTP/1.1\r\n")
    assert b"x-mine: 1" in seen[0]
    assert b"uthorization" not in seen[0]
    assert kubelet.asked == [("a", 80)]


async def test_proxied_bodies_and_pods(world: World, kubelet: Kubelet) -> None:
    seen: list[bytes] = []
    server = await _serve(_http(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", seen))
    kubelet.port = server.sockets[0].getsockname()[1]
    async with server:
        reply = await world.call("POST", f"{PODS}/a:9000/proxy/orders", {"n": 1})
    assert reply.status == 200
    assert seen[0].endswith(b'\r\n\r\n{"n": 1}')
    assert kubelet.asked == [("a", 9000)]


@pytest.mark.parametrize(("target", "status"), [("none", 404), ("web:9", 503), ("https:web:8080", 400)])
async def test_proxy_targets_that_are_none(world: World, kubelet: Kubelet, target: str, status: int) -> None:
    await _service(world)
    assert (await world.call("GET", PROXY.format(target))).status == status


async def test_no_endpoints_and_no_answer(world: World, kubelet: Kubelet) -> None:
    await _service(world)
    kubelet.refusal = RuntimeRefused(503, "ServiceUnavailable", "dial tcp 127.42.0.1:80: connect: connection refused")
    told = (await world.call("GET", PROXY.format("web"))).body["message"]
    assert told == "error trying to reach service: dial tcp 127.42.0.1:80: connect: connection refused"
    kubelet.refusal = RuntimeRefused(400, "BadRequest", "no such pod")
    assert (await world.call("GET", PROXY.format("web"))).body["message"] == "no such pod"
    kubelet.refusal = None
    server = await _serve(_http(b"", []))
    kubelet.port = server.sockets[0].getsockname()[1]
    async with server:
        reply = await world.call("GET", PROXY.format("web"))
    assert (reply.status, reply.reason) == (503, "ServiceUnavailable")
    world.api.patch(ENDPOINTS, "web", {"subsets": None}, "default")
    reply = await world.call("GET", PROXY.format("web"))
    assert reply.body["message"] == 'no endpoints available for service "web"'
