"""Velero's server is restarted while it restores: one more run, on ground that was emptied first (reliability V1)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lazarus_tui.model.operation import Operation
from lazarus_tui.model.proofs import ProofRecord
from lazarus_tui.model.resources import CLAIMS, POD_VOLUME_RESTORES, RESTORES
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.proof.rerun import RERUN
from lazarus_tui.sandbox.faults.faults import Wanted
from lazarus_tui.sandbox.velero.installation import phase
from tests.prove.proof.trial import Trial, trial
from tests.prove.quarantine.grounds import VELERO


class Restarted(Trial):
    """Its Velero is restarted in the midst of its first ``times`` restores, while their volumes move."""

    async def open(self) -> None:
        await super().open()
        self.write("orders and orders and orders")

    async def restarting(self, times: int, **params: Any) -> tuple[Operation, list[str]]:
        """The proof, and the uids of claims that were there at the restarts."""
        engine = self.engine
        assert engine is not None
        self.cluster.velero.disk.speed = 1.0
        plan = await self.planned(**params)
        started = await engine.passing(engine.runner.start(plan, plan.digest(), plan.target))
        seen: list[str] = []
        for n in range(times):
            await self.until(lambda n=n: self._moving(n + 1), f"volumes of run {n + 1} move")
            seen += [one["metadata"]["uid"] for one in self.api.list(CLAIMS, plan.target)]
            await self.cluster.faults.add(Wanted("velero-restart"))
            await self.cluster.faults.clear()
        self.cluster.velero.disk.speed = 0.0
        return await engine.finish(started.id), seen

    def _moving(self, runs: int) -> bool:
        copies = [phase(one) for one in self.api.list(POD_VOLUME_RESTORES, VELERO)]
        restores = [phase(one) for one in self.api.list(RESTORES, VELERO)]
        return len(restores) == runs and "InProgress" in restores and "InProgress" in copies


def record(done: Operation) -> ProofRecord:
    return msgspec.convert(done.facts["prove.record"], ProofRecord)


async def test_it_is_run_once_more_under_a_name_that_follows_and_the_record_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with trial(monkeypatch, Restarted) as ground:
        before = ground.everything()
        done, claims = await ground.restarting(1)
        assert (done.verdict, done.exit_code) == (Verdict.PASSED, 0), record(done).words
        first = done.facts[RERUN]["of"]
        assert (done.facts[RERUN]["name"], done.facts["restore.name"]) == (f"{first}-r2", f"{first}-r2")
        assert "during the server starting" in done.facts[RERUN]["why"]
        assert record(done).deviations == (
            f"restore {first} was ended by a restart of Velero and run again as {first}-r2",
        )
        assert claims
        gone = [one.path for one in ground.sent if one.method == "DELETE" and "/persistentvolumeclaims/" in one.path]
        assert len(gone) == 2, "the claim of the first run, and the one of the second when all was cleaned"
        asked = [one.path for one in ground.sent if one.method == "POST" and one.path.endswith("/restores")]
        assert len(asked) == 2
        assert done.figures is not None
        assert "again" in [one.name for one in done.figures.rta_phases]
        assert (ground.remains(), ground.everything()) == ([], before)


async def test_a_second_restart_is_the_end_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trial(monkeypatch, Restarted) as ground:
        done, _ = await ground.restarting(2)
        assert (done.verdict, done.exit_code) == (Verdict.FAILED, 2)
        assert "during the server starting" in record(done).words
        assert len([one for one in ground.sent if one.method == "POST" and one.path.endswith("/restores")]) == 2
        assert ground.remains() == []


async def test_an_engine_that_is_killed_in_the_second_run_finds_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trial(monkeypatch, Restarted) as ground:
        engine = ground.engine
        assert engine is not None
        ground.cluster.velero.disk.speed = 1.0
        plan = await ground.planned()
        await engine.passing(engine.runner.start(plan, plan.digest(), plan.target))
        await ground.until(lambda: ground._moving(1), "the first run moves")
        await ground.cluster.faults.add(Wanted("velero-restart"))
        await ground.cluster.faults.clear()
        await ground.until(lambda: ground._moving(2), "the second run moves")
        engine = await ground.reboot()
        ground.cluster.velero.disk.speed = 0.0
        await engine.passing(engine.runner.recover())
        done = await engine.finish(str(plan.params["op"]))
        assert done.verdict is Verdict.PASSED, record(done).words
        assert len([one for one in ground.sent if one.method == "POST" and one.path.endswith("/restores")]) == 2
        assert ground.remains() == []
