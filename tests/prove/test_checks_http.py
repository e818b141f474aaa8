"""HTTP and TCP checks against servers that misbehave: each is red or INCONCLUSIVE for its own reason, none hangs."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme

from lazarus_tui.model.resources import CONFIGMAPS, SERVICES, SLICES
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.checks.compare import MATCHED
from tests.prove.doors import NAMESPACE, Doors, Handler, answering, page, said

PASSED, FAILED, INCONCLUSIVE = Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE
# What is right is right however slow the machine is; only what hangs is waited for, and that is short.
WEB: dict[str, Any] = {"kind": "http", "service": "web", "port": 8080, "slowerThan": 60}


@pytest.fixture
def doors() -> Doors:
    return Doors()


async def _hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _close(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def _endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def _endless_header(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nx: ")
    while True:
        writer.write(b"x" * 65536)
        await writer.drain()


async def _cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()


@pytest.mark.parametrize(
    ("handler", "verdict", "words"),
    [
        (page(b"ok"), PASSED, "200 in"),
        (answering(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", then=b"2\r\nok\r\n0\r\n\r\n"), PASSED, "200 in"),
        (page(b"ok", b"500 Oops"), FAILED, "answered 500 instead of 200"),
        (_hang, FAILED, "no answer within 1 s"),
        (_reset, INCONCLUSIVE, "the way there broke"),
        (_close, FAILED, "closed the connection without an answer"),
        (_cut, FAILED, "cut its answer short"),
        (_endless_header, FAILED, "does not answer with HTTP"),
        (answering(b"220 mail.example ESMTP"), FAILED, "does not answer with HTTP"),
        (answering(b"HTTP/1.1 200 \x1b[31mred\x07", b"X: \x9b31m", then=b"\x1b]0;owned\x07"), PASSED, "200 in"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_every_way_to_answer(doors: Doors, handler: Handler, verdict: Verdict, words: str) -> None:
    async with doors.serving("web", handler):
        result = await said(doors, **{**WEB, "slowerThan": 0.3 if handler is _hang else 60})
    assert result.verdict is verdict, result.summary
    assert words in result.summary
    assert all(character.isprintable() for character in f"{result.summary}{result.evidence}")


async def test_a_body_without_end_is_cut_and_not_read_as_json(doors: Doors) -> None:
    async with doors.serving("web", _endless):
        assert (await said(doors, **WEB, contains="x")).evidence["bytes"] == 1024 * 1024
        result = await said(doors, **WEB, json=[{"path": "a"}])
    assert (result.verdict, "too much to be read as JSON" in result.summary) == (FAILED, True)


async def test_nothing_listens(doors: Doors) -> None:
    doors.service("web")
    result = await said(doors, **WEB)
    assert (result.verdict, "takes no connections" in result.summary) == (FAILED, True)


REDIRECTS = (
    b"http://169.254.169.254/latest/meta-data/", b"http://[fd00:ec2::254]/", b"http://web.production/",
    b"http://web@169.254.169.254/", b"ftp://web/", b"http://0x7f.1/", b"http://web.shop.svc.evil.example/", b"gopher://web",
    b"//evil.example/",
)  # fmt: skip


@pytest.mark.parametrize("target", REDIRECTS)
async def test_a_redirect_that_leads_out_is_not_followed(doors: Doors, target: bytes) -> None:
    async with doors.serving("web", page(b"", b"302 Found", b"Location: " + target)):
        result = await said(doors, **WEB, redirects=3)
        assert (result.verdict, "redirects elsewhere" in result.summary) == (FAILED, True), result.summary
        assert doors.opened == [("web", 8080)], "nothing else was reached"
        assert (await said(doors, **WEB, status="3xx")).verdict is PASSED, "as an answer it can be expected"


async def test_redirects_inside_are_followed_as_far_as_allowed(doors: Doors) -> None:
    there = page(b"", b"307 Go", b"Location: http://api.shop.svc.cluster.local:8080/v2?x=1")
    async with doors.serving("web", there), doors.serving("api", page(b"here")):
        assert (await said(doors, **WEB, redirects=1, contains="here")).verdict is PASSED
        assert doors.opened == [("web", 8080), ("api", 8080)]
        assert "answered 307" in (await said(doors, **WEB)).summary


@pytest.mark.parametrize("target", [b"/in?x=1#top", b"in?x=1", b"http://shop.example/in?x=1"])
async def test_a_redirect_to_the_name_that_was_asked_for_stays_in_the_pod(doors: Doors, target: bytes) -> None:
    """The name of a virtual host is no service, and leads nowhere else than the answer came from."""
    asked: list[bytes] = []

    async def front(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b" HTTP")[0])
        first = b"302 Found\r\nLocation: " + target if len(asked) == 1 else b"200 OK"
        writer.write(b"HTTP/1.1 " + first + b"\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    async with doors.serving("web", front):
        result = await said(doors, **WEB, host="shop.example", redirects=1)
    assert result.verdict is PASSED, result.summary
    assert asked == [b"GET /", b"GET /in?x=1"]
    assert doors.opened == [("web", 8080)] * 2


async def test_the_request_is_what_the_check_says(doors: Doors) -> None:
    heard: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()

    async with doors.serving("web", listen):
        await said(doors, **WEB, path="/a?b=c%20d", headers={"X-Tenant": "7"})
        await said(doors, kind="http", url="http://web.shop:8080/u", method="HEAD", host="shop.example")
    assert heard[0].startswith(b"GET /a?b=c%20d HTTP/1.1\r\n")
    assert b"Host: web:8080\r\n" in heard[0]
    assert b"X-Tenant: 7\r\n" in heard[0]
    assert heard[1].startswith(b"HEAD /u HTTP/1.1\r\n")
    assert b"Host: shop.example\r\n" in heard[1]


DOCUMENT = (
    b'{"orders": {"list": [{"id": 7, "state": "paid"}, {"id": 8}], "total": 12.5}, "ok": true, "none": null,'
    b' "nobody": []}'
)


@pytest.mark.parametrize(
    ("json", "words"),
    [
        ([{"path": "orders.list[0].id", "equals": 7}, {"path": "$.ok", "equals": True}], ""),
        ([{"path": "orders.list", "count": True, "atLeast": 2}, {"path": "orders.total", "between": [12, 13]}], ""),
        ([{"path": "orders.list[0].state", "oneOf": ["paid", "open"]}, {"path": "none", "equals": None}], ""),
        ([{"path": "orders.list[0].id", "equals": 8}], "orders.list[0].id is not 8"),
        ([{"path": "ok", "equals": 1}], "ok is not 1"),
        ([{"path": "orders.list", "count": True, "above": 2}], "orders.list is not above 2 (it is 2)"),
        ([{"path": "orders.list[2].id"}], "has no orders.list[2].id"),
        ([{"path": "orders.list", "count": True}, {"path": "none"}], ""),
        ([{"path": "nobody", "count": True}], "nobody is not above 0 (it is 0)"),
        ([{"path": "orders.list[0].state", "matches": "^op"}], "does not match '^op'"),
        ([{"path": "orders.total", "below": 3}], "orders.total is not below 3"),
        ([{"path": "orders.list[0].state", "atLeast": 1}], "is not a number"),
    ],
)
async def test_json(doors: Doors, json: list[dict[str, Any]], words: str) -> None:
    async with doors.serving("web", page(DOCUMENT)):
        result = await said(doors, **WEB, json=json)
    assert result.verdict is (FAILED if words else PASSED), result.summary
    assert words in result.summary
    assert "paid" not in f"{result.evidence}"


async def test_headers_and_status_classes(doors: Doors) -> None:
    async with doors.serving("web", page(b"", b"204 Nothing", b"X-Version: 3.1")):
        assert (await said(doors, **WEB, status=[200, "2xx"])).verdict is PASSED
        good = await said(doors, **WEB, status=204, answered={"x-version": {"matches": "^3"}})
        assert good.verdict is PASSED
        for answered, words in (
            ({"x-version": {"equals": "4"}}, "x-version is not '4'"),
            ({"x-none": {}}, "no header"),
        ):
            result = await said(doors, **WEB, status=204, answered=answered)
            assert (result.verdict, words in result.summary) == (FAILED, True), result.summary


def _tls(authority: trustme.CA, *names: str, days: float = 90) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, not_after=datetime.now(UTC) + timedelta(days=days)).configure_cert(context)
    return context


async def test_certificates(doors: Doors) -> None:
    authority, other = trustme.CA(), trustme.CA()
    doors.secrets[("tls", "ca.crt")] = authority.cert_pem.bytes().decode()
    doors.put(CONFIGMAPS, "other", NAMESPACE, data={"ca": other.cert_pem.bytes().decode(), "junk": "no certificate"})
    good = {"ca": "secret/tls/ca.crt", "serverName": "web.shop.svc"}
    async with doors.serving("web", page(b"ok"), _tls(authority, "web.shop.svc", days=20)):
        for tls, verdict, words in (
            (good, PASSED, "200 in"), ({"ca": "secret/tls/ca.crt", "verify": "ca"}, PASSED, "200 in"),
            ({"verify": "none"}, PASSED, "200 in"), ({**good, "daysLeft": 14}, PASSED, "200 in"),
            ({**good, "daysLeft": 30}, FAILED, "sooner than 30"), ({}, FAILED, "does not verify"),
            ({"ca": "secret/tls/ca.crt"}, FAILED, "does not verify"), ({"ca": "configmap/other/ca"}, FAILED, "verify"),
            ({"ca": "secret/none/ca"}, INCONCLUSIVE, "there is no secret/none/ca"),
            ({"ca": "configmap/other/junk"}, INCONCLUSIVE, "holds no certificate"),
            ({"verify": "none", "daysLeft": 30}, FAILED, "sooner than 30"),
        ):  # fmt: skip
            result = await said(doors, **WEB, tls=tls)
            assert (result.verdict, words in result.summary) == (verdict, True), (tls, result.summary)
    async with doors.serving("web", _banner):
        assert "no TLS there" in (await said(doors, **WEB, tls=good)).summary


# --- TCP

TCP: dict[str, Any] = {"kind": "tcp", "service": "web", "port": 8080, "stays": 0.05}
# For what is said or done at once, and ends the wait.
HEARD = {**TCP, "stays": 60, "timeout": 90}


async def _banner(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 ready\r\n")
    await reader.read(4)
    writer.write(b"+PONG\r\n")
    await reader.read()


async def _shut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None: ...


async def _flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"x" * (3 * MATCHED) + b"+PONG\r\n")
    await writer.drain()


async def test_tcp_of_one_that_says_more_than_is_kept(doors: Doors) -> None:
    async def on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _flood(reader, writer)
        await reader.read()

    async with doors.serving("web", _flood):
        assert "closes the connection at once" in (await said(doors, **HEARD)).summary
    async with doors.serving("web", on):
        kept = await said(doors, **TCP)
        assert (kept.verdict, kept.evidence["bytes"]) == (PASSED, MATCHED)
        assert "did not say" in (await said(doors, **HEARD, matches="PONG")).summary


async def test_tcp(doors: Doors) -> None:
    async with doors.serving("web", _banner):
        assert (await said(doors, **TCP)).verdict is PASSED
        assert (await said(doors, **HEARD, matches="^220")).verdict is PASSED
        assert (await said(doors, **HEARD, send="PING", matches=r"\+PONG")).verdict is PASSED
        assert "did not say" in (await said(doors, **TCP, matches="^554")).summary
    async with doors.serving("web", _hang):
        assert (await said(doors, **TCP)).verdict is PASSED, "open and silent"
        assert (await said(doors, **TCP, matches="x")).verdict is FAILED
        assert (await said(doors, **TCP, matches=".*")).verdict is FAILED, "silence matches nothing"
    async with doors.serving("web", _shut):
        assert "closes the connection at once" in (await said(doors, **HEARD)).summary
    doors.ports.clear()
    for pattern in ("", "^$|PONG"):
        refused = await said(doors, **TCP, matches=pattern)
        assert (refused.verdict, "takes no connections" in refused.summary) == (FAILED, True), pattern


# --- resolving a service


def _slice(doors: Doors, name: str, ready: bool | None, ref: dict[str, Any] | None, port: int = 9000) -> None:
    endpoint = {"conditions": {} if ready is None else {"ready": ready}, **({"targetRef": ref} if ref else {})}
    doors.put(
        SLICES, f"api-{name}", NAMESPACE, metadata={"labels": {"kubernetes.io/service-name": "api"}},
        endpoints=[endpoint], ports=[{"name": "web", "port": port}, {"name": "admin", "port": 9001}],
    )  # fmt: skip


def _pod(name: str, **other: str) -> dict[str, Any]:
    return {"kind": "Pod", "name": name, "namespace": NAMESPACE, **other}


@pytest.mark.parametrize("port", [80, "web"])
async def test_a_service_is_a_ready_pod_and_the_port_behind_it(doors: Doors, port: int | str) -> None:
    doors.put(SERVICES, "api", NAMESPACE, spec={"ports": [{"name": "web", "port": 80, "targetPort": "http"}]})
    _slice(doors, "a", False, _pod("a-unready"))
    _slice(doors, "b", None, _pod("b-unsaid"))
    _slice(doors, "c", True, _pod("c-ready"))
    async with doors.serving("b-unsaid", page(b"ok")):
        assert (await said(doors, kind="http", service="api", port=port)).verdict is PASSED
    assert doors.opened == [("b-unsaid", 9000)]


@pytest.mark.parametrize(
    ("spec", "ref", "words"),
    [
        ({"type": "ExternalName", "externalName": "db.production"}, None, "ExternalName"),
        ({"ports": [{"name": "web", "port": 80}]}, None, "addresses that are no pods"),
        ({"ports": [{"name": "web", "port": 80}]}, {"kind": "Node", "name": "n"}, "addresses that are no pods"),
        ({"ports": [{"name": "web", "port": 80}]}, _pod("p", namespace="production"), "addresses that are no pods"),
        ({"ports": [{"name": "other", "port": 81}]}, _pod("p"), "has no port 80"),
    ],
)
async def test_a_service_that_leads_out_is_not_gone_to(
    doors: Doors, spec: dict[str, Any], ref: dict[str, Any] | None, words: str
) -> None:
    doors.put(SERVICES, "api", NAMESPACE, spec=spec)
    _slice(doors, "a", True, ref)
    result = await said(doors, kind="tcp", service="api", port=80)
    assert (result.verdict, words in result.summary, doors.opened) == (FAILED, True, []), result.summary
