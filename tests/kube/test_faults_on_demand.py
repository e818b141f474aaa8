"""Every fault of the sandbox against every kind of request: the outcome table of the failure model, line by line.

Columns: how a read ends and how often it was sent, how a write ends and whether it was carried out. Writes are always
sent once; reads of what may mend are sent five times, with growing pauses.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from faulty_place import Place, assert_no_hot_loop
from sandbox_world import Config, config

from lazarus_tui.kube.errors import (
    AuthError,
    Conflict,
    Denied,
    Expired,
    Forbidden,
    KubeError,
    Pushback,
    ServerFault,
    TimedOut,
    Unexpected,
    Unreachable,
    WebhookDown,
)
from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.model.steps import Outcome


@dataclass(frozen=True)
class Line:
    """One line of the table. ``reads`` is how often a read is sent; None where the fault cannot be done to it."""

    kind: str
    parameters: dict[str, Any]
    read: type[KubeError] | None
    reads: int
    write: type[KubeError] | None
    outcome: Outcome = Outcome.AMBIGUOUS
    applied: bool = False


A, P = Outcome.AMBIGUOUS, Outcome.PUSHBACK
TABLE = [
    Line("reset", {}, Unreachable, 5, Unreachable, A),
    Line("reset-after", {}, Unreachable, 5, Unreachable, A, True),
    Line("stall", {}, TimedOut, 5, TimedOut, A),
    Line("stall", {"after": True}, TimedOut, 5, TimedOut, A, True),
    Line("error", {"status": 500}, ServerFault, 5, ServerFault, A),
    Line("error", {"status": 500, "after": True}, ServerFault, 5, ServerFault, A, True),
    Line("error", {"status": 502, "body": "html"}, ServerFault, 5, ServerFault, A),
    Line("error", {"status": 502, "body": "html", "after": True}, ServerFault, 5, ServerFault, A, True),
    Line("error", {"status": 503}, ServerFault, 5, ServerFault, A),
    Line("error", {"status": 503, "retry-after": 7}, Pushback, 5, Pushback, P),
    Line("error", {"status": 504, "after": True}, TimedOut, 5, TimedOut, A, True),
    Line("error", {"status": 507}, Unexpected, 1, Unexpected, Outcome.UNKNOWN),
    Line("throttle", {"retry-after": 3}, Pushback, 5, Pushback, P),
    Line("etcd", {}, ServerFault, 5, ServerFault, A),
    Line("etcd", {"text": "leader-changed", "after": True}, ServerFault, 5, ServerFault, A, True),
    Line("etcd", {"text": "no-space"}, ServerFault, 5, ServerFault, A),
    Line("latency", {"seconds": 9}, None, 1, None, Outcome.APPLIED, True),
    Line("latency", {"seconds": 90}, TimedOut, 5, TimedOut, A),
    Line("latency", {"seconds": 90, "after": True}, TimedOut, 5, TimedOut, A, True),
    Line("token-expired", {}, AuthError, 1, AuthError, Outcome.AUTH),
    Line("forbidden", {}, Forbidden, 1, Forbidden, Outcome.FORBIDDEN),
    Line("cut", {"bytes": 10}, Unreachable, 5, None, Outcome.APPLIED, True),
    Line("cut", {"bytes": 10, "end": "close"}, Unexpected, 1, None, Outcome.APPLIED, True),
    Line("trickle", {"rate-bytes": 1}, TimedOut, 5, None, Outcome.APPLIED, True),
    Line("webhook-denied", {}, None, 1, Denied, Outcome.PERMANENT),
    Line("webhook-failing", {}, None, 1, WebhookDown, P),
    Line("conflict", {}, None, 1, Conflict, Outcome.CONFLICT),
    Line("stale", {}, None, 1, None, Outcome.APPLIED, True),
]
READ_VERBS, WRITE_VERBS = ("get", "list"), ("create", "patch", "delete")


def verbs_of(line: Line, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Those of ``wanted`` that the fault can be done to; none means all that it can."""
    if line.kind in ("cut", "trickle", "stale"):
        return READ_VERBS
    return WRITE_VERBS if line.kind in ("webhook-denied", "webhook-failing", "conflict") else wanted


