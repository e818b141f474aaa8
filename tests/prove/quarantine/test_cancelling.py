"""A proof that is called off while its volumes are being filled does not wait until they are full."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.operation import OpState
from lazarus_tui.model.resources import DATA_DOWNLOADS, POD_VOLUME_RESTORES, RESTORES
from lazarus_tui.model.steps import Outcome, WriteResult
from lazarus_tui.prove.quarantine.cancelling import cancel
from lazarus_tui.sandbox.velero.installation import phase
from tests.prove.proof.test_rerun import Restarted
from tests.prove.proof.trial import trial
from tests.prove.quarantine.grounds import VELERO
from tests.velero.lab import Lab, World


async def test_what_fills_volumes_is_called_off_and_the_quarantine_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trial(monkeypatch, Restarted) as ground:
        engine = ground.engine
        assert engine is not None
        before = ground.everything()
        ground.cluster.velero.disk.speed = 0.001
        plan = await ground.planned()
        started = await engine.passing(engine.runner.start(plan, plan.digest(), plan.target))
        await ground.until(lambda: ground._moving(1), "the volumes move")
        began = ground.clock.monotonic()
        ended: list[str] = []
        asked = lambda: [phase(one) for one in ground.api.list(POD_VOLUME_RESTORES, VELERO)]  # noqa: E731
        await engine.passing(engine.runner.undo(started.id))
        await ground.until(lambda: ended.extend(asked()) or "Canceled" in ended or not asked(), "they were called off")
        done = await engine.finish(started.id)
        assert done.state is OpState.UNDONE
        assert ground.clock.monotonic() - began < 300, "filling them would take hours"
        assert (ground.remains(), ground.everything()) == ([], before)


class Deaf(World):
    """A server that takes the patch and keeps nothing of it, or refuses it."""

    def __init__(self, answer: WriteResult) -> None:
        super().__init__()
        self.answer = answer

    async def write(self, write: Any) -> WriteResult:
        self.writes.append(write)
        return self.answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (WriteResult(Outcome.APPLIED, {"spec": {}}), "this Velero knows no cancelling of it"),
        (WriteResult(Outcome.FORBIDDEN, reason="not for you"), "not for you"),
    ],
)
async def test_who_cannot_be_called_off_is_told_once(answer: WriteResult, words: str) -> None:
    world = Deaf(answer)
    label = {"velero.io/restore-uid": "r-1"}
    for kind, name, state in (
        (DATA_DOWNLOADS, "moving", "InProgress"), (DATA_DOWNLOADS, "full", "Completed"),
        (POD_VOLUME_RESTORES, "files", "New"),
    ):  # fmt: skip
        world.put(kind, name, VELERO, metadata={"labels": label}, spec={}, status={"phase": state})
    world.put(RESTORES, "back", VELERO, status={"phase": "InProgress"})
    restore = {**world.at(RESTORES, "back", VELERO)}
    restore["metadata"] = {**restore["metadata"], "uid": "r-1"}
    asked: set[str] = set()
    notes = await cancel(Lab(world), restore, asked)
    assert [write.name for write in world.writes] == ["moving", "files"]
    assert notes == [
        f"DataDownload moving cannot be called off and is waited for: {words}",
        f"PodVolumeRestore files cannot be called off and is waited for: {words}",
    ]
    assert await cancel(Lab(world), restore, asked) == []
