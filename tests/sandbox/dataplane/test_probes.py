"""What counts as a container's silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from lazarus_tui.sandbox.dataplane.probes import Probe, ask
from lazarus_tui.sandbox.dataplane.relay import Streams


class Passing:
    """The event loop's time, which passes only here."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        loop = asyncio.get_running_loop()
        self._now = loop.time()
        patch.setattr(loop, "time", lambda: self._now)

    async def leap(self, seconds: float) -> None:
        """At once, as for a process that was not run meanwhile; then everybody is who was waiting."""
        self._now += seconds
        for _ in range(8):
            await asyncio.sleep(0)


class Command:
    """A probe's command that ends when it is told to."""

    def __init__(self) -> None:
        self.code: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def run(self, argv: list[str]) -> int:
        return await self.code

    async def dial(self, port: int | str) -> Streams:
        raise AssertionError("no port is asked")

    def asked(self) -> asyncio.Task[str]:
        probe = Probe.of({"exec": {"command": ["ready"]}, "timeoutSeconds": 2})
        assert probe is not None
        return asyncio.ensure_future(ask(probe, self.dial, self.run))


@pytest.fixture
async def time() -> AsyncIterator[Passing]:
    with pytest.MonkeyPatch.context() as patch:
        yield Passing(patch)


async def test_while_the_sandbox_is_held_up_no_pod_is_silent(time: Passing) -> None:
    command = Command()
    answer = command.asked()
    for _ in range(10):
        await time.leap(30.0)
    command.code.set_result(0)
    assert await answer == ""


async def test_a_pod_that_does_not_answer_is_silent_after_its_time(time: Passing) -> None:
    command = Command()
    answer = command.asked()
    for _ in range(19):
        await time.leap(0.1)
    assert not answer.done()
    for _ in range(40):
        await time.leap(0.06)
    assert answer.done()
    assert await answer == "no answer within 2 s"
    assert command.code.cancelled()
