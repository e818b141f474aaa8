"""The real transport against loopback servers that behave badly."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from aiohttp import web
from kube_fakes import ManualClock
from wire_servers import connected, drained, raw, reply, serving

from lazarus_tui.kube import transport as transport_module
from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.contexts import Context
from lazarus_tui.kube.credentials import Credential
from lazarus_tui.kube.errors import (
    AuthError,
    NotSent,
    ServerFault,
    TimedOut,
    Unexpected,
    Unreachable,
)
from lazarus_tui.kube.kubeconfig import ClusterEntry, Impersonation, UserEntry
from lazarus_tui.kube.retry import ONCE
from lazarus_tui.kube.transport import ClientTransport
from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.objects import Pod
from lazarus_tui.model.resources import PODS


async def test_request_line_body_and_credentials_arrive_as_meant() -> None:
    seen: list[Any] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(
            (
                request.method,
                request.raw_path,
                request.headers.copy(),
                await request.read(),
            )
        )
        return reply({"kind": "Pod", "metadata": {"name": "a"}})

    act = Impersonation("jane", groups=("g1", "g2"))
    async with (
        serving(handler) as server,
        connected(server, UserEntry("u", token="CANARY", impersonate=act)) as cluster,
    ):
        await cluster.create(PODS, {"a": "ä"}, "ns")
        await cluster.request("GET", "/api/v1/pods/a:b", query=[("labelSelector", "a in (b,c)"), ("x", "1+1&=")])
    method, path, headers, body = seen[0]
    assert (method, path.partition("?")[0], json.loads(body)) == ("POST", "/api/v1/namespaces/ns/pods", {"a": "ä"})
    assert path.partition("?")[2].split("&") == ["fieldManager=lazarus", "fieldValidation=Strict"]
    assert headers["Authorization"] == "Bearer CANARY"
    assert headers["Content-Type"] == "application/json"
    assert headers["Impersonate-User"] == "jane"
    assert headers.getall("Impersonate-Group") == ["g1", "g2"]
    assert seen[1][1] == "/api/v1/pods/a:b?labelSelector=a%20in%20%28b%2Cc%29&x=1%2B1%26%3D"


async def test_a_hanging_server_ends_in_a_timeout() -> None:
    async def hang(request: web.BaseRequest) -> web.StreamResponse:
        if request.path != "/first":
            await asyncio.Event().wait()
        return reply({})

    async with serving(hang) as server, connected(server) as cluster, asyncio.timeout(60):
        await cluster.request("GET", "/first")  # so that the time is that of an answer, and none of a connection
        with pytest.raises(TimedOut, match=r"no answer within 0\.05 s"):
            await cluster.request("GET", "/x", timeout=0.05)


async def test_one_byte_now_and_then_does_not_defeat_the_timeout() -> None:
    async def drip(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/first":
            return reply({})
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.01)

    async with serving(drip) as server, connected(server) as cluster, asyncio.timeout(60):
        await cluster.request("GET", "/first")
        with pytest.raises(TimedOut):
            await cluster.request("GET", "/x", timeout=0.1)


async def test_nobody_listening_is_not_sent(unused_port: int) -> None:
    async with connected(f"http://127.0.0.1:{unused_port}") as cluster:
        with pytest.raises(NotSent, match=rf"cannot connect to 127.0.0.1:{unused_port}: Connection refused"):
            await cluster.create(PODS, {}, "ns")


async def test_an_unknown_host_is_not_sent() -> None:
    async with connected("https://nowhere.invalid:6443") as cluster:
        with pytest.raises(NotSent, match=r"cannot connect to nowhere.invalid:6443: \w+"):
            await cluster.create(PODS, {}, "ns")


@pytest.fixture
def unused_port() -> Iterator[int]:
    """One at which nobody listens and, for as long as it is held here, nobody else can."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
