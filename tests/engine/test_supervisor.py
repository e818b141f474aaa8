"""Parts of the engine that fail come back, and say so meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import NoReturn

import pytest

from lazarus_tui.engine.supervisor import CALM, LAST, Supervisor
from lazarus_tui.model.parts import DOWN, RUNNING, SHAKY, Part
from lazarus_tui.sandbox.clock import VirtualClock


class Scene:
    """A supervisor in virtual time, and a part that fails as often as it is told."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.told: list[tuple[str, str]] = []
        self.changes: list[str] = []
        self.supervisor = Supervisor(self.clock, changed=self.changed, failing=self.failing, steady=self.steady)
        self.starts: list[float] = []
        self.failures = 0
        self.error: BaseException = ValueError("token: sesame-12345")
        self.ended = False

    def changed(self, name: str, part: Part | None) -> None:
        self.changes.append(part.state if part is not None else "gone")

    async def failing(self, part: Part) -> None:
        self.told.append(("failing", part.name))

    async def steady(self, name: str) -> None:
        self.told.append(("steady", name))

    async def work(self) -> None:
        self.starts.append(self.clock.monotonic())
        if self.failures:
            self.failures -= 1
            raise self.error
        try:
            await asyncio.Event().wait()
        finally:
            self.ended = True

    @property
    def part(self) -> Part:
        return self.supervisor.parts["the clockwork"]

    async def begin(self, failures: int) -> None:
        self.failures = failures
        self.supervisor.start("the clockwork", self.work)
        await self.clock.advance(0)


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    scene = Scene()
    yield scene
    await scene.supervisor.close()


async def test_one_that_fails_once_comes_back_and_is_believed_after_a_while(scene: Scene) -> None:
    await scene.begin(failures=1)
    assert (scene.part.state, scene.part.failures) == (DOWN, 1)
    assert "down" in (await scene.supervisor.findings())[0].what
    await scene.clock.advance(1.0)
    assert len(scene.starts) == 2
    assert scene.part.state == SHAKY
    assert (await scene.supervisor.findings())[0].severity == "warning"
    await scene.clock.advance(CALM + 1)
    assert (scene.part.state, scene.part.failures, scene.part.why, scene.part.total) == (RUNNING, 0, "", 1)
    [finding] = await scene.supervisor.findings()
    assert finding.severity == "info"
    assert finding.what.endswith("run; before that the clockwork failed 1 time"), "what is calm now is not forgotten"
    assert scene.told == [("steady", "the clockwork")]


async def test_one_that_always_fails_is_tried_ever_more_slowly_and_told(scene: Scene) -> None:
    await scene.begin(failures=1000)
    await scene.clock.advance(1 + 2 + 4 + 8 + 16 + 32 + 60 + 60 + 1)
    waits = [later - earlier for earlier, later in zip(scene.starts, scene.starts[1:], strict=False)]
    assert waits == [1, 2, 4, 8, 16, 32, LAST, LAST]
    assert (scene.part.state, scene.part.failures, scene.part.again != "") == (DOWN, 9, True)
    assert scene.told == [("failing", "the clockwork")] * 7  # whoever tells it knows what was told already
    [finding] = await scene.supervisor.findings()
    assert finding.severity == "error"
    assert "the clockwork is down" in finding.what
    assert "9 times" in finding.what


async def test_failures_far_apart_do_not_add_up(scene: Scene) -> None:
    await scene.begin(failures=2)
    await scene.clock.advance(CALM + 10)
    assert scene.part.failures == 0
    next(task for task in asyncio.all_tasks() if task.get_name() == "the clockwork, at work").cancel()
    await scene.clock.advance(0)
    assert (scene.part.failures, scene.part.total) == (1, 3)


async def test_one_that_is_cancelled_by_something_inside_it_has_failed_too(scene: Scene) -> None:
    scene.error = asyncio.CancelledError()
    await scene.begin(failures=1)
    assert (scene.part.state, scene.part.why) == (DOWN, "unexpected CancelledError in the engine")
    await scene.clock.advance(1)
    assert len(scene.starts) == 2


async def test_one_that_ends_though_it_should_not_is_started_again(scene: Scene) -> None:
    async def short() -> None:
        scene.starts.append(scene.clock.monotonic())

    scene.supervisor.start("the clockwork", short)
    await scene.clock.advance(3)
    assert scene.starts == [0, 1, 3]
    assert scene.part.why == "it came to an end"


async def test_one_that_cannot_even_begin_has_failed_too(scene: Scene) -> None:
    def broken() -> NoReturn:
        raise TypeError("an argument is missing")

    scene.supervisor.start("the clockwork", broken)
    await scene.clock.advance(3)
    assert (scene.part.failures, scene.part.why) == (3, "unexpected TypeError in the engine")


async def test_one_that_may_end_ends(scene: Scene) -> None:
    async def short() -> None:
        return

    await asyncio.wait_for(scene.supervisor.keep("the clockwork", short, ends=True), 10)
    assert scene.supervisor.parts == {}
    assert scene.changes == [RUNNING, "gone"]


async def test_that_it_cannot_be_told_keeps_nothing_from_coming_back(scene: Scene) -> None:
    async def cannot(part: Part) -> None:
        raise OSError("the journal is full")

    scene.supervisor._failing = cannot
    await scene.begin(failures=4)
    await scene.clock.advance(1 + 2 + 4 + 8)
    assert len(scene.starts) == 5
    assert scene.part.state == SHAKY


async def test_the_log_has_the_places_and_no_words_of_a_cluster_reach_a_screen(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        await scene.begin(failures=1)
    [record] = [one for one in caplog.records if "the clockwork" in one.getMessage()]
    assert record.exc_info is not None
    assert record.exc_info[1] is scene.error
    assert "sesame" not in record.getMessage() + scene.part.why + scene.part.words


async def test_its_end_waits_for_the_parts_and_leaves_no_task(scene: Scene) -> None:
    await scene.begin(failures=0)
    before = asyncio.all_tasks()
    await scene.supervisor.close()
    assert scene.ended
    assert scene.supervisor.parts == {}
    assert not [task for task in before if task.get_name() == "the clockwork" and not task.done()]


async def test_one_that_waits_to_be_started_again_ends_as_well(scene: Scene) -> None:
    await scene.begin(failures=1)
    await scene.supervisor.close()
    await scene.clock.advance(10)
    assert len(scene.starts) == 1
