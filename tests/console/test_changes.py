"""What changes something: plans, typed names, guards, refusals, greyed keys and the reasons for them."""

from __future__ import annotations

import msgspec
import pytest

from lazarus_tui.model.operation import Operation
from lazarus_tui.model.plan import Danger
from screens.approval import Approval
from tests.console import worlds
from tests.console.fake_link import refused


@pytest.fixture
def ready(link, monkeypatch):
    """Plans are made and started; the second of reading is over at once."""
    monkeypatch.setattr(Approval, "guard", 0.001)
    link.answers["plan.make"] = worlds.delete_plan()
    link.answers["operation.start"] = lambda params: worlds.finished_operation()
    return link


async def test_a_delete_starts_only_when_its_name_is_typed(opened, ready):
    async with opened() as hands:
        await hands.press("2", "ctrl+d")
        assert "the only recovery point" in hands.text
        assert "cannot be taken back" in hands.text
        await hands.type("before-the-upgrad")
        await hands.press("enter", "right", "enter")
        assert not hands.called("operation.start"), "one letter is missing"
        assert hands.app.screen.mode != "plan", "Cancel was what enter meant"


async def test_the_typed_name_goes_to_the_engine_with_the_digest(opened, ready):
    async with opened() as hands:
        await hands.press("2", "ctrl+d")
        await hands.settle()
        await hands.type("before-the-upgrade")
        await hands.press("enter", "right", "enter")
        (sent,) = hands.called("operation.start")
        assert sent["confirm"] == "before-the-upgrade"
        assert sent["digest"] == worlds.delete_plan().digest()
        assert msgspec.convert(sent["plan"], type(worlds.delete_plan())) == worlds.delete_plan()
        assert hands.app.screen.mode == "operation"


async def test_keys_of_the_first_second_confirm_nothing(opened, link, monkeypatch):
    monkeypatch.setattr(Approval, "guard", 3600.0)  # the first second of a machine that may be slow
    link.answers["plan.make"] = worlds.delete_plan()
    async with opened() as hands:
        await hands.press("2", "ctrl+d")
        await hands.type("before-the-upgrade")
        assert hands.app.screen.query_one("#typed").value == "", "typed ahead or pasted: thrown away"
        await hands.press("enter", "right", "enter")
        assert not hands.called("operation.start")


async def test_cancel_is_the_default_of_a_plan_that_only_changes(opened, ready):
    ready.answers["plan.make"] = msgspec.structs.replace(worlds.delete_plan(), danger=Danger.CHANGES)
    async with opened() as hands:
        await hands.press("3", "t")
        assert "▸ Cancel" in hands.text
        await hands.press("enter")
        assert not hands.called("operation.start")
        assert "cancelled: nothing was done" in hands.lines[-1]


async def test_several_marked_rows_are_planned_one_after_the_other(opened, ready):
    ready.answers["plan.make"] = msgspec.structs.replace(worlds.delete_plan(), danger=Danger.CHANGES)
    async with opened() as hands:
        await hands.press("3", "space", "space", "t")
        assert "plan 1 of 2" in hands.text
        await hands.press("right", "enter")
        assert "plan 2 of 2" in hands.text
        await hands.press("escape")
        assert len(hands.called("operation.start")) == 1
        assert [each["params"]["schedule"] for each in hands.called("plan.make")] == ["ka-03-hourly", "ka-04-daily"]


async def test_a_refused_plan_says_why_and_what_helps(opened, link):
    link.answers["plan.make"] = refused("namespace shop is being deleted", "wait until it is gone")
    async with opened() as hands:
        await hands.press("3", "t")
        assert "✗ plan: refused" in hands.text
        assert "namespace shop is being deleted" in hands.text
        assert "→ wait until it is gone" in hands.text
        await hands.press("enter")
        assert hands.app.screen.mode == "schedules"


async def test_a_lost_answer_to_a_start_is_told_as_unknown(opened, ready):
    ready.answers["operation.start"] = None
    ready.answers["plan.make"] = msgspec.structs.replace(worlds.delete_plan(), danger=Danger.SAFE)
    async with opened() as hands:
        await hands.press("3", "t", "right", "enter")
        assert hands.said.startswith("not known whether it started: ")
        assert hands.said.endswith("; look at :operations before trying again"), "what to do is never cut off"
        before = len(hands.app.screen.query_one("#footer").lines)
        await hands.press("left")
        assert before > len(hands.app.screen.query_one("#footer").lines) == 1


READ_ONLY = {"sandbox": False, "write_until": ""}


@pytest.mark.parametrize("key", ["ctrl+d", "r", "n"])
async def test_a_read_only_context_says_how_to_arm_it(opened, link, key):
    link.put("contexts", {worlds.CONTEXT: worlds.context(**READ_ONLY)})
    async with opened() as hands:
        await hands.press("2", "j", key)
        assert "read-only: a arms it for 15 minutes" in hands.lines[-1]
        assert "READ-ONLY" in hands.lines[0]
        assert not hands.called("plan.make")


