"""MongoDB's checks against a server of our own at the level of its wire; a real one has not been tried here."""

from __future__ import annotations

import asyncio
import gc
import ssl
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
from pymongo.errors import ServerSelectionTimeoutError

from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.checks import mongodb
from lazarus_tui.prove.checks.bridge import CONNECTIONS
from tests.prove.doors import Doors, said
from tests.prove.mongo_wire import MongoWire

PASSED, FAILED, INCONCLUSIVE = Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE
CHECK: dict[str, Any] = {"kind": "mongodb", "service": "mongo", "port": 8080, "database": "app", "timeout": 60}
NOON = datetime(2026, 5, 2, 12, tzinfo=UTC)


@pytest.fixture
def server() -> MongoWire:
    found = MongoWire()
    found.collections["orders"] = [
        {"_id": 1, "state": "paid", "at": NOON - timedelta(days=1)}, {"_id": 2, "state": "open", "at": NOON},
    ]  # fmt: skip
    found.collections["empty"] = []
    return found


@pytest.fixture
async def doors(server: MongoWire) -> AsyncIterator[Doors]:
    found = Doors()
    async with found.serving("mongo", server.serve):
        yield found


async def test_what_is_right_is_green_and_only_reads(doors: Doors, server: MongoWire) -> None:
    queries = [
        {"collection": "orders", "filter": {"state": "paid"}, "equals": 1},
        {"collection": "empty", "equals": 0},
    ]
    result = await said(doors, **CHECK, role="primary", tables=["orders"], queries=queries)
    assert result.verdict is PASSED, result.summary
    assert result.evidence["tables"] == {"orders": {"rows": 2}}
    assert result.evidence["values"] == {"documents of orders": {"count": 1}, "documents of empty": {"count": 0}}
    assert (result.evidence["collections"], result.evidence["replica"]) == (2, False)
    assert {pod for pod, _ in doors.opened} == {"mongo"}, "the set's own addresses lead out"
    assert set(server.asked) <= {"ismaster", "hello", "ping", "dbStats", "listCollections", "aggregate", "endSessions"}


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({"tables": ["gone"]}, "there is no table gone"),
        ({"tables": ["empty"]}, "empty has 0 rows, fewer than 1"),
        (
            {"queries": [{"collection": "orders", "filter": {"state": "lost"}, "atLeast": 1}]},
            "not at least 1 (it is 0)",
        ),
        (
            {"queries": [{"collection": "orders", "filter": {"state": "lost"}}]},
            "documents of orders is not above 0 (it is 0)",
        ),
        (
            {"queries": [{"collection": "gone", "filter": {"state": "lost"}, "equals": 0}]},
            "there is no collection gone",
        ),
        ({"role": "replica"}, "it is a primary, not a replica"),
        ({"tables": [{"name": "orders", "fingerprint": "0" * 16}]}, "fingerprint of orders"),
        ({"against": {"tables": {"orders": {"rows": 3}}}}, "orders has 2 rows, the manifest 3"),
        ({"maxLag": 5}, "it lags by 60.0 s"),
    ],
)
async def test_what_is_not_right_is_red(doors: Doors, server: MongoWire, check: dict[str, Any], words: str) -> None:
    server.member(NOON)
    server.member(NOON - timedelta(minutes=1), own=True)
    result = await said(doors, **CHECK, **check)
    assert (result.verdict, words in result.summary) == (FAILED, True), result.summary


async def test_the_servers_own_hash_sees_a_change(doors: Doors, server: MongoWire) -> None:
    manifest: dict[str, Any] = {"tables": {"orders": {"rows": 2, "fingerprint": "0", "method": "mongodb-dbhash"}}}
    first = await said(doors, **CHECK, against=manifest)
    assert first.verdict is FAILED
    manifest["tables"]["orders"]["fingerprint"] = first.evidence["tables"]["orders"]["fingerprint"]
    assert (await said(doors, **CHECK, against=manifest)).verdict is PASSED
    server.collections["orders"][0]["state"] = "gone"
    assert "content of orders" in (await said(doors, **CHECK, against=manifest)).summary


@pytest.mark.parametrize(
    ("command", "code", "verdict", "words"),
    [
        ("ping", 18, INCONCLUSIVE, "asks for credentials"), ("dbStats", 13, INCONCLUSIVE, "asks for credentials"),
        ("aggregate", 50, INCONCLUSIVE, "orders: not within"), ("dbStats", 2, FAILED, "the server refuses it (2)"),
    ],
)  # fmt: skip
async def test_errors_are_told_by_their_codes(
    doors: Doors, server: MongoWire, command: str, code: int, verdict: Verdict, words: str
) -> None:
    server.fails[command] = code
    result = await said(doors, **CHECK, tables=["orders"])
    assert (result.verdict, words in result.summary) == (verdict, True), result.summary
    assert "secret-in-the-words" not in f"{result}"


@pytest.fixture
def collected() -> Iterator[None]:
    """The driver forgets the socket of a handshake that it breaks off: it is closed here, and not in another test."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.usefixtures("collected")
async def test_only_a_certificate_of_the_named_authority_is_taken(server: MongoWire) -> None:
    authority, other = trustme.CA(), trustme.CA()
    speaks = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mongo").configure_cert(speaks)
    doors = Doors()
    for name, one in (("right", authority), ("other", other)):
        doors.secrets[("tls", name)] = one.cert_pem.bytes().decode()
    async with doors.serving("mongo", server.serve, speaks):
        for tls, limit, verdict, words in (
            ({"ca": "secret/tls/right", "verify": "ca"}, 60, PASSED, ""), ({"verify": "none"}, 60, PASSED, ""),
            ({"ca": "secret/tls/other", "verify": "ca"}, 24, FAILED, "its certificate does not verify"),
            ({"ca": "secret/tls/other", "verify": "ca"}, 60, FAILED, "its certificate does not verify"),
        ):  # fmt: skip
            doors.opened.clear()
            result = await said(doors, **{**CHECK, "timeout": limit}, tls=tls)
            assert (result.verdict, words in result.summary) == (verdict, True), result.summary
            assert len(doors.opened) < CONNECTIONS, "tried until there was no place left, whatever was wrong"


async def test_a_certificate_that_was_refused_is_told_although_the_driver_gave_up_in_the_same_moment() -> None:
    distrust: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    class Client:
        @property
        def admin(self) -> Client:
            return self

        async def command(self, name: str) -> None:
            distrust.set_result(ssl.SSLCertVerificationError("unable to get local issuer certificate"))
            raise ServerSelectionTimeoutError("No servers found yet")

    client: Any = Client()
    with pytest.raises(ssl.SSLCertVerificationError):
        await mongodb._answers(client, distrust)
