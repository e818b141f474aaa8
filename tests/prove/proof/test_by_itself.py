"""A backup of the sandbox's Velero completes, and is proven by itself: real queue, real plan, real proof."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lazarus_tui.engine.policies import Policies
from lazarus_tui.engine.proof_book import ProofBook
from lazarus_tui.engine.proof_runs import ProofRuns
from lazarus_tui.engine.scheduler import Scheduler
from lazarus_tui.model.objects import Backup, record
from lazarus_tui.model.proof_policies import ProofPolicy, State, Subject, standing
from lazarus_tui.model.proofs import ProofRecord
from lazarus_tui.model.resources import BACKUPS
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.policies import read
from tests.engine.world import CONTEXT, Engine
from tests.prove.proof.trial import Planning, Trial, trial
from tests.prove.quarantine.grounds import VELERO
from tests.snapshots.stage import SPACE

POLICY = f"""
apiVersion: lazarus.io/v1alpha1
kind: ProofPolicy
name: every
workloads: [{{namespace: {SPACE}}}]
points: [on-completion]
targets: {{rto: 1h}}
control: {{kind: withhold, every: 168h}}
writes: schedules
"""


class ByItself:
    """The queue of a trial's engine; nobody armed its context."""

    def __init__(self, ground: Trial) -> None:
        self.ground = ground
        ground.armed = False
        self.engine: Engine = ground.engine  # type: ignore[assignment]
        journal, clock = self.engine.journal, ground.clock
        self.book = ProofBook(journal, clock)
        runs = ProofRuns(
            self.book, self.engine.runner, journal, clock, plan=self._plan, clusters=self._cluster,
            backups=lambda context: [record(one, Backup) for one in ground.api.list(BACKUPS, VELERO)],
        )  # fmt: skip
        self.scheduler = Scheduler(
            Policies(journal, clock), self.engine.runner, journal, clock, plan=self._plan, clusters=self._cluster,
            proofs=runs,
        )  # fmt: skip

    async def _plan(self, kind: str, context: str, params: Any) -> Any:
        wanted = {"velero": VELERO, **params}
        return await self.engine.registry.plan(
            kind, Planning(self.engine.cluster, self.ground), wanted, self.ground.clock
        )

    async def _cluster(self, context: str) -> Any:
        return self.engine.cluster

    async def until_ended(self, count: int) -> None:
        """Look each ten seconds until so many proofs have ended."""
        for _ in range(200):
            await self.engine.passing(self.scheduler.look())
            if len([one for one in self.book.entries() if one.state is State.DONE]) >= count:
                return
            await self.engine.passing(self.ground.clock.sleep(10.0))
        raise AssertionError([f"{one.point} {one.state} {one.waiting}" for one in self.book.entries()])


async def test_a_backup_that_completes_is_proven_and_loses_its_green_to_a_control_that_nothing_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pods become ready over an empty volume as well: without a check of the data, that is what the control shows."""
    async with trial(monkeypatch) as ground:
        it = ByItself(ground)
        policy = read(POLICY.encode())
        assert isinstance(policy, ProofPolicy)
        await ground.clock.advance(60.0)
        await it.book.store(policy, CONTEXT, await it.engine.cluster.cluster_uid())
        before = ground.everything()
        await ground.backup("fresh")
        await it.until_ended(2)
        entries = it.book.entries()
        assert [(one.point, one.control, one.verdict) for one in entries] == [
            ("fresh", "", Verdict.PASSED), ("fresh", "withhold", Verdict.FAILED),
        ], [one.words for one in entries]  # fmt: skip
        stands = standing(policy, Subject(SPACE), entries, ground.clock.now())
        assert (stands.verdict, stands.green, "no check noticed" in stands.words) == (Verdict.PASSED, False, True)
        done = await it.engine.passing(it.engine.runner.get(entries[0].operation))
        found = msgspec.convert(done.facts["prove.record"], ProofRecord)
        assert (found.point, found.namespace, found.targets[0].result) == ("fresh", SPACE, "met")
        plan = await it.engine.journal.plan(done.id)
        assert plan is not None
        assert (plan.params["policy"], len(plan.params["policy_hash"])) == ("every", 64)
        assert plan.params["negative_control"]["state"] == "due"
        assert ground.remains() == []
        assert set(before) <= set(ground.everything())
