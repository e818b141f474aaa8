"""What would stop a restore in the middle is known before it begins; what cannot be known is said."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import BACKUPS, CLAIMS, CRDS, RESTORES, STATEFULSETS, Resource
from lazarus_tui.snapshots.inplace.preflight import QUOTAS, rights
from tests.engine.world import Engine
from tests.snapshots.stage import NAME, SPACE, Stage, staged
from tests.snapshots.test_fighters import define, found, keda
from tests.snapshots.test_inplace import prepared

LIMITS = Resource("", "v1", "limitranges", "LimitRange")
PATCH_VOLUMES, SCALE = "patch persistentvolumes", "patch statefulsets.apps/scale"


def answering(engine: Engine, answers: dict[str, bool | None]) -> list[str]:
    """Access reviews are answered like this, by "verb resource"; True for the rest. Returns what was asked."""
    asked: list[str] = []

    async def can_i(verb: str, kind: Resource, namespace: str = "", name: str = "", sub: str = "") -> bool | None:
        asked.append(f"{verb} {kind.group_resource}" + (f"/{sub}" if sub else ""))
        return answers.get(asked[-1], True)

    engine.cluster.can_i = can_i  # type: ignore[method-assign, assignment]
    return asked


async def test_every_right_is_asked_for_the_undo_first_and_a_missing_one_is_named() -> None:
    async with staged(replicas=2) as (stage, engine):
        await prepared(stage)
        plan = await stage.plan(engine)
        assert not [warning for warning in plan.warnings if "right" in warning], "the real review says yes to all"
        keda(stage)
        asked = answering(engine, {})
        await stage.plan(engine, hold=True)
        [hold] = [one for one in await found(stage, engine) if one.get("hold")]
        wanted = rights(SPACE, NAME, [hold], safety=True)
        assert asked == [str(right).partition(" in namespace")[0] for right in wanted]
        assert asked.index(SCALE) < asked.index("create volumesnapshots.snapshot.storage.k8s.io")
        assert "patch scaledobjects.keda.sh" in asked
        answering(engine, {PATCH_VOLUMES: False, "create volumesnapshots.snapshot.storage.k8s.io": False})
        with pytest.raises(PlanRefused) as refused:
            await stage.plan(engine, hold=True)
        assert refused.value.what == (
            "missing right: patch persistentvolumes (needed to undo it); "
            "create volumesnapshots.snapshot.storage.k8s.io in namespace prod (needed to restore it)"
        )
        answering(engine, {"create volumesnapshots.snapshot.storage.k8s.io": False})
        await stage.plan(engine, hold=True, safety=False)
        answering(engine, {PATCH_VOLUMES: None, SCALE: None, "delete pods": False})
        told = "\n".join((await stage.plan(engine, hold=True)).warnings)
        assert f"the review was not answered: {SCALE} in namespace prod, {PATCH_VOLUMES}" in told
        assert "missing right: delete pods in namespace prod: a scale-down that stalls needs your own hand" in told


async def test_a_claim_that_admission_would_refuse_is_known_before() -> None:
    async with staged(replicas=1) as (stage, engine):
        await prepared(stage)
        limit = {"type": "PersistentVolumeClaim", "max": {"storage": "1Mi"}}
        stage.api.create(LIMITS, {"metadata": {"name": "small", "namespace": SPACE}, "spec": {"limits": [limit]}})
        before = [claim["metadata"]["name"] for claim in stage.api.list(CLAIMS, SPACE)]
        with pytest.raises(PlanRefused, match=r"claim data-db-0 would be refused: .*maximum storage usage"):
            await stage.plan(engine)
        assert [claim["metadata"]["name"] for claim in stage.api.list(CLAIMS, SPACE)] == before, "nothing was made"


@pytest.mark.parametrize(
    "words",
    [
        "admission webhook does not support dry run",
        'persistentvolumeclaims "x" is forbidden: status unknown for quota: q, resources: requests.storage',
    ],
)
async def test_what_cannot_say_yet_whether_it_admits_is_no_refusal(words: str) -> None:
    async with staged(replicas=1) as (stage, engine):
        await prepared(stage)

        async def dry_run(kind: Resource, body: Any, namespace: str | None = None) -> str:
            assert body["metadata"]["name"] != "data-db-0"
            return words

        engine.cluster.dry_run = dry_run  # type: ignore[method-assign, assignment]
        plan = await stage.plan(engine)
        assert any("whether claim data-db-0 will be admitted is not known" in warning for warning in plan.warnings)


async def quota(stage: Stage, **hard: str) -> None:
    spec = {"hard": {key.replace("_", "/"): value for key, value in hard.items()}}
    stage.api.create(QUOTAS, {"metadata": {"name": "tight", "namespace": SPACE}, "spec": spec})

    def counted() -> bool:
        one = stage.get(QUOTAS, "tight")
        return bool(one and (one.get("status") or {}).get("used"))

    await stage.until(counted, "the quota is counted")


async def test_a_quota_that_is_full_of_the_old_claims_is_large_enough_for_the_new_ones() -> None:
    async with staged(replicas=2) as (stage, engine):
        await prepared(stage)
        await quota(stage, **{"requests.storage": "128Mi", "persistentvolumeclaims": "2"})
        plan = await stage.plan(engine)
        assert ("create", "2 volumes") in [(effect.verb, effect.what) for effect in plan.effects]
        assert "128 MiB in all" in next(effect.detail for effect in plan.effects if effect.what == "2 volumes")
        assert "until 20" in plan.undo


async def test_a_quota_without_room_for_the_safety_snapshots_refuses_with_the_sum() -> None:
    async with staged(replicas=2) as (stage, engine):
        await prepared(stage)
        await quota(stage, **{"count_volumesnapshots.snapshot.storage.k8s.io": "3"})
        words = r"quota tight: count/volumesnapshots.snapshot.storage.k8s.io would be 4 of 3 \(2 more\)"
        with pytest.raises(PlanRefused, match=words):
            await stage.plan(engine)
        await stage.plan(engine, safety=False)


async def test_velero_at_work_in_the_namespace_is_told_or_refused() -> None:
    async with staged(replicas=1) as (stage, engine):
        await prepared(stage)
        if not any(one["metadata"]["name"] == BACKUPS.group_resource for one in stage.api.list(CRDS)):
            define(stage, BACKUPS)
            define(stage, RESTORES)
        meta = {"name": "nightly", "namespace": "default"}
        stage.api.create(BACKUPS, {"metadata": meta, "spec": {"includedNamespaces": [SPACE]}})
        stage.api.patch(BACKUPS, "nightly", {"status": {"phase": "InProgress"}}, "default")
        plan = await stage.plan(engine)
        assert any("Velero backs up prod right now (nightly)" in warning for warning in plan.warnings)
        spec = {"backupName": "x", "includedNamespaces": ["shop"], "namespaceMapping": {"shop": "elsewhere"}}
        stage.api.create(RESTORES, {"metadata": {**meta, "name": "back"}, "spec": spec})
        stage.api.patch(RESTORES, "back", {"status": {"phase": "InProgress"}}, "default")
        await stage.plan(engine)
        stage.api.patch(RESTORES, "back", {"spec": {"namespaceMapping": {"shop": SPACE}}}, "default")
        with pytest.raises(PlanRefused, match="Velero restores into prod right now: back"):
            await stage.plan(engine)


async def test_what_may_not_be_read_is_said() -> None:
    async with staged(replicas=1) as (stage, engine):
        await prepared(stage)
        real = engine.cluster.list

        async def listed(resource: Resource, *args: Any, **options: Any) -> Any:
            if resource in (QUOTAS, RESTORES):
                raise Forbidden("you may not", status=403)
            return await real(resource, *args, **options)

        engine.cluster.list = listed  # type: ignore[method-assign]
        told = "\n".join((await stage.plan(engine)).warnings)
        assert "whether a quota is too small is not known: you may not" in told
        assert "whether Velero is at work in prod is not known: you may not" in told
        assert stage.get(STATEFULSETS, NAME)