async def test_arming_asks_the_engine_and_the_header_shows_it(opened, link):
    link.put("contexts", {worlds.CONTEXT: worlds.context(**READ_ONLY)})
    armed = worlds.context(sandbox=False, write_until="2026-11-20T10:57:10Z")
    link.answers["context.arm"] = armed
    async with opened() as hands:
        await hands.press("2", "a")
        assert hands.called("context.arm") == [{"context": worlds.CONTEXT, "minutes": 15}]
        link.put("contexts", {worlds.CONTEXT: armed})
        await hands.settle()
        assert "▲ ARMED 15m" in hands.lines[0]


async def test_what_the_account_may_not_do_is_said_before_a_plan(opened, link):
    link.put("contexts", {worlds.CONTEXT: worlds.context(denied=("create backups.velero.io",))})
    async with opened() as hands:
        await hands.press("3", "t")
        assert "your account may not create backups.velero.io" in hands.lines[-1]
        await hands.press("j")
        assert "run now" in hands.lines[-1], "the reason goes with the next key, the keys come back"


async def test_pausing_and_going_on_without_an_immediate_run(opened, ready):
    ready.answers["plan.make"] = msgspec.structs.replace(worlds.delete_plan(), danger=Danger.CHANGES)
    async with opened() as hands:
        await hands.press("3", "p", "escape", "j", "j", "p", "escape")
        kinds = [(each["kind"], each["params"]) for each in hands.called("plan.make")]
        assert kinds == [
            ("velero.pause-schedule", {"schedule": "ka-03-hourly"}),
            ("velero.unpause-schedule", {"schedule": "ka-05-weekly", "skip_immediately": True}),
        ]


async def test_a_new_backup_is_previewed_then_planned(opened, ready, monkeypatch):
    monkeypatch.setattr("screens.filling.PAUSE_SECONDS", 0.001)
    ready.answers["preview.backup"] = {
        "namespaces": ["shop"],
        "objects": {"pods": 3},
        "claims": ["shop/data"],
        "warnings": [],
    }
    async with opened() as hands:
        await hands.press("2", "n")
        await hands.type("shop")
        assert await hands.sees("3 of 1 kinds")
        await hands.press("ctrl+s")
        (asked,) = hands.called("plan.make")
        assert (asked["kind"], asked["params"]) == ("velero.backup", {"namespaces": ["shop"]})


async def test_a_wrong_field_blocks_the_plan_and_says_why(opened, ready, monkeypatch):
    monkeypatch.setattr("screens.filling.PAUSE_SECONDS", 0.001)
    ready.answers["artefact.get"] = {"json": []}
    async with opened() as hands:
        await hands.press("2", "j", "r", "down", "down")
        await hands.type("shop")
        assert await hands.sees("shop: write it as old=new")
        await hands.press("ctrl+s")
        assert not hands.called("plan.make")


async def test_restore_from_the_overview_takes_the_newest_usable_point(opened, ready):
    ready.answers["artefact.get"] = {"json": []}
    async with opened() as hands:
        await hands.press("j", "r", "ctrl+s")
        (asked,) = hands.called("plan.make")
        assert asked["kind"] == "velero.restore"
        assert asked["params"] == {"backup": "ka-07-offsite-20261120093000", "namespaces": ["shop"]}


async def test_a_workload_without_a_point_cannot_be_restored(opened, link):
    async with opened() as hands:
        await hands.press("r")
        assert "this workload has no usable recovery point" in hands.lines[-1]


async def test_undo_resume_and_park_depend_on_the_operation(opened, link):
    stuck = msgspec.structs.replace(worlds.running_operation(), state="parked", can_undo=True, hint="free the volume")
    link.put("operations", {stuck.id: msgspec.convert(msgspec.to_builtins(stuck), Operation)})
    link.answers["operation.resume"] = worlds.running_operation()
    async with opened() as hands:
        await hands.press("5", "P")
        assert "only a running operation is parked; this one is parked" in hands.lines[-1]
        await hands.press("r")
        assert hands.called("operation.resume") == [{"id": stuck.id}]
        await hands.press("enter")
        assert "→ free the volume" in hands.text


async def test_rehearsals_are_for_the_sandbox_only(opened, link):
    link.put("contexts", {worlds.CONTEXT: worlds.context(**READ_ONLY)})
    async with opened() as hands:
        await hands.press("R")
        assert "rehearsals run in the sandbox only" in hands.lines[-1]


async def test_pause_means_all_marked_schedules(opened, ready):
    ready.answers["plan.make"] = msgspec.structs.replace(worlds.delete_plan(), danger=Danger.CHANGES)
    async with opened() as hands:
        await hands.press("3", "space", "space", "g", "p")
        assert "plan 1 of 2" in hands.text
        await hands.press("right", "enter", "escape")
        names = [each["params"]["schedule"] for each in hands.called("plan.make")]
        assert names == ["ka-03-hourly", "ka-04-daily"]
        assert "cancelled: the 1 before it were started, the rest were not" in hands.lines[-1]


async def test_a_preview_that_fails_says_why_and_what_helps_apart(opened, ready, monkeypatch):
    monkeypatch.setattr("screens.filling.PAUSE_SECONDS", 0.001)
    ready.answers["artefact.get"] = refused("there is no backup ka-07", "it may have expired")
    async with opened() as hands:
        await hands.press("2", "j", "r")
        assert await hands.sees(" ✗ there is no backup ka-07")
        assert " → it may have expired" in hands.text
