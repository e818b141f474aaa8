"""Cards that are approved: they grow old, an undo says what it means, and no offered key ends the console."""

from __future__ import annotations

import msgspec
import pytest

from lazarus_tui.model.operation import Operation
from lazarus_tui.view import actions
from screens.approval import Approval
from tests.console import proofs, worlds
from tests.console.fake_link import refused

WAYS = {
    "overview": ("1", "j"), "backups": ("2", "j"), "schedules": ("3",), "restores": ("4",), "operations": ("5",),
    "operation": ("5", "enter"), "document": ("2", "j", "d"), "contexts": ("C",),
}  # fmt: skip


@pytest.fixture
def full(link):
    """Everything is there, and every call is refused with a sentence."""
    done = msgspec.structs.replace(worlds.finished_operation(), can_undo=True, undo="delete namespace shop-test again")
    link.put("operations", {done.id: done})
    for method in ("plan.make", "operation.start", "operation.undo", "operation.resume", "operation.park",
                   "operation.close",
                   "object.get", "artefact.get", "preview.backup", "context.arm"):  # fmt: skip
        link.answers[method] = refused("no, and this is why")
    return link


@pytest.mark.parametrize("mode", WAYS)
async def test_no_offered_key_ends_the_console(mode, opened, full):
    keys = [each.keys[0] for each in actions.offered(mode) if each.id not in ("quit", "interrupt", "save")]
    async with opened() as hands:
        for key in keys:
            while len(hands.app.screen_stack) > 1:
                hands.app.pop_screen()
            await hands.press(*WAYS[mode])
            assert hands.app.screen.mode == mode
            await hands.press(key)
            assert hands.app.is_running
            assert hands.app.return_code is None, f"{key} in {mode}"


@pytest.fixture
def guarded(monkeypatch):
    """The second of reading is over at once; the age of a card is chosen."""

    def age(lifetime: float = 3600.0) -> None:
        monkeypatch.setattr(Approval, "guard", 0.001)
        monkeypatch.setattr(Approval, "lifetime", lifetime)

    return age


async def test_a_plan_is_read_to_its_end_without_leaving_the_choice(opened, full):
    full.answers["plan.make"] = proofs.plan
    async with opened() as hands:
        await hands.press("j", "p")
        assert "Steps" not in hands.text
        for _ in range(3):
            await hands.press("pagedown")
        assert "plan " in hands.lines[-3]
        assert "▸ Cancel" in hands.lines[-2], "reading chooses nothing"
        for _ in range(60):
            hands.app.screen.action_read("scroll_by", -1)
        await hands.press("down", "up")
        assert "Prove namespace shop" in "".join(hands.lines[2:5])
        await hands.press("escape")
        assert not hands.called("operation.start")


@pytest.mark.parametrize("way", ["operations", "operation"])
async def test_an_undo_says_what_it_means_and_takes_the_name(way, opened, full, guarded):
    guarded()
    full.answers["operation.undo"] = worlds.finished_operation()
    (done,) = full.state("operations").records.values()
    async with opened() as hands:
        await hands.press(*WAYS[way], "u")
        await hands.settle()
        assert "delete namespace shop-test again" in hands.text
        assert "it is done: what came in since then goes too" in hands.text
        await hands.press("enter", "right", "enter")
        assert not hands.called("operation.undo"), "nothing typed: enter meant Cancel"
        await hands.press("u")
        await hands.settle()
        await hands.type(done.target)
        await hands.press("enter", "right", "enter")
        assert hands.called("operation.undo") == [{"id": done.id, "confirm": done.target}]


@pytest.mark.parametrize(("key", "method"), [("u", "operation.undo"), ("K", "operation.close")])
async def test_a_parked_operation_is_taken_back_or_closed_by_its_name(key, method, opened, full, guarded):
    guarded()
    stuck = msgspec.structs.replace(worlds.running_operation(), state="parked", can_undo=True)
    full.put("operations", {stuck.id: msgspec.convert(msgspec.to_builtins(stuck), Operation)})
    async with opened() as hands:
        await hands.press("5", key)
        await hands.settle()
        await hands.press("enter", "right", "enter")
        assert not hands.called(method), "nothing typed: enter meant Cancel"
        await hands.press(key)
        await hands.settle()
        await hands.type(stuck.target)
        await hands.press("enter", "right", "enter")
        assert hands.called(method) == [{"id": stuck.id, "confirm": stuck.target}]
        assert "no, and this is why" in hands.text


async def test_a_card_that_is_too_old_starts_nothing(opened, full, guarded):
    guarded(lifetime=0.005)
    full.answers["plan.make"] = worlds.delete_plan()
    async with opened() as hands:
        await hands.press("2", "ctrl+d")
        assert await hands.sees("older than 0 s")
        await hands.type(worlds.delete_plan().target)
        await hands.press("enter", "right", "enter")
        assert not hands.called("operation.start")


def test_a_card_lives_as_long_as_the_reference_says():
    assert Approval.lifetime == 60
    assert Approval.guard == 1


@pytest.mark.parametrize("typed", ["/rRnta", ":rRnta"])
async def test_what_is_typed_ahead_of_a_prompt_does_nothing_but_stand_in_it(typed, opened, full):
    async with opened() as hands:
        await hands.press("2", "j")
        await hands.type(typed)
        assert hands.app.screen.mode == "backups"
        assert hands.app.screen.query_one("Prompt").value == typed
        assert not hands.called("plan.make")
        assert not hands.called("context.arm")


@pytest.mark.parametrize("keys", ["/ k a - 0 3 enter j d", "/ k a escape d", "/ k enter / backspace d"])
async def test_what_is_typed_behind_the_end_of_a_prompt_is_for_the_pane(keys, opened, full):
    async with opened() as hands:
        await hands.press("2", "j")
        await hands.burst(*keys.split())
        assert hands.app.screen.mode == "document"


async def test_a_prompt_takes_what_is_its_own_before_it_ends(opened, full):
    async with opened() as hands:
        await hands.press("2", "j")
        await hands.burst(*"/zzz", "enter", "j", "j")
        assert "/zzz" in hands.text
        assert not hands.app.screen.query("Prompt")
        await hands.burst("escape", "/", *"Rrn", "escape")
        assert (hands.app.screen.mode, hands.called("plan.make")) == ("backups", []), "what was left means nothing"


@pytest.mark.parametrize("keys", ["/ k x backspace a enter", "/ x k a left left left ctrl+d enter", "/ a left k enter"])
async def test_what_edits_a_prompt_does_so_in_its_turn_and_nothing_in_the_pane(keys, opened, full):
    async with opened() as hands:
        await hands.press("2", "j")
        await hands.burst(*keys.split())
        assert "/ka" in hands.text
        assert (hands.app.screen.mode, hands.called("plan.make")) == ("backups", [])


async def test_what_is_typed_behind_a_command_is_not_for_the_place_that_it_leaves(opened, full):
    async with opened() as hands:
        await hands.press("2", "j")
        await hands.burst(*":restores", "enter", "d", "d")
        assert hands.app.screen.mode == "restores"
        assert not hands.app.screen.query("Prompt")