def named(line: Line) -> str:
    return "-".join([line.kind, *(str(value) for value in line.parameters.values())])


@pytest.mark.parametrize("line", TABLE, ids=named)
async def test_a_read_ends_as_the_table_says(place: Place, line: Line) -> None:
    place.api.create(CONFIGMAPS, config("one", text="x" * 40), "shop")
    await place.add(line.kind, verbs_of(line, READ_VERBS), **line.parameters)

    async def listed() -> Config:
        (found,) = await place.cluster.list(CONFIGMAPS, "shop", type=Config)
        return found

    reads = (lambda: place.cluster.get(CONFIGMAPS, "one", "shop", type=Config), listed)
    for number, read in enumerate(reads, 1):
        if line.read is None:
            found = await place.passing(read())
            assert found is not None
            assert found.data == {"text": "x" * 40}
        else:
            with pytest.raises(line.read) as caught:
                await place.passing(read())
            assert type(caught.value) is line.read
        assert len(place.wire.sent) == number * line.reads
    assert_no_hot_loop(place)


@pytest.mark.parametrize("line", TABLE, ids=named)
async def test_a_write_is_sent_once_and_its_end_is_known_for_what_it_is(place: Place, line: Line) -> None:
    uids = {
        name: place.api.create(CONFIGMAPS, config(name, n="0"), "shop")["metadata"]["uid"]
        for name in ("merged", "patched", "deleted")
    }
    await place.add(line.kind, verbs_of(line, WRITE_VERBS), **line.parameters)
    cluster, steps = place.cluster, [{"op": "replace", "path": "/data/n", "value": "1"}]
    merge = {"data": {"n": "1"}}
    writes = (
        lambda: cluster.create(CONFIGMAPS, config("made"), "shop"),
        lambda: cluster.merge_patch(CONFIGMAPS, "merged", merge, "shop", uid=uids["merged"]),
        lambda: cluster.json_patch(CONFIGMAPS, "patched", steps, "shop", uid=uids["patched"]),
        lambda: cluster.delete(CONFIGMAPS, "deleted", "shop", uid=uids["deleted"]),
    )
    for number, write in enumerate(writes, 1):
        if line.write is None:
            await place.passing(write())
        else:
            with pytest.raises(line.write) as caught:
                await place.passing(write())
            assert type(caught.value) is line.write
            assert caught.value.outcome is line.outcome
        assert len(place.wire.sent) == number
    await place.faults.clear()
    await place.clock.advance(1)
    kept = {one["metadata"]["name"]: (one.get("data") or {}).get("n") for one in place.api.list(CONFIGMAPS, "shop")}
    done = {"made": None, "merged": "1", "patched": "1"}
    assert kept == (done if line.applied else {"deleted": "0", "merged": "0", "patched": "0"})


async def test_the_wait_that_a_server_asks_for_is_kept(place: Place) -> None:
    await place.add("throttle", retry_after=3, times=2)
    await place.passing(place.cluster.list(CONFIGMAPS, "shop", type=Config))
    times = [at for at, _ in place.wire.sent]
    assert len(times) == 3
    assert all(3.0 <= later - earlier <= 3.0 * 1.2 + 0.25 for earlier, later in pairwise(times))


async def test_a_list_whose_past_is_gone_begins_again(place: Place) -> None:
    for number in range(3):
        place.api.create(CONFIGMAPS, config(f"m{number}"), "shop")
    await place.add("gone", ("list",), times=1)

    async def by_pages() -> list[str]:
        found = []
        async for page in place.cluster.pages(CONFIGMAPS, "shop", type=Config, limit=1):
            found += [one.metadata.name for one in page.items]
        return found

    with pytest.raises(Expired):
        await place.passing(by_pages())
    assert await place.passing(by_pages()) == ["m0", "m1", "m2"]
