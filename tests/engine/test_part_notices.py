"""A part of the engine that keeps failing is told once, and that it runs again too, also by the next engine."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from lazarus_tui.engine.part_notices import PartNotices
from lazarus_tui.model.parts import DOWN, Part
from tests.engine.world import fast_folder
from tests.notify.office import Office, sink

FAILING = Part(
    name="the scheduler", state=DOWN, since="2026-01-01T00:00:00Z", failures=3, why="unexpected KeyError in the engine",
    again="2026-01-01T00:00:08Z",
)  # fmt: skip


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    with fast_folder() as folder:
        found = Office(folder, sink(contexts=("prod",)))
        yield found
        await found.close()


async def test_it_is_told_once_and_resolved_once_it_runs_though_the_engine_was_killed(office: Office) -> None:
    notices = PartNotices(await office.boot(), office.clock, sandbox=False)
    await notices.steady("the scheduler")
    assert office.post.notices == [], "what was never told is not over"
    for _ in range(3):
        await notices.failing(FAILING)
        await office.settle()
    [told] = office.post.notices
    assert (told.told, told.action, told.severity, told.subject) == (
        "engine-part-fails", "trigger", "error", "the scheduler"
    )  # fmt: skip
    assert told.title == "Lazarus: the scheduler fails again and again"
    assert "unexpected KeyError in the engine" in told.text
    assert told.commands == ("lazarus doctor", "lazarus engine status")
    await office.kill()
    notices = PartNotices(await office.boot(), office.clock, sandbox=False)
    await notices.steady("the heartbeat")
    await notices.steady("the scheduler")
    await office.settle()
    assert [(str(one.told), str(one.action)) for one in office.post.notices[1:]] == [("engine-part-runs", "resolve")]
    assert office.post.notices[1].key == told.key


async def test_without_sinks_nothing_is_kept(office: Office) -> None:
    office.sinks = ()
    desk = await office.boot()
    await PartNotices(desk, office.clock, sandbox=True).failing(FAILING)
    assert desk.outbox.standing == {}


async def test_what_was_told_of_a_part_that_there_is_none_of_any_more_is_over(office: Office) -> None:
    notices = PartNotices(await office.boot(), office.clock, sandbox=False)
    for name in ("the weaver of prod", "the janitor of prod", "the scheduler", "the heartbeat"):
        await notices.failing(msgspec.structs.replace(FAILING, name=name))
        await office.settle()
    await office.kill()
    has = {"the scheduler", "the heartbeat", "the janitor of prod"}  # the next version, which does not weave
    desk = await office.boot()
    told = len(office.post.notices)
    for _ in range(2):
        await PartNotices(desk, office.clock, sandbox=False, could_run=lambda: has).steady("the heartbeat")
        await office.settle()
    over = office.post.notices[told:]
    assert {(one.subject, str(one.told), str(one.action), one.key) for one in over} == {
        ("the heartbeat", "engine-part-runs", "resolve", "engine/the heartbeat"),
        ("the weaver of prod", "engine-part-runs", "resolve", "engine/the weaver of prod"),
    }
    assert "the weaver of prod is not run any more" in next(one.title for one in over if "weaver" in one.subject)
    assert set(desk.outbox.standing) == {"engine/the scheduler", "engine/the janitor of prod"}, "they may still fail"
