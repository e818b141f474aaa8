"""When things are not well: first runs, lost links, stale data. Data stays, the pane says why, nothing exits."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from lazarus_tui.model.parts import DOWN, RUNNING, Part
from lazarus_tui.view.source import LinkState
from tests.console import worlds
from tests.console.fake_link import FakeLink


async def test_a_lost_engine_keeps_the_data_with_its_age_and_greys_the_keys(opened, link):
    async with opened() as hands:
        await hands.press("2")
        link.lose("connection closed")
        await hands.settle()
        assert "▲ the engine does not answer; what you see is 12s old" in hands.text
        assert "ka-07-offsite-20261120093000" in hands.text
        assert "✗ engine gone" in hands.lines[0]
        await hands.press("j", "r")
        assert "restore: the engine does not answer" in hands.lines[-1]
        link.find()
        await hands.settle()
        assert "does not answer" not in "".join(hands.lines[:-1])
        assert len(hands.called("context.use")) == 2, "after a reconnect the context is asked for again"


async def test_an_attempt_to_reconnect_does_not_hide_the_loss(opened, link):
    async with opened() as hands:
        link.lose()
        hands.app.linked(LinkState.CONNECTING, "")
        await hands.settle()
        assert "✗ engine gone" in hands.lines[0]


async def test_stale_data_stays_with_its_age_and_reason(opened, link):
    async with opened() as hands:
        await hands.press("2")
        link.put(
            f"backups/{worlds.CONTEXT}",
            state="stale",
            reason="the API server does not answer",
            as_of=worlds.ago(minutes=2),
        )
        await hands.settle()
        assert "▲ STALE 2m00s  the API server does not answer; trying again" in hands.text
        assert "ka-07-offsite-20261120093000" in hands.text


async def test_why_data_is_old_is_told_to_its_end(opened, link):
    reason = "GET /apis/velero.io/v1/backups: 403: backups.velero.io is forbidden: user anna cannot list them in velero"
    async with opened(size=(80, 24)) as hands:
        await hands.press("2")
        link.put(f"backups/{worlds.CONTEXT}", state="stale", reason=reason, as_of=worlds.ago(minutes=2))
        await hands.settle()
        told = " ".join(hands.text.split())
        assert f"▲ STALE 2m00s {reason}; trying again" in told
        link.lose(f"cannot connect to the socket: {reason}")
        await hands.settle()
        assert f"cannot connect to the socket: {reason}" in " ".join(hands.text.split())


FIRST_RUNS = [
    ({}, {"state": "failed", "reason": "~/.kube/config does not exist"}, "No kubeconfig", "lazarus --sandbox"),
    (
        {"velero": (), "velero_namespace": "", "velero_version": ""},
        {},
        "There is no Velero in this cluster",
        "velero install",
    ),
    ({"velero": ("velero", "backup"), "velero_namespace": ""}, {}, "There are several Veleros here", "velero, backup"),
    (
        {"state": "failed", "reason": "connection refused", "hint": "is the VPN up?"},
        {},
        "cannot be reached",
        "is the VPN up?",
    ),
]


@pytest.mark.parametrize(
    ("row", "topic", "title", "helps"), FIRST_RUNS, ids=["kubeconfig", "velero", "several", "down"]
)
async def test_first_runs_say_what_is_missing_and_what_helps(row, topic, title, helps, opened, link):
    link.states.clear()
    if row:
        link.put("contexts", {worlds.CONTEXT: worlds.context(**row)})
        link.answers["context.use"] = worlds.context(**row)
    else:
        link.put("contexts", {}, **topic)
        link.answers["context.use"] = None
    async with opened() as hands:
        if len(row) != 3:  # the Overview shows workloads without a Velero too
            assert title in hands.text, "the first screen is never blank"
        await hands.press("2")
        assert title in hands.text
        assert helps in hands.text


async def test_a_forbidden_list_names_the_reason(opened, link):
    link.put(f"backups/{worlds.CONTEXT}", {}, state="failed", reason="backups.velero.io is forbidden: anna cannot list",
             hint="ask for get, list and watch on backups.velero.io")  # fmt: skip
    async with opened() as hands:
        await hands.press("2")
        assert "✗ backups cannot be listed" in hands.text
        assert "anna cannot list" in hands.text
        assert "→ ask for get, list and watch" in hands.text


async def test_loading_and_empty_are_told_apart(opened, link):
    del link.states[f"backups/{worlds.CONTEXT}"]
    async with opened() as hands:
        await hands.press("2")
        assert "loading backups from lazarus-sandbox" in hands.text
        link.put(f"backups/{worlds.CONTEXT}", {})
        await hands.settle()
        assert "no backups yet" in hands.text


async def test_a_context_that_is_unknown_is_not_switched_to(opened):
    async with opened() as hands:
        await hands.press("colon")
        await hands.type("backups @prod")
        await hands.press("enter")
        assert "there is no context prod" in hands.lines[-1]
        assert hands.app.context_name == worlds.CONTEXT


async def test_a_failing_console_shows_no_local_variables(link):
    from lazarus_tui.view import crash

    def fail() -> None:
        secret = "s3cr3t-token"
        raise KeyError("boom" + "\x1b[31m" + secret[:0])

    try:
        fail()
    except KeyError:
        text = crash.report()
    assert "s3cr3t" not in text
    assert "\x1b" not in text
    assert "KeyError" in text


def test_fake_link_has_the_shape_of_the_real_one():
    from lazarus_tui.link.client.topics import Topics

    for name in ("state", "want", "call", "run"):
        assert callable(getattr(Topics, name))
        assert callable(getattr(FakeLink, name))


async def test_a_link_that_fails_in_an_unforeseen_way_does_not_look_live(opened, link, monkeypatch):
    async def run() -> None:
        raise ValueError("not foreseen")

    monkeypatch.setattr(link, "run", run)
    async with opened() as hands:
        await hands.settle()
        assert "✗ engine gone" in hands.lines[0]
        assert "the link failed (ValueError): start the console again" in hands.text


async def test_a_part_of_the_engine_that_is_down_is_said_over_every_pane(opened, link):
    down = Part(name="the scheduler", state=DOWN, since=worlds.ago(minutes=2), failures=3, why="unexpected KeyError")
    async with opened(size=(80, 24)) as hands:
        assert "In the engine" not in hands.text
        link.put("engine", {"the scheduler": down, "the heartbeat": replace(down, name="the heartbeat", state=RUNNING)})
        await hands.settle()
        words = " ".join(hands.text.split())
        assert "▲ In the engine the scheduler failed 3 times (unexpected KeyError) and is being started again" in words
        assert "doctor says more" in words
        link.put("engine", {"the scheduler": replace(down, state=RUNNING, failures=0)})
        await hands.settle()
        assert "In the engine" not in hands.text
        link.put("engine", {}, state="failed", reason="the engine has no topic engine")
        await hands.settle()
        assert "? whether the engine's parts run is not known" in hands.text
