"""What is remembered of an object: for as long as it is there, and no longer than it is true."""

from __future__ import annotations

from typing import Any

from lazarus_tui.engine.errors import Refused
from lazarus_tui.snapshots.policies import status
from tests.snapshots.test_objects import ready, restore
from tests.snapshots.ward import ward


async def test_a_restore_that_could_be_planned_has_its_minutes_anew_and_nothing_is_kept_of_one_that_is_gone() -> None:
    async with ward() as it:
        await ready(it)
        asked, start = it.put(restore(useLatestBackup=False, backupName="nothing")), it.engine.runner.start
        await it.look()
        await it.stage.clock.advance(200)

        async def busy(*given: Any, **more: Any) -> Any:
            it.engine.runner.start = start  # type: ignore[method-assign]
            it.change(asked, backupName="nothing")
            raise Refused("another operation works there")

        it.engine.runner.start = busy  # type: ignore[method-assign]
        it.change(asked, backupName="good")
        await it.look()
        await it.stage.clock.advance(200)
        await it.look()
        assert (it.told(asked)[0], "is called nothing" in it.why(asked)) == ("ScalingDown", True)
        it.stage.api.delete(status.RESTORES, "back", "prod")
        await it.look()
        assert it.objects.why(asked["metadata"]["uid"]) is None
