"""What each fault does to a request: before it is carried out, or to its answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from fault_bench import MAPS, MERGE, Bench, config_map

from lazarus_tui.sandbox.faults.model import Match


def message(raw: bytes) -> str:
    return str(json.loads(raw)["message"])


async def test_errors_come_as_a_status_or_as_a_balancers_page(bench: Bench) -> None:
    await bench.add("error", status=502, body="html", times=1)
    page = await bench.ask("GET", MAPS)
    assert (page.status, page.headers["content-type"]) == (502, "text/html")
    assert b"502 Bad Gateway" in page.body

    await bench.add("error", status=503, retry_after=7, times=1)
    busy = await bench.ask("GET", MAPS)
    assert (busy.status, busy.headers["retry-after"]) == (503, "7")
    assert json.loads(busy.body)["reason"] == "ServiceUnavailable"
    assert json.loads(busy.body)["details"]["retryAfterSeconds"] == 7
    assert await bench.status("GET", MAPS) == 200
    assert bench.faults.active() == []


async def test_throttling_is_plain_text_with_retry_after(bench: Bench) -> None:
    await bench.add("throttle", retry_after=3, times=1)
    answer = await bench.ask("GET", MAPS)
    assert (answer.status, answer.headers["retry-after"]) == (429, "3")
    assert answer.body == b"Too many requests, please try again later.\n"


@pytest.mark.parametrize(
    ("kind", "parameters", "seen", "made"),
    [
        ("reset", {}, "ConnectionResetError", False),
        ("reset-after", {}, "ConnectionResetError", True),
        ("error", {}, 503, False),
        ("error", {"after": True}, 503, True),
        ("etcd", {}, 500, False),
        ("etcd", {"after": True, "text": "leader-changed"}, 500, True),
        ("stall", {}, "TimeoutError", False),
        ("stall", {"after": True}, "TimeoutError", True),
        ("throttle", {}, 429, False),
        ("webhook-denied", {}, 400, False),
        ("webhook-failing", {}, 500, False),
        ("forbidden", {}, 403, False),
        ("conflict", {}, 409, False),
        ("token-expired", {}, 401, False),
    ],
)
async def test_a_write_is_carried_out_or_not(
    bench: Bench, kind: str, parameters: dict[str, Any], seen: int | str, made: bool
) -> None:
    await bench.add(kind, match=Match(verbs=("create",)), **parameters)
    task = bench.status("POST", MAPS, config_map("one"), timeout=5.0)
    running = asyncio.ensure_future(task)
    await bench.clock.advance(6)
    assert await running == seen
    await bench.faults.clear()
    assert (await bench.status("GET", f"{MAPS}/one") == 200) is made


async def test_what_the_api_says_is_said_in_its_words(bench: Bench) -> None:
    bench.map("one")
    patch = {"data": {"a": "b"}}

    async def said(kind: str, **parameters: Any) -> str:
        fault = await bench.add(kind, **parameters)
        answer = await bench.ask("PATCH", f"{MAPS}/one", patch, type=MERGE)
        await bench.faults.clear(fault.id)
        return message(answer.body)

    assert await said("webhook-denied", webhook="w.example.com", message="no") == (
        'admission webhook "w.example.com" denied the request: no'
    )
    assert await said("webhook-failing", why="timeout") == (
        'Internal error occurred: failed calling webhook "policy.example.com": failed to call webhook: '
        'Post "https://policy.policy.svc:443/validate?timeout=10s": context deadline exceeded'
    )
    assert await said("forbidden") == (
        'configmaps "one" is forbidden: User "lazarus-admin" cannot patch resource "configmaps" in API group "" '
        'in the namespace "shop"'
    )
    assert await said("conflict") == (
        'Operation cannot be fulfilled on configmaps "one": the object has been modified; please apply your changes '
        "to the latest version and try again"
    )
    assert await said("etcd", text="no-space") == "etcdserver: mvcc: database space exceeded"


async def test_reads_are_left_alone_by_faults_of_writes(bench: Bench) -> None:
    for kind in ("webhook-denied", "webhook-failing", "conflict", "reset-after"):
        await bench.add(kind)
    assert await bench.status("GET", MAPS) == 200


async def test_latency_delays_by_the_clock_and_within_its_jitter(bench: Bench) -> None:
    await bench.add("latency", seconds="2s", jitter="500ms")
    running = asyncio.ensure_future(bench.status("GET", MAPS))
    await bench.clock.advance(1.9)
    assert not running.done()
    await bench.clock.advance(0.7)
    assert await running == 200
    assert 2.0 <= float(bench.faults.log[-1].done.split()[1]) <= 2.5


async def test_a_withdrawn_right_is_withdrawn_in_reviews_too(bench: Bench) -> None:
    await bench.add("forbidden", match=Match(verbs=("create",), resources=("restores.velero.io",)))

    async def allowed(verb: str, group: str, resource: str) -> bool:
        attributes = {"verb": verb, "group": group, "resource": resource, "namespace": "velero"}
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = await bench.ask("POST", path, body | {"spec": {"resourceAttributes": attributes}})
        assert answer.status == 201
        return bool(json.loads(answer.body)["status"]["allowed"])

    assert not await allowed("create", "velero.io", "restores")
    assert await allowed("get", "velero.io", "restores")
    assert await allowed("create", "velero.io", "backups")


async def test_only_reads_of_any_version_are_stale(bench: Bench) -> None:
    bench.map("old", a="1")
    for value in "23456":
        await bench.ask("PATCH", f"{MAPS}/old", {"data": {"a": value}}, type=MERGE)
    bench.map("new")
    await bench.add("stale", versions=3)

    listed = json.loads((await bench.ask("GET", MAPS, resourceVersion="0")).body)
    assert [(one["metadata"]["name"], one["data"]["a"]) for one in listed["items"]] == [("old", "4")]
    assert int(listed["metadata"]["resourceVersion"]) == bench.store.revision - 3
    one = json.loads((await bench.ask("GET", f"{MAPS}/old", resourceVersion="0")).body)
    assert (one["kind"], one["apiVersion"], one["data"]["a"]) == ("ConfigMap", "v1", "4")
    assert await bench.status("GET", f"{MAPS}/new", resourceVersion="0") == 404

    assert json.loads((await bench.ask("GET", f"{MAPS}/old")).body)["data"]["a"] == "6"
    assert await bench.status("GET", f"{MAPS}/new") == 200
    assert len(bench.faults.log) == 3


async def test_stale_is_not_older_than_what_is_remembered(bench: Bench) -> None:
    bench.map("old")
    bench.store.compact()
    bench.map("new")
    await bench.add("stale", versions=50)
    listed = json.loads((await bench.ask("GET", MAPS, resourceVersion="0")).body)
    assert [one["metadata"]["name"] for one in listed["items"]] == ["old"]


async def test_an_expired_token_is_refused_until_it_is_renewed(bench: Bench) -> None:
    await bench.add("token-expired", seconds_long=30)
    old = {"authorization": "Bearer first"}
    assert await bench.status("GET", MAPS, headers=old) == 401
    await bench.clock.advance(30)
    assert bench.tokens == ["token-0"]
    assert await bench.status("GET", MAPS, headers=old) == 401
    assert await bench.status("GET", MAPS, headers={"authorization": "Bearer token-0"}) == 200


async def test_a_token_that_is_not_renewed_is_good_again(bench: Bench) -> None:
    fault = await bench.add("token-expired", renew=False)
    assert await bench.status("GET", MAPS) == 401
    await bench.faults.clear(fault.id)
    assert (bench.tokens, await bench.status("GET", MAPS)) == ([], 200)


async def test_an_answer_cut_in_the_middle_breaks(bench: Bench) -> None:
    bench.map("one")
    await bench.add("cut", bytes=20, match=Match(verbs=("list",)), times=1)
    assert await bench.status("GET", MAPS) == "ConnectionResetError"
    await bench.add("cut", bytes=20, end="close", match=Match(verbs=("list",)), times=1)
    assert len((await bench.ask("GET", MAPS)).body) == 20
