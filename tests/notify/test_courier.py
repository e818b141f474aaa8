"""To Slack, PagerDuty and webhooks over real connections: what they take, what they refuse, and what never leaks."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import trustme

from lazarus_tui.config import SinkSettings
from lazarus_tui.model.addresses import AddressPolicy, policy
from lazarus_tui.notify import webhook
from lazarus_tui.notify.courier import Courier
from lazarus_tui.notify.notice import Action, Severity
from lazarus_tui.notify.outgoing import Answer, Outcome
from lazarus_tui.sandbox.clock import VirtualClock
from tests.notify.office import notice, sink
from tests.notify.receiver import Receiver, receiving

CANARY = "Canary9zQ4LmXw7Kp2"
ROUTING = "0123456789abcdef0123456789abcdef"


class Bench:
    """A courier with what it needs: where it may go, what names mean, what the environment holds."""

    def __init__(self, loopback: bool = True, **environ: str) -> None:
        self.clock, self.environ = VirtualClock(), {"KEY": CANARY, "ROUTING": ROUTING, **environ}
        self.names: dict[str, Sequence[Sequence[str]]] = {}
        self.loopback = loopback
        self.courier = Courier(self.clock, self._addresses, self._secrets, find=self._find, environ=self.environ)

    async def _addresses(self, sink: SinkSettings) -> AddressPolicy:
        return policy(sink.networks, loopback=self.loopback, never=["203.0.113.7"])

    def _secrets(self, context: str) -> Any:
        async def read(namespace: str, name: str, key: str) -> str | None:
            return {("prod", "lazarus", "hook", "key"): CANARY}.get((context, namespace, name, key))

        return read

    async def _find(self, host: str, port: int) -> Sequence[str]:
        if host not in self.names:
            return [host]
        answers = list(self.names[host])
        self.names[host] = answers[1:] or answers
        return answers[0]

    def sink(self, at: Receiver, kind: str = "webhook", **fields: Any) -> SinkSettings:
        if kind == "slack":
            self.environ["URL"] = f"{at.url}/services/T0/B0/{CANARY}"
            return sink(kind=kind, url="env:URL", secret="", **fields)
        return sink(kind=kind, url=at.url, secret="env:ROUTING" if kind == "pagerduty" else "env:KEY", **fields)


async def test_slack_gets_blocks_and_its_secret_address(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    async with receiving("slack") as slack:
        answer = await bench.courier.send(bench.sink(slack, "slack"), notice(commands=("lazarus operation show 9f",)))
    assert answer.outcome is Outcome.DELIVERED
    [post] = slack.posts
    assert post.path == f"/services/T0/B0/{CANARY}"
    assert [block["type"] for block in post.json["blocks"]] == ["section", "section", "section", "context"]
    assert "Proof FAILED: shop" in post.json["text"]
    assert "lazarus operation show 9f" in post.json["blocks"][2]["text"]["text"]


async def test_pagerduty_gets_trigger_acknowledge_and_resolve_under_one_key() -> None:
    bench = Bench()
    async with receiving("pagerduty") as pager:
        for action in Action:
            given = notice(action=action, severity=Severity.CRITICAL, policy="nightly")
            answer = await bench.courier.send(bench.sink(pager, "pagerduty"), given)
            assert answer.outcome is Outcome.DELIVERED
    bodies = [post.json for post in pager.posts]
    assert [body["event_action"] for body in bodies] == ["trigger", "acknowledge", "resolve"]
    assert {body["dedup_key"] for body in bodies} == {"lazarus/proof/c/shop"}
    assert {body["routing_key"] for body in bodies} == {ROUTING}
    assert (bodies[0]["payload"]["severity"], bodies[0]["payload"]["source"]) == ("critical", "c")
    assert bodies[0]["payload"]["custom_details"]["policy"] == "nightly"
    assert "payload" not in bodies[2]


async def test_a_webhook_can_check_who_sent_it_and_when() -> None:
    bench = Bench()
    async with receiving() as hook:
        await bench.courier.send(bench.sink(hook), notice())
        await bench.clock.advance(60)
        await bench.courier.send(bench.sink(hook), notice())
    first, second = hook.posts
    assert first.json["schema"] == "lazarus.io/notice/v1"
    assert first.headers["lazarus-id"] == second.headers["lazarus-id"] == first.json["id"] == notice().id
    assert int(second.headers["lazarus-timestamp"]) - int(first.headers["lazarus-timestamp"]) == 60
    for post in hook.posts:
        stamp = int(post.headers["lazarus-timestamp"])
        assert post.headers["lazarus-signature"] == f"v1={webhook.sign(CANARY, stamp, post.body)}"
    assert first.headers["lazarus-signature"] != second.headers["lazarus-signature"]


def test_the_receiver_of_the_documentation_agrees() -> None:
    page = (Path(__file__).parents[2] / "docs/notifications.md").read_text(encoding="utf-8")
    scope: dict[str, Any] = {}
    exec(page.partition("```python\n")[2].partition("```")[0], scope)
    import time

    outgoing = webhook.compose(notice(), "https://x.example", CANARY, int(time.time()))
    headers = dict(outgoing.headers)
    assert scope["genuine"](CANARY.encode(), headers, outgoing.body)
    assert not scope["genuine"](CANARY.encode(), headers, outgoing.body + b" ")
    assert not scope["genuine"](b"another", headers, outgoing.body)
    late = dict(webhook.compose(notice(), "https://x.example", CANARY, int(time.time()) - 400).headers)
    assert not scope["genuine"](CANARY.encode(), late, outgoing.body)


INVALID = json.dumps({"status": "invalid event", "errors": ["'routing_key' is wrong"]})
OTHER = json.dumps({"status": "invalid event", "errors": ["'payload.severity' is wrong"]})


@pytest.mark.parametrize(
    ("kind", "status", "body", "outcome", "word"),
    [
        ("slack", 400, "invalid_payload", Outcome.NEVER, "does not understand"),
        ("slack", 403, "action_prohibited", Outcome.REFUSED, "does not allow"),
        ("slack", 404, "no_service", Outcome.REFUSED, "disabled or removed"),
        ("slack", 410, "channel_is_archived", Outcome.REFUSED, "archived"),
        ("slack", 500, "rollup_error", Outcome.LATER, "answered 500"),
        ("pagerduty", 400, INVALID, Outcome.REFUSED, "routing_key"),
        ("pagerduty", 400, OTHER, Outcome.NEVER, "severity"),
        ("pagerduty", 202, "{}", Outcome.DELIVERED, "202"),
        ("webhook", 200, "", Outcome.DELIVERED, "200"),
        ("webhook", 401, "", Outcome.REFUSED, "401"),
        ("webhook", 404, "", Outcome.REFUSED, "404"),
        ("webhook", 413, "", Outcome.NEVER, "413"),
        ("webhook", 408, "", Outcome.LATER, "408"),
        ("webhook", 503, f"{CANARY} and \x1b[2J", Outcome.LATER, "503"),
    ],
)
async def test_what_an_answer_means(kind: str, status: int, body: str, outcome: Outcome, word: str) -> None:
    bench = Bench()
    async with receiving(kind, (status, {}, body)) as at:
        answer = await bench.courier.send(bench.sink(at, kind), notice())
    assert answer.outcome is outcome
    assert word in answer.words
    assert CANARY not in str(answer)
    assert answer.words.isprintable()


@pytest.mark.parametrize(
    ("header", "wait"),
    [("30", 30), ("0", 0), ("999999999", 3600), ("Thu, 01 Jan 2026 00:02:00 GMT", 120), ("soon", None), ("-1", None),
     ("Thu, 01 Jan 2020 00:00:00 GMT", 0), ("", None)],
)  # fmt: skip
async def test_how_long_a_receiver_asks_to_be_left_alone(header: str, wait: float | None) -> None:
    bench = Bench()
    async with receiving("slack", (429, {"retry-after": header}, "rate_limited")) as at:
        answer = await bench.courier.send(bench.sink(at, "slack"), notice())
    assert (answer.outcome, answer.wait) == (Outcome.LATER, wait)


async def test_one_that_hangs_is_left_after_fifteen_seconds() -> None:
    bench = Bench()
    async with receiving("webhook", "hang") as at:
        task = asyncio.create_task(bench.courier.send(bench.sink(at), notice()))
        await at.arrived.wait()
        await bench.clock.advance(14)
        assert not task.done()
        await bench.clock.advance(1)
        assert await task == Answer(Outcome.LATER, "no answer within 15 s")


async def test_a_connection_that_breaks_is_tried_again() -> None:
    bench = Bench()
    async with receiving("webhook", "reset") as at:
        broken = await bench.courier.send(bench.sink(at), notice())
        assert (broken.outcome, broken.words) == (Outcome.LATER, "no connection: RemoteProtocolError")
        again = await bench.courier.send(bench.sink(at), notice())
        assert again.outcome is Outcome.DELIVERED
    with socket.socket() as unheard:  # bound, so that nobody else listens there meanwhile
        unheard.bind(("127.0.0.1", 0))
        at.port = unheard.getsockname()[1]
        gone = await bench.courier.send(bench.sink(at), notice())
    assert (gone.outcome, gone.words) == (Outcome.LATER, "no connection: ConnectError")


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    bench = Bench()
    async with receiving("webhook", "drip") as at:
        assert (await bench.courier.send(bench.sink(at), notice())).outcome is Outcome.DELIVERED


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_never_followed(status: int) -> None:
    bench = Bench()
    async with receiving() as other, receiving("webhook", (status, {"location": other.url}, "")) as at:
        answer = await bench.courier.send(bench.sink(at), notice())
    assert answer.outcome is Outcome.REFUSED
    assert "redirect" in answer.words
    assert other.posts == []


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "fd00:ec2::254",
     "100.100.100.200", "10.0.0.8", "127.0.0.1", "::1", "203.0.113.7"],
)  # fmt: skip
async def test_addresses_that_are_never_or_not_yet_reached(address: str) -> None:
    bench = Bench(loopback=False)
    bench.names = {"alerts.example": [["198.51.100.9", address]]}
    answer = await bench.courier.send(sink(), notice())
    assert answer.outcome is Outcome.REFUSED
    assert address in answer.words
    assert "networks" in answer.hint


async def test_a_second_answer_of_the_resolver_changes_nothing() -> None:
    """Judged once, and the connection goes to what was judged: a name that moves to a metadata address moves nobody."""
    bench = Bench()
    async with receiving() as at:
        bench.names = {"alerts.example": [["127.0.0.1"], ["169.254.169.254"]]}
        given = sink(url=f"http://alerts.example:{at.port}/x")
        assert (await bench.courier.send(given, notice())).outcome is Outcome.DELIVERED
        assert (await bench.courier.send(given, notice())).outcome is Outcome.REFUSED
    assert [post.headers["host"] for post in at.posts] == [f"alerts.example:{at.port}"]


@pytest.mark.parametrize(
    ("url", "word"),
    [
        (f"https://user:{CANARY}@x.example/", "a user in it"),
        (f"ftp://x.example/{CANARY}", "neither http nor https"),
        (f"https://x.example:{CANARY}/", "not a URL"),
        (f"https://x.example:99999/{CANARY}", "port that there is not"),
        (f"/{CANARY}", "neither http nor https"),
    ],
)
async def test_an_address_behind_a_reference_that_cannot_be_used_is_said_and_not_shown(url: str, word: str) -> None:
    bench = Bench(URL=url)
    answer = await bench.courier.send(sink(kind="slack", url="env:URL", secret=""), notice())
    assert answer.outcome is Outcome.REFUSED
    assert word in answer.words
    assert CANARY not in repr(answer)
    assert await bench.courier.look(sink(kind="slack", url="env:URL", secret="")) == answer.words


async def test_what_a_receiver_repeats_of_a_key_is_taken_out() -> None:
    bench, said = Bench(), json.dumps({"errors": [f"routing_key {ROUTING} is unknown\x1b[2J", "token=c4n4ryc4n4ry"]})
    async with receiving("pagerduty", (400, {}, said)) as at:
        answer = await bench.courier.send(bench.sink(at, "pagerduty"), notice())
    assert answer.words.startswith("answered 400: routing_key [redacted] is unknown")
    assert ROUTING not in answer.words
    assert "c4n4ry" not in answer.words
    assert answer.words.isprintable()


async def test_plain_http_is_spoken_only_where_a_network_was_opened() -> None:
    bench = Bench(loopback=False)
    bench.names = {"alerts.example": [["198.51.100.9"]]}
    answer = await bench.courier.send(sink(url="http://alerts.example/x"), notice())
    assert answer.outcome is Outcome.REFUSED
    assert "plain http" in answer.words


async def test_tls_is_checked_against_the_name_at_the_judged_address(tmp_path: Path) -> None:
    bench, authority = Bench(), trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("alerts.example").configure_cert(context)
    bench.names = {"alerts.example": [["127.0.0.1"]], "other.example": [["127.0.0.1"]]}
    async with receiving(tls=context) as at:
        ca = {"ca_file": tmp_path / "ca.pem"}
        good = sink(url=f"https://alerts.example:{at.port}/x", **ca)
        assert (await bench.courier.send(good, notice())).outcome is Outcome.DELIVERED
        wrong = sink(url=f"https://other.example:{at.port}/x", **ca)
        assert (await bench.courier.send(wrong, notice())).outcome is Outcome.LATER
    assert len(at.posts) == 1


async def test_no_secret_in_an_answer_a_log_or_a_printed_request(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)  # as the engine logs
    bench = Bench()
    echo = (403, {"x-echo": CANARY}, f"wrong: {CANARY}")
    said: list[str] = []
    for kind in ("slack", "webhook"):
        for script in (echo, "reset", (302, {"location": f"http://{CANARY}.example"}, CANARY), (200, {}, CANARY)):
            async with receiving(kind, script) as at:
                said.append(repr(await bench.courier.send(bench.sink(at, kind), notice())))
    bench.environ["URL"] = f"https://{CANARY} .example/"
    said.append(repr(await bench.courier.send(sink(kind="slack", url="env:URL", secret=""), notice())))
    said.append(repr(webhook.compose(notice(), f"https://x.example/{CANARY}", CANARY, 1)))
    assert CANARY not in "".join(said) + caplog.text
    assert len(said) == 10


async def test_a_secret_of_a_cluster_signs() -> None:
    bench = Bench()
    async with receiving() as at:
        given = sink(url=at.url, secret="secret:lazarus/hook/key", secret_context="prod")
        assert (await bench.courier.send(given, notice())).outcome is Outcome.DELIVERED
        missing = sink(url=at.url, secret="secret:lazarus/hook/other", secret_context="prod")
        answer = await bench.courier.send(missing, notice())
    assert (answer.outcome, len(at.posts)) == (Outcome.REFUSED, 1)
    assert "key other of Secret lazarus/hook" in answer.words
