"""An Alertmanager over real connections: what it takes and refuses, what never leaks, what is never reached."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError

from lazarus_tui.config import AlertmanagerSettings, ProveSettings
from lazarus_tui.model.addresses import AddressPolicy, policy
from lazarus_tui.model.silences import NoAnswer
from lazarus_tui.prove.silences import planned
from lazarus_tui.prove.silences.client import WHOLE, Client
from lazarus_tui.sandbox.clock import VirtualClock
from tests.prove.silences.manager import Manager, listening

CANARY = "Canary9zQ4LmXw7Kp2"
OP, SPACE = "aaaabbbbccccdddd", "lazarus-q-aaaabbbb"
PARAMS: dict[str, Any] = {
    "op": OP, "quarantine": SPACE, "namespace": "shop", "workload": "StatefulSet/orders",
    "silence": {"managers": ["main"], "seconds": 5400.0},
}  # fmt: skip


def settings(url: str, **fields: Any) -> AlertmanagerSettings:
    return AlertmanagerSettings(**{"name": "main", "contexts": ("prod",), "url": url, **fields})


class Bench:
    def __init__(self, loopback: bool = True) -> None:
        self.clock, self.environ, self.loopback = VirtualClock(), {"TOKEN": CANARY}, loopback
        self.names: dict[str, list[str]] = {}

    def client(self, url: str, **fields: Any) -> Client:
        return Client(
            settings(url, **fields), self.clock, self._addresses, self._secret, find=self._find, environ=self.environ
        )  # fmt: skip

    async def _addresses(self, networks: Sequence[str]) -> AddressPolicy:
        return policy(networks, loopback=self.loopback, never=["203.0.113.7"])

    async def _secret(self, namespace: str, name: str, key: str) -> str | None:
        return {("monitoring", "am", "token"): CANARY}.get((namespace, name, key))

    async def _find(self, host: str, port: int) -> Sequence[str]:
        return self.names.get(host, [host])


def body(bench: Bench, **fields: Any) -> dict[str, Any]:
    return {**planned.body(PARAMS, bench.clock.now()), **fields}


async def test_a_silence_is_made_found_and_ended_behind_a_prefix_and_with_a_token() -> None:
    bench = Bench()
    manager = Manager(bench.clock.now)
    async with listening(manager, prefix="/alerts") as there:
        client = bench.client(f"http://127.0.0.1:{there.port}/alerts/", token="env:TOKEN")
        assert await client.silences("namespace", SPACE) == []
        id = await client.set(body(bench))
        await client.set(body(bench, matchers=[{"name": "namespace", "value": "shop", "isRegex": False}]))
        [found] = await client.silences("namespace", SPACE)
        assert (found.id, found.status.state, found.created_by) == (id, "active", "lazarus")
        assert planned.ours([found], PARAMS) == [found]
        assert found.comment == f"Lazarus proof {OP}: a copy of shop/StatefulSet/orders in quarantine"
        assert found.ends_at == manager.stored[id]["endsAt"]
        await client.expire(id)
        [found] = await client.silences("namespace", SPACE)
        assert (found.status.state, planned.ours([found], PARAMS)) == ("expired", [])
    assert {one["authorization"] for one in there.headers} == {f"Bearer {CANARY}"}
    assert manager.asked[0] == ("GET", "/api/v2/silences?filter=namespace%3D%22lazarus-q-aaaabbbb%22")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"matchers": []}, "answered 422: matchers in body should have at least 1 items"),
        ({"comment": None}, "answered 422: comment in body is required"),
        ({"matchers": [{"name": "namespace", "value": "x"}]}, "answered 422: matchers.0.isRegex in body is required"),
        ({"matchers": [{"name": "namespace", "value": "", "isRegex": False}]}, "must not match the empty string"),
        ({"endsAt": "2001-01-01T00:00:00Z"}, "start time must be before end time"),
    ],
)
async def test_what_is_no_silence_is_refused_and_its_words_are_passed_on(change: dict[str, Any], words: str) -> None:
    bench = Bench()
    manager = Manager(bench.clock.now)
    async with listening(manager) as there:
        with pytest.raises(NoAnswer, match=words) as refused:
            await bench.client(f"http://127.0.0.1:{there.port}").set(body(bench, **change))
    assert not refused.value.unknown
    assert manager.stored == {}


@pytest.mark.parametrize(
    ("answer", "words", "unknown"),
    [
        ((404, '{"code": 404, "message": "path was not found"}'), "answered 404: path was not found", False),
        ((500, f'"it broke, token={CANARY}"'), "answered 500: it broke", True),
        ((302, ""), "a redirect, which is never followed", False),
        ((200, "<html>a login page</html>"), "none of Alertmanager's API v2", True),
        ((200, '{"data": []}'), "none of Alertmanager's API v2", True),
        ("reset", "no answer: ", True),
    ],
)
async def test_everything_else_is_no_answer_and_says_whether_it_may_have_been_done(
    answer: Any, words: str, unknown: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    bench = Bench()
    async with listening(Manager(bench.clock.now), answer) as there:
        with pytest.raises(NoAnswer, match=words) as failed:
            await bench.client(f"http://127.0.0.1:{there.port}", token="env:TOKEN").set(body(bench))
    assert failed.value.unknown is unknown
    assert CANARY not in str(failed.value) + caplog.text


async def test_one_that_hangs_is_left_after_seconds() -> None:
    bench = Bench()
    async with listening(Manager(bench.clock.now), "hang") as there:
        asking = asyncio.create_task(bench.client(f"http://127.0.0.1:{there.port}").silences("namespace", SPACE))
        while not there.headers:
            await asyncio.sleep(0.001)
        await bench.clock.advance(WHOLE)
        with pytest.raises(NoAnswer, match="no answer within 5 s") as late:
            await asking
    assert late.value.unknown


async def test_a_port_that_nobody_listens_on_was_not_told_anything() -> None:
    with socket.socket() as unheard:  # bound, so that nobody else listens there meanwhile
        unheard.bind(("127.0.0.1", 0))
        with pytest.raises(NoAnswer, match="no connection: ConnectError") as failed:
            await Bench().client(f"http://127.0.0.1:{unheard.getsockname()[1]}").set({})
    assert not failed.value.unknown


@pytest.mark.parametrize(
    ("url", "fields", "words"),
    [
        ("http://169.254.169.254/", {"networks": ("169.254.0.0/16",)}, "never reached from Lazarus"),
        ("http://203.0.113.7:6443/", {}, "never reached from Lazarus"),
        ("http://10.0.0.9:9093/", {}, "private, local or reserved"),
        ("http://127.0.0.1:9093/", {}, "private, local or reserved"),
        ("http://alerts.example/", {}, "plain http is spoken only to addresses in a network that was opened"),
    ],
)
async def test_the_one_address_policy_holds_for_it_too(url: str, fields: dict[str, Any], words: str) -> None:
    bench = Bench(loopback=False)
    bench.names = {"alerts.example": ["198.51.100.4"]}
    with pytest.raises(NoAnswer, match=words):
        await bench.client(url, **fields).silences("namespace", SPACE)


async def test_its_certificate_is_checked_against_its_own_ca(tmp_path: Path) -> None:
    bench, ca = Bench(), trustme.CA()
    bench.names = {"alerts.example": ["127.0.0.1"]}
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("alerts.example").configure_cert(tls)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with listening(Manager(bench.clock.now), tls=tls) as there:
        url = f"https://alerts.example:{there.port}"
        client = bench.client(url, ca_file=tmp_path / "ca.pem", token="secret:monitoring/am/token", secret_context="c")
        assert await client.silences("namespace", SPACE) == []
        assert there.headers[0]["authorization"] == f"Bearer {CANARY}"
        with pytest.raises(NoAnswer, match="no connection: ConnectError"):
            await bench.client(url).silences("namespace", SPACE)
        with pytest.raises(NoAnswer, match="its ca_file cannot be used: No such file"):
            await bench.client(url, ca_file=tmp_path / "none.pem").silences("namespace", SPACE)


async def test_a_token_that_is_not_there_is_said_before_anything_is_sent() -> None:
    bench = Bench()
    async with listening(Manager(bench.clock.now)) as there:
        for token, words in [("env:NOBODY", "variable NOBODY"), ("secret:monitoring/am/other", "key other of Secret")]:
            client = bench.client(f"http://127.0.0.1:{there.port}", token=token, secret_context="c")
            with pytest.raises(NoAnswer, match=words):
                await client.silences("namespace", SPACE)
        assert there.headers == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"token": CANARY}, "never written into the settings"),
        ({"url": f"https://me:{CANARY}@alerts.example"}, "may hold a secret"),
        ({"url": "alerts.example"}, "neither a http"),
        ({"token": "secret:a/b/c"}, "needs secret_context"),
        ({"networks": ("127.0.0.0/8",)}, "not opened by a setting"),
        ({"contexts": ()}, "at least 1 item"),
    ],
)
def test_settings_that_hold_a_secret_or_open_too_much_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as refused:
        settings(**{"url": "https://alerts.example", **fields})
    assert CANARY not in str([one["msg"] for one in refused.value.errors()])
    with pytest.raises(ValidationError, match="several Alertmanagers are called main"):
        ProveSettings(alertmanagers=(settings("https://a.example"), settings("https://b.example")))


def test_a_silence_lasts_as_long_as_a_proof_may_and_is_the_proofs_alone() -> None:
    bench = Bench()
    made = planned.body(PARAMS, bench.clock.now())
    assert made["endsAt"] == (bench.clock.now() + timedelta(hours=1.5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert planned.planned((), None, 0) == {}
    assert planned.planned(("main",), None, 30)["seconds"] == 3600 + 1800 + 1800