async def test_a_connection_cut_anywhere_is_ambiguous_for_a_write(text: bytes) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(text)
        await writer.drain()

    async with raw(cut) as server, connected(server) as cluster:
        with pytest.raises(Unreachable):
            await cluster.create(PODS, {}, "ns")


async def test_a_502_page_and_a_redirect_to_a_login_page_are_errors() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/bad":
            return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")
        return web.Response(status=302, headers={"Location": "https://login.example.com/?state=CANARY"})

    async with serving(handler) as server, connected(server) as cluster:
        with pytest.raises(ServerFault):
            await cluster.request("GET", "/bad")
        with pytest.raises(Unexpected) as caught:
            await cluster.request("GET", "/redirect")
        assert "CANARY" not in str(caught.value)


class Rotating:
    """Credentials that have something newer after a refusal, ``fresh`` times."""

    def __init__(self, fresh: int) -> None:
        self.number, self.fresh, self.refreshed = 1, fresh, 0

    async def get(self) -> Credential:
        return Credential(f"tok-{self.number}")

    async def refresh(self, refused: Credential) -> bool:
        self.refreshed += 1
        if self.fresh:
            self.fresh -= 1
            self.number += 1
            return True
        return False


async def rotating(server: str, fresh: int) -> tuple[Cluster, Rotating]:
    credentials = Rotating(fresh)
    transport = ClientTransport(Context("test", ClusterEntry("c", server)), credentials)
    return Cluster(transport, "test", ManualClock(), policy=ONCE), credentials


async def test_a_401_is_answered_once_with_a_fresh_credential() -> None:
    tokens: list[str] = []

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        tokens.append(request.headers["Authorization"])
        good = tokens[-1] == "Bearer tok-2"
        if not good:
            return reply({"kind": "Status", "code": 401, "message": "Unauthorized"}, 401)
        return reply({"kind": "Pod", "body": (await request.read()).decode()})

    async with serving(handler) as server:
        cluster, credentials = await rotating(server, 1)
        async with cluster:
            assert (await cluster.create(PODS, {"a": 1}, "ns"))["body"] == '{"a":1}'
            async with cluster.transport.stream(HttpRequest("GET", "/x")) as stream:
                assert stream.status == 200
        assert tokens == ["Bearer tok-1", "Bearer tok-2", "Bearer tok-2"]
        stubborn, credentials = await rotating(server, 0)
        async with stubborn:
            with pytest.raises(AuthError):
                await stubborn.create(PODS, {}, "ns")
        assert credentials.refreshed == 1


async def test_a_stream_gives_bytes_as_they_come_and_breaks_as_oserror() -> None:
    release = asyncio.Event()

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await writer.drain()
        await release.wait()
        writer.write(b"3\r\nt")
        await writer.drain()

    async with (
        raw(cut) as server,
        connected(server) as cluster,
        cluster.transport.stream(HttpRequest("GET", "/x", timeout=60)) as stream,
    ):
        chunks = stream.chunks()
        assert await anext(chunks) == b"one"
        release.set()
        with pytest.raises(ConnectionResetError):
            await drained(chunks)


async def test_a_silent_stream_times_out_by_silence_not_by_age() -> None:
    loop, more = asyncio.get_running_loop(), asyncio.Queue[None]()
    passed = [loop.time()]

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"tick")
            await more.get()

    async with serving(handler) as server, connected(server) as cluster:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "time", lambda: passed[0])  # however long the machine stops for
            async with cluster.transport.stream(HttpRequest("GET", "/x", timeout=1.0)) as stream:
                chunks = stream.chunks()
                for _ in range(8):
                    assert await anext(chunks) == b"tick"
                    passed[0] += 0.9
                    more.put_nowait(None)
                assert await anext(chunks) == b"tick"
                silence = asyncio.ensure_future(anext(chunks))
                await asyncio.sleep(0)
                passed[0] += 1.01
                with pytest.raises(TimeoutError):
                    await silence


