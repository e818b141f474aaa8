"""The Snapshots pane, its deeds, and the warning that stands on every pane while a workload is at zero."""

from __future__ import annotations

from typing import Any

import msgspec

from lazarus_tui.model.operation import OpState, StageProgress
from lazarus_tui.model.plan import Danger, Effect, Plan, PlannedStep
from tests.console import sets, worlds
from tests.console.fake_link import refused
from tests.console.moment import CONTEXT, ago


def in_place(params: dict[str, Any]) -> Plan:
    return Plan(
        kind="snapshots.restore-in-place", context=CONTEXT, cluster_uid="7f3a9c12", target="prod/db",
        title=f"Restore prod/db in place from {params['params']['set']}", danger=Danger.DESTROYS,
        params=params["params"], steps=(PlannedStep("stop", 1, "Scale to 0", True),),
        effects=(Effect("replace", "claim data-db-0", "from snapshot db-0400-data-db-0"),),
        losses=("data-db-0: everything written after 04:42",), undo="the old volumes are kept for 7 days",
        made=ago(seconds=1),
    )  # fmt: skip


async def pick(hands, name: str) -> None:
    """The Snapshots pane with the cursor on one set."""
    await hands.press("6", "slash")
    await hands.type(name)
    await hands.press("enter")


async def test_the_pane_lists_sets_and_enter_opens_the_card(opened, link):
    async with opened() as hands:
        await hands.press("colon")
        await hands.type("ss prod")
        await hands.press("enter")
        assert link.wanted >= {f"snapshots/{CONTEXT}", f"snapshot-contents/{CONTEXT}"}
        lines = hands.lines
        assert "▶ taking" in lines[3]
        assert next(text for text in lines if "db-0300" in text).split()[1:5] == ["prod/db", "✗", "incomplete", "2/3"]
        assert max(len(line.rstrip()) for line in lines) <= 80
        await hands.press("ctrl+z")
        assert "2 of 6" in hands.lines[1]
        await hands.press("G", "enter")
        assert "What keeps it from being used" in hands.text
        assert "6 Snapshots › db-0300" in hands.text


async def test_a_pane_without_sets_says_why(opened, link):
    link.put(f"snapshots/{CONTEXT}", {}, reason="this cluster has no snapshot API")
    async with opened() as hands:
        await hands.press("6")
        assert "There are no snapshots in this cluster" in hands.text
        link.put(f"snapshots/{CONTEXT}", {}, "failed", reason="volumesnapshots is forbidden")
        await hands.settle()
        assert "✗ snapshot sets cannot be listed" in hands.text


async def test_a_restore_in_place_is_filled_in_planned_typed_and_started(opened, link, unguarded):
    link.answers["plan.make"] = in_place
    link.answers["operation.start"] = sets.restore("stop", OpState.RUNNING)
    async with opened() as hands:
        await pick(hands, "db-0400")
        await hands.press("r")
        assert "from set" in hands.text
        await hands.press("down")
        await hands.type("1")
        await hands.press("ctrl+s")
        assert "type prod/db to confirm" in hands.text
        assert "What will be lost" in hands.text
        asked = hands.called("plan.make")[-1]
        assert asked["params"] == {"namespace": "prod", "statefulset": "db", "set": "db-0400", "ordinal": 1}
        await hands.settle()
        await hands.type("prod/db")
        await hands.press("enter", "right", "enter")
        assert hands.called("operation.start")[0]["confirm"] == "prod/db"
        assert hands.app.current_mode == "snapshots"


async def test_a_set_that_cannot_be_used_says_why_when_its_key_is_pressed(opened, link):
    async with opened() as hands:
        await pick(hands, "db-0300")
        await hands.press("r")
        assert hands.said == "restore: a set that is incomplete cannot be restored: data-db-2 has no snapshot"
        assert not hands.called("plan.make")


async def test_a_set_is_taken_from_the_overview_of_a_statefulset_only(opened, link):
    link.answers["plan.make"] = refused("no snapshot class fits", "make one")
    async with opened() as hands:
        await hands.press("down", "t")
        assert hands.called("plan.make")[0]["params"] == {"namespace": "shop", "statefulset": "orders"}
        assert "no snapshot class fits" in hands.text
        await hands.press("escape", "down", "t")
        assert "sets are of StatefulSets; this is a Deployment" in hands.lines[-1]


