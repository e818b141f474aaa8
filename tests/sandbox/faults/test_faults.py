"""The set of faults: repeatable by seed, bounded by times and time, checked when added, written down when they hit."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from fault_bench import MAPS, Bench, config_map

from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.faults.faults import LOG_SIZE, Faults
from lazarus_tui.sandbox.faults.kinds import KINDS
from lazarus_tui.sandbox.faults.model import PATH, FaultRefused, Hit, Match, Wanted
from lazarus_tui.sandbox.faults.parameters import seconds

ENDPOINT = PATH


async def pattern(seed: int, **more: Any) -> str:
    """Which of 60 reads were hit by a fault at 30 %; other requests in between change nothing."""
    bench = Bench()
    try:
        await bench.add("error", probability=0.3, seed=seed, match=Match(verbs=("list",)), **more)
        seen = ""
        for number in range(60):
            await bench.status("GET", f"{MAPS}/absent-{number}")
            seen += "x" if await bench.status("GET", MAPS) == 503 else "."
        return seen
    finally:
        await bench.close()


async def test_the_same_seed_and_requests_give_the_same_faults() -> None:
    one = await pattern(7)
    assert one == await pattern(7)
    assert one != await pattern(8)
    assert 8 <= one.count("x") <= 30


async def test_what_one_fault_does_does_not_depend_on_another() -> None:
    alone = await pattern(7)
    bench = Bench()
    await bench.add("latency", seconds=0, probability=0.5, seed=7)
    await bench.add("throttle", probability=0.5, match=Match(verbs=("get",)))
    await bench.add("error", probability=0.3, seed=7, match=Match(verbs=("list",)))
    seen = "".join(["x" if await bench.status("GET", MAPS) == 503 else "." for _ in range(60)])
    await bench.close()
    assert seen == alone


async def test_requests_at_the_same_time_share_the_number_of_times(bench: Bench) -> None:
    await bench.add("latency", seconds=1)
    await bench.add("error", times=2)
    asked = [asyncio.ensure_future(bench.status("GET", MAPS)) for _ in range(5)]
    await bench.clock.advance(2)
    assert sorted(await asyncio.gather(*asked)) == [200, 200, 200, 503, 503]


async def test_a_fault_ends_after_its_time(bench: Bench) -> None:
    fault = await bench.add("error", seconds_long=300)
    assert (fault.since, fault.until) == ("2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z")
    await bench.clock.advance(299)
    assert await bench.status("GET", MAPS) == 503
    await bench.clock.advance(1)
    assert await bench.status("GET", MAPS) == 200
    assert bench.faults.active() == []


@pytest.mark.parametrize(
    ("match", "hits"),
    [
        (Match(resources=("configmaps",)), ["list", "get", "create"]),
        (Match(resources=("*",), verbs=("create",)), ["create"]),
        (Match(namespaces=("other",)), []),
        (Match(names=("one",)), ["get"]),
        (Match(user_agent="LAZARUS"), ["list", "get", "create"]),
        (Match(user_agent="velero"), []),
        (Match(resources=("configmaps/status", "configmaps/*", "pods")), []),
        (Match(resources=("configmaps.apps", "*.velero.io")), []),
    ],
)
async def test_a_fault_is_done_only_to_what_it_is_meant_for(bench: Bench, match: Match, hits: list[str]) -> None:
    await bench.add("latency", seconds=0, match=match)
    agent = {"user-agent": "lazarus-0123"}
    await bench.ask("GET", MAPS, headers=agent)
    await bench.ask("GET", f"{MAPS}/one", headers=agent)
    await bench.ask("POST", MAPS, config_map("one"), headers=agent)
    assert [hit.target.split()[0] for hit in bench.faults.log] == hits


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Wanted("latncy"), "there is no fault 'latncy' - did you mean \"latency\"?"),
        (Wanted("latency"), "latency needs seconds: How late."),
        (Wanted("latency", {"second": 1}), "latency has no parameter 'second' - did you mean \"seconds\"?"),
        (Wanted("reset", {"bytes": 1}), "reset has no parameter 'bytes' (it has none)"),
        (Wanted("latency", {"seconds": "soon"}), "seconds is a time like 2, 500ms, 90s, 5m or 1h30m, not 'soon'"),
        (Wanted("latency", {"seconds": "100h"}), "seconds lies between 0 and 86400, not at 100h"),
        (Wanted("error", {"status": 200}), "status lies between 400 and 599, not at 200"),
        (Wanted("error", {"status": "often"}), "status must be a whole number, not 'often'"),
        (Wanted("error", {"body": "htlm"}), "body is one of status, html, not 'htlm' - did you mean \"html\"?"),
        (Wanted("error", {"after": "yes"}), "after is either true or false, not 'yes'"),
        (Wanted("webhook-denied", {"message": 5}), "message must be a text, not 5"),
        (Wanted("reset", probability=0.0), "the rate lies above 0 and at most at 1 (100%), not at 0"),
        (Wanted("reset", probability=20.0), "the rate lies above 0 and at most at 1 (100%), not at 20"),
        (Wanted("reset", times=0), "times is at least 1, not 0"),
        (Wanted("reset", seconds=0.0), "a fault lasts longer than no time at all"),
        (Wanted("cut", {"bytes": 1}, Match(verbs=("create",))), "cannot be done to verb 'create' (only to watch, list"),
        (Wanted("reset", match=Match(verbs=("lst",))), "reset cannot be done to verb 'lst' - did you mean \"list\"?"),
    ],
)
async def test_what_cannot_be_is_refused_in_one_sentence(bench: Bench, wanted: Wanted, why: str) -> None:
    with pytest.raises(FaultRefused) as refused:
        await bench.faults.add(wanted)
    assert why in str(refused.value)
    assert bench.faults.active() == []


def test_times_are_read_as_people_write_them() -> None:
    assert [seconds(text) for text in ("2", "500ms", "90s", "5m", "1h30m", "2.5s", 3)] == [
        2,
        0.5,
        90,
        300,
        5400,
        2.5,
        3,
    ]
    for wrong in ("", "5x", "m5", "5m 3s", "-1", "1e3", True, "5m3"):
        with pytest.raises(FaultRefused):
            seconds(wrong)


def test_every_kind_has_an_example_that_begins_with_its_name() -> None:
    assert [kind.example.split()[0] for kind in KINDS] == [kind.name for kind in KINDS]
    assert len({kind.name for kind in KINDS}) == len(KINDS)


async def test_the_log_is_bounded_and_says_what_it_lost() -> None:
    faults = Faults(VirtualClock())
    fault = await faults.add(Wanted("reset"))
    (active,) = faults._active.values()
    for number in range(LOG_SIZE + 3):
        faults.hit(active, f"request {number}", "reset")
    assert (len(faults.log), faults.dropped) == (LOG_SIZE, 3)
    assert faults.log[0] == Hit("2026-01-01T00:00:00.000Z", fault.id, "reset", "request 3", "reset")
    await faults.close()


# --- the private endpoint


async def test_the_endpoint_adds_tells_and_clears(bench: Bench) -> None:
    body = {"kind": "error", "parameters": {"status": 500}, "match": {"verbs": ["list"]}, "times": 5}
    added = json.loads((await bench.ask("POST", ENDPOINT, body)).body)["faults"][0]
    assert (added["id"], added["parameters"]["status"], added["match"]) == ("error-1", 500, {"verbs": ["list"]})
    assert await bench.status("GET", MAPS) == 500
    told = json.loads((await bench.ask("GET", ENDPOINT)).body)
    assert [one["hits"] for one in told["faults"]] == [1]
    assert [(hit["fault"], hit["target"], hit["done"]) for hit in told["log"]] == [
        ("error-1", f"list {MAPS}", "answered 500")
    ]
    cleared = json.loads((await bench.ask("DELETE", ENDPOINT, id="error-1")).body)
    assert [one["id"] for one in cleared["faults"]] == ["error-1"]
    assert await bench.status("GET", MAPS) == 200
    gone = await bench.ask("DELETE", ENDPOINT, id="error-1")
    assert (gone.status, json.loads(gone.body)["message"]) == (422, "no fault 'error-1' is active")


@pytest.mark.parametrize(
    ("body", "status", "why"),
    [
        ({"kind": "reset", "tims": 3}, 422, "a fault has no field 'tims' - did you mean \"times\"?"),
        ({"kind": "reset", "match": {"verb": ["list"]}}, 422, "match has no field 'verb' - did you mean \"verbs\"?"),
        ({"kind": "rest"}, 422, "there is no fault 'rest' - did you mean \"reset\"?"),
        ({"kind": 5}, 400, "this is not a fault: Expected `str`, got `int` - at `$.kind`"),
        ([], 400, "a fault is a JSON object"),
    ],
)
async def test_the_endpoint_refuses_in_one_sentence(bench: Bench, body: Any, status: int, why: str) -> None:
    answer = await bench.ask("POST", ENDPOINT, body)
    assert (answer.status, json.loads(answer.body)["message"]) == (status, why)


async def test_the_endpoint_is_there_for_the_administrator_alone(bench: Bench) -> None:
    for headers in ({"authorization": "Bearer wrong"}, {"authorization": "Basic first"}):
        assert await bench.status("GET", ENDPOINT, headers=headers) == 404
    assert await bench.status("PUT", ENDPOINT, {}) == 405
    assert await bench.status("GET", f"/api{ENDPOINT}") == 404


async def test_no_fault_touches_the_endpoint_itself(bench: Bench) -> None:
    await bench.add("reset")
    await bench.add("token-expired", renew=False)
    assert await bench.status("GET", MAPS) == "ConnectionResetError"
    assert await bench.status("DELETE", ENDPOINT) == 200
    assert await bench.status("GET", MAPS) == 200
