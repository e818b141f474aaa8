"""The three layers of the watch, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from kube_fakes import ManualClock, Script, ScriptedTransport, Stream, answer, settle, status

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.kube.errors import Expired, Forbidden, ServerFault, Unexpected
from lazarus_tui.kube.watch import MAX_LINE, Batch, TooLong, follow, parse_event, split_lines
from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.objects import Backup
from lazarus_tui.model.resources import BACKUPS

REQUEST = HttpRequest("GET", "/apis/velero.io/v1/backups")


def backup(name: str, version: int = 1, phase: str = "") -> dict[str, Any]:
    meta = {"name": name, "namespace": "velero", "resourceVersion": str(version)}
    return {"kind": "Backup", "metadata": meta, "status": {"phase": phase}}


def event(kind: str, name: str, version: int, phase: str = "") -> bytes:
    return json.dumps({"type": kind, "object": backup(name, version, phase)}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    body = {"type": "BOOKMARK", "object": {"kind": "Backup", "metadata": {"resourceVersion": str(version)}}}
    return json.dumps(body).encode() + b"\n"


def gone() -> bytes:
    body = {"kind": "Status", "message": "too old resource version: 1 (627)", "reason": "Expired", "code": 410}
    return json.dumps({"type": "ERROR", "object": body}).encode() + b"\n"


def listed(version: int, *names: str, rest: str = "") -> Any:
    meta = {"resourceVersion": str(version), "continue": rest}
    return answer({"kind": "BackupList", "metadata": meta, "items": [backup(name) for name in names]})


class Watched:
    """A follower read by a task, so that batches pile up while the test moves the clock."""

    def __init__(self, *script: Script, streams: list[Stream | Exception]) -> None:
        self.clock = ManualClock(auto=False)
        self.transport = ScriptedTransport(*script)
        self.transport.streams = streams
        self.cluster = Cluster(self.transport, "test", self.clock, rng=lambda: 0.0)
        self.batches: list[Batch[Backup]] = []

    async def _read(self) -> None:
        async with aclosing(follow(self.cluster, BACKUPS, "velero", type=Backup)) as batches:
            async for batch in batches:
                self.batches.append(batch)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._read())
        try:
            await settle()
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def asked(self) -> list[dict[str, str]]:
        return [dict(request.query) for request in self.transport.sent]

    def stale(self) -> list[str]:
        return [batch.reason for batch in self.batches if batch.kind == "stale"]


def stream(*parts: bytes | Exception | asyncio.Event, code: int = 200) -> Stream:
    return Stream(code, {"content-type": "application/json"}, list(parts))


def hang() -> asyncio.Event:
    return asyncio.Event()


async def test_pages_come_early_then_changes_from_the_lists_version() -> None:
    seen = Watched(
        listed(5, "a", "b", rest="more"),
        listed(5, "c"),
        streams=[stream(event("ADDED", "d", 6), event("DELETED", "a", 7), hang())],
    )
    async with seen.running():
        first, second, *rest = seen.batches
        assert (first.kind, first.complete, [item.metadata.name for item in first.items]) == (
            "snapshot",
            False,
            ["a", "b"],
        )
        assert (second.kind, second.complete, [item.metadata.name for item in second.items]) == (
            "snapshot",
            True,
            ["c"],
        )
        assert [item.metadata.name for batch in rest for item in batch.items] == ["d"]
        assert [name for batch in rest for name in batch.removed] == ["velero/a"]
        watch = seen.asked[2]
        assert watch["resourceVersion"] == "5"
        assert watch["allowWatchBookmarks"] == "true"
        assert 240 <= int(watch["timeoutSeconds"]) <= 300


async def test_many_changes_of_one_object_are_one_item() -> None:
    storm = b"".join(event("MODIFIED", "a", n, f"p{n}") for n in range(2, 250))
    seen = Watched(listed(1, "a"), streams=[stream(storm, hang())])
    async with seen.running():
        items = [item for batch in seen.batches[1:] for item in batch.items]
        assert [item.status.phase for item in items] == ["p249"]


async def test_a_storm_does_not_stop_the_event_loop() -> None:
    storm = b"".join(event("MODIFIED", f"b{n}", n) for n in range(2, 5002))
    seen = Watched(listed(1), streams=[stream(storm, hang())])
    async with seen.running():
        await settle()
        sizes = [len(batch.items) for batch in seen.batches[1:]]
        assert sum(sizes) == 5000
        assert max(sizes) <= 500


async def test_deleted_then_added_again_is_an_item_and_not_removed() -> None:
    seen = Watched(listed(1, "a"), streams=[stream(event("DELETED", "a", 2) + event("ADDED", "a", 3), hang())])
    async with seen.running():
        batch = seen.batches[-1]
        assert ([item.metadata.resource_version for item in batch.items], list(batch.removed)) == (["3"], [])


@pytest.mark.parametrize("cut", range(0, len(event("MODIFIED", "a", 9)), 7))
async def test_a_reset_anywhere_in_an_event_resumes_at_the_last_version(cut: int) -> None:
    whole = event("MODIFIED", "a", 9)
    seen = Watched(
        listed(5, "a"),
        streams=[stream(bookmark(6), whole[:cut], ConnectionResetError("reset")), stream(whole, hang())],
    )
    async with seen.running():
        await seen.clock.advance(1)
        assert seen.asked[-1]["resourceVersion"] == "6"
        assert seen.stale() == ["reset"]
        assert seen.batches[-1].items[0].metadata.resource_version == "9"


async def test_expiry_lists_again_and_reports_what_vanished_without_a_word_of_staleness() -> None:
    seen = Watched(listed(5, "a", "b"), listed(9, "b", "c"), streams=[stream(bookmark(6), gone()), stream(hang())])
    async with seen.running():
        again = [batch for batch in seen.batches if batch.kind == "snapshot"][-1]
        assert list(again.removed) == ["velero/a"]
        assert [item.metadata.name for item in again.items] == ["b", "c"]
        assert seen.stale() == []
        assert "resourceVersion" not in seen.asked[2]


async def test_a_server_that_always_says_expired_is_not_hammered() -> None:
    lists = [listed(n, "a") for n in range(50)]
    seen = Watched(*lists, streams=[stream(gone()) for _ in range(50)])
    async with seen.running():
        await seen.clock.advance(60)
        assert len(seen.asked) < 20
        assert seen.stale()


async def test_http_410_on_the_watch_lists_again() -> None:
    body = json.dumps({"kind": "Status", "code": 410, "reason": "Expired"}).encode()
    seen = Watched(listed(5, "a"), listed(6, "a"), streams=[stream(body, code=410), stream(hang())])
    async with seen.running():
        assert [batch.kind for batch in seen.batches] == ["snapshot", "snapshot", "events"]


async def test_silence_of_70_seconds_is_the_end_of_a_stream() -> None:
    seen = Watched(listed(5, "a"), streams=[stream(hang()), stream(event("ADDED", "b", 6), hang())])
    async with seen.running():
        await seen.clock.advance(69)
        assert seen.stale() == []
        await seen.clock.advance(2)
        assert seen.stale() == ["nothing was heard for 70 s"]
        assert seen.batches[-1].items[0].metadata.name == "b"
        assert seen.asked[-1]["resourceVersion"] == "5"


async def test_bookmarks_keep_a_quiet_stream_alive_and_say_so() -> None:
    gates = [hang() for _ in range(4)]
    parts: list[Any] = []
    for number, gate in enumerate(gates):
        parts += [gate, bookmark(10 + number)]
    seen = Watched(listed(5, "a"), streams=[stream(*parts, hang())])
    async with seen.running():
        for gate in gates:
            before = len(seen.batches)
            await seen.clock.advance(60)
            gate.set()
            await settle()
            assert len(seen.batches) == before + 1
        assert seen.stale() == []
        assert len(seen.asked) == 2


async def test_a_server_that_hangs_up_at_once_is_asked_ever_more_rarely() -> None:
    seen = Watched(listed(5, "a"), streams=[stream() for _ in range(500)])
    async with seen.running():
        await seen.clock.advance(60)
        early = len(seen.asked)
        await seen.clock.advance(60)
        assert early <= 10
        assert len(seen.asked) - early <= 5
        assert set(seen.stale()) == {"the watch was closed at once"}


async def test_an_ordinary_end_reconnects_quietly_at_the_last_version() -> None:
    gate = hang()
    seen = Watched(listed(5, "a"), streams=[stream(bookmark(8), gate), stream(hang())])
    async with seen.running():
        await seen.clock.advance(30)
        gate.set()
        await seen.clock.advance(1)
        assert seen.asked[-1]["resourceVersion"] == "8"
        assert seen.stale() == []


async def test_no_api_for_a_minute_then_everything_resumes() -> None:
    down: list[Stream | Exception] = [ConnectionRefusedError("refused") for _ in range(5)]
    seen = Watched(listed(5, "a"), streams=[stream(bookmark(7), ConnectionResetError("gone")), *down, stream(hang())])
    async with seen.running():
        await seen.clock.advance(70)
        assert len(seen.stale()) == 6
        assert seen.batches[-1].kind == "events"
        assert seen.asked[-1]["resourceVersion"] == "7"


async def test_a_server_that_came_back_with_a_shorter_memory_is_listed_at_once() -> None:
    """As after a restart: it has answered, so what was waited for while it did not is over."""
    down: list[Stream | Exception] = [ConnectionRefusedError("refused") for _ in range(5)]
    seen = Watched(listed(5, "a"), listed(900, "b"), streams=[*down, stream(gone()), stream(hang())])
    async with seen.running():
        await seen.clock.advance(60)
        assert seen.stale() == ["refused"] * 5, "that its versions are newer is no trouble of anybody's"
        listing, watch = seen.asked[-2:]
        assert ("watch" in listing, watch["resourceVersion"]) == (False, "900")


async def test_a_proxy_page_is_staleness_not_events() -> None:
    page = Stream(502, {"content-type": "text/html"}, [b"<html>Bad Gateway</html>"])
    html = Stream(200, {"content-type": "text/html"}, [b"<html>\n<body>\n"])
    seen = Watched(listed(5, "a"), listed(6, "a"), streams=[page, html, stream(hang())])
    async with seen.running():
        await seen.clock.advance(10)
        errors = [batch.error for batch in seen.batches if batch.kind == "stale"]
        assert [type(error) for error in errors] == [ServerFault, Unexpected]
        assert seen.batches[-1].kind == "events"


async def test_retry_after_is_honoured_by_the_watch() -> None:
    busy = Stream(429, {"retry-after": "20"}, [b""])
    seen = Watched(listed(5, "a"), streams=[busy, stream(hang())])
    async with seen.running():
        await seen.clock.advance(19)
        assert len(seen.asked) == 2
        await seen.clock.advance(2)
        assert len(seen.asked) == 3


async def test_forbidden_lists_are_reported_with_their_error_and_tried_again() -> None:
    seen = Watched(status(403, "backups is forbidden"), listed(1, "a"), streams=[stream(hang())])
    async with seen.running():
        assert isinstance(seen.batches[0].error, Forbidden)
        await seen.clock.advance(2)
        assert [batch.kind for batch in seen.batches] == ["stale", "snapshot", "events"]


async def test_an_event_too_long_is_fetched_by_listing() -> None:
    half = b'{"type":"ADDED","object":{"x":"' + b"x" * (MAX_LINE // 2)
    seen = Watched(listed(5, "a"), listed(9, "a", "big"), streams=[stream(half, half, half), stream(hang())])
    async with seen.running():
        await seen.clock.advance(2)
        assert [item.metadata.name for item in seen.batches[-2].items] == ["a", "big"]


async def test_a_5_mb_line_in_small_pieces_is_one_event() -> None:
    fat = backup("fat", 6)
    fat["spec"] = {"ttl": "x" * 5_000_000}
    text = json.dumps({"type": "ADDED", "object": fat}).encode() + b"\n"
    pieces = [text[start : start + 65536] for start in range(0, len(text), 65536)]
    seen = Watched(listed(5, "a"), streams=[stream(*pieces, hang())])
    async with seen.running():
        await seen.clock.advance(0)
        await settle()
        found = [item for batch in seen.batches for item in batch.items if item.metadata.name == "fat"]
        assert len(found[0].spec.ttl) == 5_000_000


async def test_closing_the_iterator_leaves_no_task() -> None:
    before = asyncio.all_tasks()
    seen = Watched(listed(5, "a"), streams=[stream(hang())])
    async with seen.running():
        assert len(asyncio.all_tasks()) > len(before)
    assert asyncio.all_tasks() == before


async def collect(*chunks: bytes) -> list[bytes]:
    async def source() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [text async for text in split_lines(REQUEST, source())]


async def test_lines_do_not_depend_on_chunk_borders_and_a_cut_line_is_dropped() -> None:
    text = b'{"a":1}\n\n{"b":2}\r\n{"c":'
    for size in range(1, len(text) + 1):
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        assert [line.strip() for line in await collect(*pieces)] == [b'{"a":1}', b'{"b":2}']
    with pytest.raises(TooLong):
        await collect(b"x" * MAX_LINE, b"x")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (b'{"type":"ERROR","object":{"code":410}}', Expired),
        (b'{"type":"ERROR","object":{"reason":"Expired"}}', Expired),
        (b'{"type":"ERROR","object":{"message":"RequestWatchProgress is disabled","code":500}}', ServerFault),
        (b'{"type":"ERROR","object":{}}', ServerFault),
        (b'{"type":"ERROR"}', ServerFault),
        (b'{"type":"ERROR","object":"boom"}', ServerFault),
        (b'{"type":"NEWS","object":{}}', Unexpected),
        (b'{"type":"ADDED","object":7}', Unexpected),
        (b"<html>", Unexpected),
        (b"\xff", Unexpected),
        (b"{}", Unexpected),
    ],
)
def test_errors_and_junk_in_a_stream_are_typed(text: bytes, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        parse_event(REQUEST, text, Backup)