async def test_a_refused_prune_says_of_each_set_why_it_stays(opened, link):
    kept = tuple(f"set db-{n:02}00: taken 2026-11-20T{n:02}:00:00Z; last 7; newest good point" for n in range(12))
    link.answers["plan.make"] = refused("nothing to remove: every set is kept by a rule", details=kept)
    async with opened() as hands:
        await pick(hands, "db-0400")
        await hands.press("P")
        hands.app.screen.look_ahead()
        await hands.settle()
        assert "set db-0000" in hands.text
        assert "taken 2026-11-20T00:00:00Z; last 7; newest good point" in hands.text
        assert "set db-1100" not in hands.text
        await hands.press("pagedown", "pagedown")
        assert "set db-1100" in hands.text, "read on without leaving the field"
        await hands.press("ctrl+s")
        assert "✗ plan: refused" in hands.text
        assert "set db-0400" in hands.text
        assert "… and 14 more lines" in hands.text
        assert "Back" in hands.text


async def test_release_is_offered_for_a_restore_that_is_done(opened, link):
    link.answers["plan.make"] = refused("volume pv-1 is in use")
    done = sets.restore("close", OpState.DONE)
    link.put("operations", {done.id: done})
    async with opened() as hands:
        await hands.press("5", "X")
        assert hands.called("plan.make")[0] == {
            "kind": "snapshots.release", "context": CONTEXT, "params": {"operation": done.id},
        }  # fmt: skip
        await hands.press("escape")
        parked = sets.restore()
        link.put("operations", {parked.id: parked})
        await hands.settle()
        await hands.press("X")
        assert "only a restore that is done is released; this one is parked" in hands.lines[-1]


async def test_one_of_another_lazarus_is_taken_over_with_its_name_only(opened, link, unguarded):
    foreign = sets.restore("", foreign="begun by another Lazarus, known by its capsule prod/x")
    link.put("operations", {foreign.id: foreign})
    link.answers["operation.resume"] = sets.restore(state=OpState.RUNNING)
    async with opened() as hands:
        await hands.press("5", "r")
        assert "it was begun by another Lazarus" in hands.text
        assert not hands.called("operation.resume")
        await hands.settle()
        await hands.type("prod/db")
        await hands.press("enter", "right", "enter")
        assert hands.called("operation.resume") == [{"id": foreign.id, "confirm": "prod/db"}]


async def test_every_pane_warns_while_a_restore_has_its_workload_at_zero(opened, link, monkeypatch):
    parked, bells = sets.restore(), []
    async with opened() as hands:
        monkeypatch.setattr(hands.app, "bell", lambda: bells.append(1))
        assert "REPLICAS" not in hands.text
        link.put(f"overview/{CONTEXT}", {**worlds.overview(), **sets.row(0, 0)})
        link.put("operations", {parked.id: sets.restore(state=OpState.RUNNING)})
        await hands.settle()
        assert not bells, "it goes on by itself"
        link.put("operations", {parked.id: parked})
        link.put("operations", {parked.id: parked})
        await hands.settle()
        assert bells == [1]
        for keys in (("1",), ("3",), ("6",), ("question_mark",), ("escape", "C")):
            await hands.press(*keys)
            assert "prod/db IS AT 0 OF 3 REPLICAS" in hands.text, keys
            assert "→ lazarus --sandbox resume 9f3c12ab or lazarus --sandbox undo 9f3c12ab" in hands.text, keys
            assert f"overview/{CONTEXT}" in link.wanted, "what the cluster shows of it is followed everywhere"
        link.put(f"overview/{CONTEXT}", {**worlds.overview(), **sets.row(3, 3)})
        await hands.settle()
        assert "REPLICAS" not in hands.text


async def test_the_running_restore_shows_its_volumes_and_the_count(opened, link):
    progress = (StageProgress("data-db-0", 1, 1, "made"), StageProgress("data-db-1", 0, 1, "is Pending"))
    running = sets.restore("bind", OpState.RUNNING, message="", hint="")
    steps = tuple(
        msgspec.structs.replace(step, progress=progress) if step.name == "bind" else step for step in running.steps
    )
    link.put("operations", {running.id: msgspec.structs.replace(running, steps=steps)})
    async with opened() as hands:
        await hands.press("5", "enter")
        assert "▲ prod/db is at 0 of 3 replicas" in hands.text
        assert "✓ data-db-0  made" in hands.text
        assert "○ data-db-1  is Pending" in hands.text
        link.put("operations", {running.id: sets.restore("close", OpState.DONE, message="", hint="")})
        hands.app._renew()
        await hands.settle()
        assert "replicas" not in hands.text


async def test_r_on_a_workload_whose_newest_point_is_a_set_restores_that_set(opened, link):
    rows = worlds.overview()
    name, row = next(item for item in rows.items() if item[1].kind == "StatefulSet" and item[1].newest is not None)
    point = msgspec.structs.replace(row.newest, name="db-0400", kind="snapshots")
    link.put(f"overview/{CONTEXT}", {name: msgspec.structs.replace(row, newest=point)})
    async with opened() as hands:
        await hands.press("r")
        assert "db-0400" in hands.text
        assert "beside" in hands.text.lower()