async def test_time_for_which_this_process_was_held_up_is_not_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A WebSocket is opened although the machine stood still for longer than an answer may take."""
    loop, passed = asyncio.get_running_loop(), [0.0]
    now = loop.time
    monkeypatch.setattr(loop, "time", lambda: now() + passed[0])

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        passed[0] += 100  # below what the HTTP library itself allows for
        socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
        await socket.prepare(request)
        await socket.close()
        return socket

    async with serving(handler) as server, connected(server) as cluster:
        request = HttpRequest("GET", "/x", timeout=60)
        async with cluster.transport.websocket(request, ("v4.channel.k8s.io",)) as socket:
            assert await socket.receive() is None


async def test_a_5_mb_line_arrives_whole() -> None:
    text = b"x" * 5_000_000 + b"\n"

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=text)

    async with (
        serving(handler) as server,
        connected(server) as cluster,
        cluster.transport.stream(HttpRequest("GET", "/x")) as stream,
    ):
        assert await drained(stream.chunks()) == text


async def test_leaving_a_stream_early_does_not_wait_for_its_end() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"first")
        await asyncio.Event().wait()
        return response

    async with serving(handler) as server, connected(server) as cluster:
        wanted = HttpRequest("GET", "/x", timeout=600)
        async with asyncio.timeout(60), cluster.transport.stream(wanted) as stream:
            assert await anext(stream.chunks()) == b"first"


async def test_proxy_variables_never_capture_loopback(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port}")
    monkeypatch.delenv("NO_PROXY", raising=False)

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return reply({"gitVersion": "v1.33.0"})

    async with serving(handler) as server, connected(server) as cluster:
        assert (await cluster.version()).git_version == "v1.33.0"


async def test_proxy_url_is_used_for_requests_and_websockets() -> None:
    lines: list[str] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines.append("asked")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with raw(proxy) as address, connected("https://api.invalid:6443", proxy_url=address) as cluster:
        with pytest.raises(NotSent, match="the proxy answered 407"):
            await cluster.create(PODS, {}, "ns")
        with pytest.raises(OSError, match="407"):
            async with cluster.transport.websocket(HttpRequest("GET", "/x"), ("v4.channel.k8s.io",)):
                pass
    assert lines == ["asked", "asked"]


async def test_several_contexts_at_once_do_not_mix() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return reply({"gitVersion": request.headers["Authorization"]})

    async with (
        serving(handler) as one,
        serving(handler) as two,
        connected(one, UserEntry("a", token="A")) as first,
        connected(two, UserEntry("b", token="B")) as second,
    ):
        found = await asyncio.gather(*(cluster.version() for cluster in (first, second) * 10))
    assert [version.git_version for version in found] == ["Bearer A", "Bearer B"] * 10


async def test_no_token_in_any_repr_or_in_the_library_configuration() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return reply({"kind": "Status", "code": 400, "message": f"got {request.headers['Authorization']}"}, 400)

    async with serving(handler) as server, connected(server) as cluster:
        with pytest.raises(Exception, match="got") as caught:
            await cluster.version()
        shown = f"{caught.value!r}{caught.value}{cluster!r}{cluster.transport!r}{vars(cluster.transport)!r}"
        assert "CANARY" not in shown


async def test_an_answer_too_large_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "MAX_BODY", 1000)

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"x" * 5000)

    async with serving(handler) as server, connected(server) as cluster:
        with pytest.raises(Unexpected):
            await cluster.request("GET", "/x")


async def test_typed_get_over_a_real_connection() -> None:
    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        return reply({"kind": "Pod", "metadata": {"name": "a"}, "status": {"podIP": "10.0.0.9", "phase": "Running"}})

    async with serving(handler) as server, connected(server) as cluster:
        pod = await cluster.get(PODS, "a", "ns", type=Pod)
        assert pod is not None
        assert pod.status.pod_ip == "10.0.0.9"
