"""Whole proofs: green when all of it held, red for what is wrong with the point, killed anywhere, always cleaned."""

from __future__ import annotations

import msgspec
import pytest

from lazarus_tui.engine.errors import Refused
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.operation import Operation, OpState, StepState
from lazarus_tui.model.proofs import ProofRecord
from lazarus_tui.model.resources import NAMESPACES, RESTORES
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.sandbox.api.answers import error_answer
from lazarus_tui.sandbox.api.errors import forbidden
from lazarus_tui.sandbox.velero.layout import artefact_key, packed, unpacked
from tests.prove.proof.trial import BUCKET, Trial, trial
from tests.prove.quarantine.grounds import VELERO
from tests.snapshots.stage import SPACE


def record(done: Operation) -> ProofRecord:
    assert done.state is OpState.DONE, done.message
    return msgspec.convert(done.facts["prove.record"], ProofRecord)


def rungs(done: Operation) -> dict[str, str]:
    (ladder,) = record(done).ladders
    return {rung.name: str(rung.verdict) for rung in ladder.rungs}


async def test_a_good_point_is_proven_also_when_the_engine_is_killed_and_nothing_of_it_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with trial(monkeypatch) as ground:
        before, manager = ground.everything(), ground.silenced()
        plan = await ground.planned(alertmanagers=["main"])
        points, done = await ground.lived(plan, 0)
        assert (done.verdict, done.exit_code) == (Verdict.PASSED, 0), record(done).words
        assert (done.id, done.target) == (plan.params["op"], plan.params["quarantine"])
        assert list(rungs(done).values()) == ["PASSED"] * 5 + ["NOT TESTED"] * 2
        assert record(done).cluster_uid == done.cluster_uid == plan.cluster_uid != ""
        assert record(done).point_start == plan.params["point_start"] != ""
        assert done.figures is not None
        assert done.figures.rta_seconds is not None
        assert done.figures.rta_seconds > 0
        assert (ground.remains(), ground.everything()) == ([], before)
        with pytest.raises(Refused, match="started before"):
            await ground.engine.passing(ground.engine.runner.start(plan, plan.digest(), plan.target))  # type: ignore[union-attr]
        assert [done.facts["prove.silence"]["main"]["id"]] == list(manager.stored)
        for part in (0.4, 0.85):
            plan = await ground.planned(alertmanagers=["main"])
            _, done = await ground.lived(plan, int(points * part))
            assert done.recoveries == 1
            assert done.verdict is Verdict.PASSED, record(done).words
            assert (ground.remains(), ground.everything()) == ([], before)
        assert (len(manager.stored), manager.standing) == (3, [])


async def test_a_point_without_the_data_of_its_volume_is_red_and_above_it_nothing_is_claimed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with trial(monkeypatch, defaultVolumesToFsBackup=False, snapshotVolumes=False) as ground:
        done = await ground.proven()
        assert (done.verdict, done.exit_code) == (Verdict.FAILED, 2)
        assert "without data: data-db-0" in record(done).words
        assert rungs(done)["complete"] == "FAILED"
        assert rungs(done)["healthy"] == "NOT TESTED"
        assert ground.remains() == []


def refuse(ground: Trial, method: str, part: str) -> None:
    async def answer(request: HttpRequest) -> HttpResponse | None:
        if request.method == method and part in request.path:
            return error_answer(forbidden(part.split("/")[1], "", "", "not for you"))
        return None

    ground.refusals.append(answer)


async def test_a_missing_right_is_named_ends_in_inconclusive_and_is_cleaned_up_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with trial(monkeypatch) as ground:
        plan = await ground.planned()
        refuse(ground, "POST", "/restores")
        done = await ground.engine.run(plan, plan.target)  # type: ignore[union-attr]
        assert (done.verdict, done.exit_code) == (Verdict.INCONCLUSIVE, 4)
        assert "missing right: create restores.velero.io in namespace velero (403" in record(done).words
        states = {step.name: step.state for step in done.steps}
        assert states["restore.create"] is StepState.FAILED
        assert states["checks.run"] is StepState.SKIPPED
        assert states["clean"] is StepState.DONE
        assert ground.remains() == []


async def test_a_point_that_changed_since_its_plan_was_approved_is_not_the_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trial(monkeypatch) as ground:
        plan = await ground.planned()
        key = artefact_key("BackupVolumeInfos", "nightly")
        bucket = ground.cluster.objects.bucket(BUCKET)
        infos = unpacked(bucket.get(key))
        bucket.put(key, packed([{**one, "pvbInfo": {**one["pvbInfo"], "size": 1}} for one in infos]))
        done = await ground.engine.run(plan, plan.target)  # type: ignore[union-attr]
        assert (done.verdict, done.exit_code) == (Verdict.INCONCLUSIVE, 4)
        assert "holds something else than when the plan was made" in record(done).words
        assert not [one for one in ground.sent if one.method == "POST" and "/namespaces" in one.path[-11:]]


async def test_a_network_that_keeps_to_no_policy_gets_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trial(monkeypatch) as ground:
        ground.ways.heed = False
        done = await ground.proven()
        assert (done.verdict, done.exit_code) == (Verdict.INCONCLUSIVE, 4)
        assert "isolation not enforced" in record(done).words
        assert not [one for one in ground.sent if one.method == "POST" and "/restores" in one.path]
        assert ground.remains() == []


async def test_what_cannot_be_removed_is_told_and_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trial(monkeypatch) as ground:
        plan = await ground.planned()
        refuse(ground, "DELETE", f"/namespaces/{plan.target}")
        done = await ground.engine.run(plan, plan.target)  # type: ignore[union-attr]
        assert done.exit_code == 3
        assert f"Namespace {plan.target} (of operation" in record(done).left[0]
        assert plan.target in done.message
        assert ground.there(NAMESPACES, SPACE)
        assert done.verdict is Verdict.PASSED, "what was found about the point stays true"
        assert ground.api.list(RESTORES, VELERO)


async def test_a_proof_that_is_called_off_is_removed_and_judges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with trial(monkeypatch) as ground:
        engine = ground.engine
        assert engine is not None
        before = ground.everything()
        plan = await ground.planned()
        started = await engine.passing(engine.runner.start(plan, plan.digest(), plan.target))
        restoring = lambda: any("/restores" in one.path for one in ground.sent)  # noqa: E731
        await ground.until(restoring, "the restore was asked for")
        await engine.passing(engine.runner.undo(started.id))
        done = await engine.finish(started.id)
        assert (done.state, done.verdict, done.exit_code) == (OpState.UNDONE, Verdict.NOT_TESTED, 2)
        assert "prove.record" not in done.facts
        assert (ground.remains(), ground.everything()) == ([], before)


async def test_a_copy_that_was_not_started_is_noticed_also_where_a_pod_belongs_to_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with trial(monkeypatch) as ground:
        done = await ground.proven(control="no-workload")
        assert (done.verdict, done.exit_code) == (Verdict.PASSED, 0), record(done).words
        assert record(done).words.endswith(f"noticed by {SPACE}/StatefulSet/db 'healthy'")
        assert done.facts["prove.captured"] == "0 pods"
        assert ground.remains() == []
