"""TLS and WebSockets of the real transport."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import WSMsgType, web
from kube_fakes import ManualClock
from wire_servers import connected, reply, serving

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.contexts import Context
from lazarus_tui.kube.credentials import Credential
from lazarus_tui.kube.errors import (
    ConfigError,
    NotFound,
    NotSent,
    NotTrusted,
)
from lazarus_tui.kube.kubeconfig import ClusterEntry, UserEntry
from lazarus_tui.kube.retry import ONCE
from lazarus_tui.kube.transport import ClientTransport
from lazarus_tui.model.http import HandshakeRefused, HttpRequest


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, name: str = "127.0.0.1", *, clients: bool = False) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(tls)
    if clients:
        authority.configure_trust(tls)
        tls.verify_mode = ssl.CERT_REQUIRED
    return tls


async def version(request: web.BaseRequest) -> web.StreamResponse:
    peer = request.transport.get_extra_info("peercert") if request.transport else None
    return reply({"gitVersion": "v1.33.0", "major": "cert" if peer else "none"})


async def test_tls_with_an_inline_authority_and_client_certificate(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = authority.issue_cert("jane@example.com")
    user = UserEntry("u", cert_data=mine.cert_chain_pems[0].bytes(), key_data=mine.private_key_pem.bytes())
    ca = authority.cert_pem.bytes()
    async with (
        serving(version, server_tls(authority, clients=True)) as server,
        connected(server, user, ca_data=ca) as cluster,
    ):
        assert (await cluster.version()).major == "cert"
        assert list(tmp_path.iterdir()) == []  # no key stays on disk, even while connected


def pems(issued: trustme.LeafCert) -> tuple[bytes, bytes]:
    return issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes()


async def caller(request: web.BaseRequest) -> web.StreamResponse:
    peer = request.transport.get_extra_info("peercert") if request.transport else None
    return reply({"gitVersion": peer["subjectAltName"][0][1] if peer else "nobody"})


async def test_a_renewed_client_certificate_is_used_from_its_file_and_from_a_plugin(
    authority: trustme.CA, tmp_path: Path
) -> None:
    first, second = (pems(authority.issue_cert(f"{name}@example.com")) for name in ("first", "second"))
    crt, key = tmp_path / "crt", tmp_path / "key"

    def put(pair: tuple[bytes, bytes], moment: int) -> None:
        crt.write_bytes(pair[0])
        key.write_bytes(pair[1])
        os.utime(crt, (moment, moment))

    class Issuing:
        pair = first

        async def get(self) -> Credential:
            return Credential("", "", *self.pair)

        async def refresh(self, refused: Credential) -> bool:
            return False

    put(first, 1_000_000)
    ca = authority.cert_pem.bytes()
    async with serving(caller, server_tls(authority, clients=True)) as server:
        user = UserEntry("u", cert_file=str(crt), key_file=str(key))
        async with connected(server, user, ca_data=ca) as cluster:
            assert [(await cluster.version()).git_version for _ in range(2)] == ["first@example.com"] * 2
            put(second, 2_000_000)
            assert (await cluster.version()).git_version == "second@example.com"
        issuing = Issuing()
        transport = ClientTransport(Context("x", ClusterEntry("c", server, ca_data=ca)), issuing)
        async with Cluster(transport, "x", ManualClock(), policy=ONCE) as cluster:
            for pair, name in ((first, "first"), (second, "second"), (first, "first")):
                issuing.pair = pair
                assert (await cluster.version()).git_version == f"{name}@example.com"


async def test_an_unknown_authority_is_not_trusted_unless_insecure(authority: trustme.CA) -> None:
    async with serving(version, server_tls(authority)) as server:
        other = trustme.CA().cert_pem.bytes()
        async with connected(server, ca_data=other) as cluster:
            with pytest.raises(NotTrusted, match=r"^the certificate of 127.0.0.1:\d+ is not trusted: \w+"):
                await cluster.version()
        async with connected(server, insecure=True) as cluster:
            assert (await cluster.version()).git_version == "v1.33.0"


async def test_https_to_a_plain_http_server_is_said_so() -> None:
    async with serving(version) as server, connected(server.replace("http://", "https://"), insecure=True) as cluster:
        with pytest.raises(NotSent, match=r"no TLS \(\w+\)"):
            await cluster.version()


async def test_tls_server_name_is_honoured_for_requests_and_websockets(authority: trustme.CA) -> None:
    ca = authority.cert_pem.bytes()
    async with serving(echo, server_tls(authority, "api.internal")) as server:
        async with connected(server, ca_data=ca) as cluster:
            with pytest.raises(NotTrusted):
                await cluster.version()
        async with (
            connected(server, ca_data=ca, tls_server_name="api.internal") as cluster,
            cluster.transport.websocket(HttpRequest("GET", "/ws"), ("v4.channel.k8s.io",)) as socket,
        ):
            await socket.send(b"\x00hello")
            assert await socket.receive() == b"\x00hello"


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    if request.path == "/refused":
        return reply({"kind": "Status", "code": 404, "reason": "NotFound", "message": "pods x not found"}, 404)
    socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io", "v4.channel.k8s.io"))
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            if message.data == b"bye":
                break
            await socket.send_bytes(message.data)
    await socket.close()
    return socket


async def test_a_websocket_negotiates_echoes_and_ends() -> None:
    async with serving(echo) as server, connected(server) as cluster:
        wanted = ("v5.channel.k8s.io", "v4.channel.k8s.io")
        async with cluster.transport.websocket(HttpRequest("GET", "/ws"), wanted) as socket:
            assert socket.subprotocol == "v5.channel.k8s.io"
            await socket.send(b"\x01" + b"x" * 100_000)
            assert await socket.receive() == b"\x01" + b"x" * 100_000
            await socket.send(b"bye")
            assert await socket.receive() is None


async def test_a_refused_upgrade_keeps_its_answer() -> None:
    async with serving(echo) as server, connected(server) as cluster:
        with pytest.raises(HandshakeRefused) as caught:
            async with cluster.transport.websocket(HttpRequest("GET", "/refused"), ("v4.channel.k8s.io",)):
                pass
        assert caught.value.response.status == 404
        with pytest.raises(NotFound, match="pods x not found"):
            raise transport_error(caught.value)


def transport_error(error: HandshakeRefused) -> Exception:
    from lazarus_tui.kube.errors import from_response

    return from_response(HttpRequest("GET", "/refused"), error.response)


@pytest.mark.parametrize(
    ("user", "cluster", "expected"),
    [
        ({"cert_data": b"junk", "key_data": b"junk"}, {}, "cannot be used"),
        ({"cert_file": "/nowhere/crt", "key_file": "/nowhere/key"}, {}, "No such file"),
        ({}, {"ca_file": "/nowhere/ca"}, "No such file"),
        ({}, {"ca_data": b"junk"}, "cannot be used"),
        ({"cert_data": b"x", "key_data": b"-----BEGIN ENCRYPTED PRIVATE KEY-----"}, {}, "is encrypted"),
    ],
)
async def test_bad_certificates_are_one_sentence(user: dict[str, Any], cluster: dict[str, Any], expected: str) -> None:
    async with connected("https://127.0.0.1:1", UserEntry("u", **user), **cluster) as found:
        with pytest.raises(ConfigError, match=expected):
            await found.version()
