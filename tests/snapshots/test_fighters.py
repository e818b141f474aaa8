"""Who would scale it up in the middle: found, held with consent, given back exactly; unheld they are seen and named."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest
import yaml

from lazarus_tui.engine.adoption import capsules
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import AUTOSCALERS, CONFIGMAPS, CRDS, NAMESPACES, STATEFULSETS, Resource
from lazarus_tui.sandbox.controllers.fighters import APPLICATIONS, SCALED_OBJECTS
from lazarus_tui.snapshots.fighters import HELM_RELEASES, KUSTOMIZATIONS, find_fighters
from tests.snapshots.stage import NAME, SPACE, Stage, staged
from tests.snapshots.test_adoption import interrupted, other_engine
from tests.snapshots.test_inplace import all_say, clean, prepared, undo, volumes

SKIP = "argocd.argoproj.io/skip-reconcile"
PAUSED, PAUSED_REPLICAS = "autoscaling.keda.sh/paused", "autoscaling.keda.sh/paused-replicas"
Object = dict[str, Any]


def install(stage: Stage, scenario: str) -> None:
    """The definitions of a scenario, without its objects: those are of the shop."""
    text = (resources.files("lazarus_tui.sandbox.scenarios") / f"{scenario}.yaml").read_text()
    for one in yaml.safe_load_all(text):
        if one["kind"] == "CustomResourceDefinition":
            stage.api.create(CRDS, one)


def define(stage: Stage, resource: Resource) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": resource.version, "served": True, "storage": True, "schema": schema}
    names = {"kind": resource.kind, "plural": resource.plural, "singular": resource.kind.lower()}
    spec = {"group": resource.group, "names": names, "scope": "Namespaced", "versions": [version]}
    stage.api.create(CRDS, {"metadata": {"name": resource.group_resource}, "spec": spec})


def mark(stage: Stage, annotations: Object | None = None, labels: Object | None = None) -> None:
    body = {"metadata": {"annotations": annotations or {}, "labels": labels or {}}}
    stage.api.patch(STATEFULSETS, NAME, body, SPACE)


def argo(stage: Stage, *, replicas: int, **meta: Any) -> None:
    install(stage, "gitops")
    stage.api.create(NAMESPACES, {"metadata": {"name": "argocd"}})
    applied = json.dumps({"spec": {"replicas": replicas}})
    tracking = f"shop:apps/StatefulSet:{SPACE}/{NAME}"
    mark(
        stage,
        {
            "argocd.argoproj.io/tracking-id": tracking,
            "kubectl.kubernetes.io/last-applied-configuration": applied,
        },
    )
    spec = {"project": "default", "syncPolicy": {"automated": {"selfHeal": True}}}
    stage.api.create(APPLICATIONS, {"metadata": {"name": "shop", "namespace": "argocd", **meta}, "spec": spec})


def keda(stage: Stage, annotations: Object | None = None) -> None:
    install(stage, "keda")
    spec = {
        "scaleTargetRef": {"kind": "StatefulSet", "name": NAME}, "minReplicaCount": 2, "maxReplicaCount": 2,
        "pollingInterval": 5, "triggers": [{"type": "cron"}],
    }  # fmt: skip
    meta = {"name": "scaler", "namespace": SPACE, "annotations": annotations or {}}
    stage.api.create(SCALED_OBJECTS, {"metadata": meta, "spec": spec})


def marks(stage: Stage, resource: Resource, name: str, namespace: str) -> Object:
    found = stage.api.get(resource, name, namespace)
    assert found is not None
    return dict(found["metadata"].get("annotations") or {})


def wanted(stage: Stage) -> int:
    return int(stage.workload()["spec"]["replicas"])


async def they_work_again(stage: Stage) -> None:
    stage.api.patch(STATEFULSETS, NAME, {"spec": {"replicas": 1}}, SPACE)
    await stage.until(lambda: wanted(stage) == 2, "whoever fights puts the replicas back")


@pytest.mark.parametrize("who", ["argo", "keda"])
async def test_held_with_consent_it_passes_and_they_work_again_also_after_undo(who: str) -> None:
    async with staged(replicas=2) as (stage, engine):
        old = await prepared(stage)
        if who == "argo":
            argo(stage, replicas=2)
            place, before = (APPLICATIONS, "shop", "argocd"), dict[str, str]()
        else:
            keda(stage, {"team": "shop"})
            place, before = (SCALED_OBJECTS, "scaler", SPACE), {"team": "shop"}
        with pytest.raises(PlanRefused, match=r"would be scaled up again: (Argo CD|KEDA)") as refused:
            await stage.plan(engine)
        assert refused.value.code == "consent"
        done = await stage.restore(engine, hold=True)
        assert done.state is OpState.DONE, done.message
        assert all_say(stage, "before")
        assert marks(stage, *place) == before
        await they_work_again(stage)
        await stage.until(lambda: stage.ready() == 2, "all replicas are back")
        undone = await undo(engine, done)
        assert undone.state is OpState.UNDONE, undone.message
        assert volumes(stage) == old
        assert all_say(stage, "after")
        assert marks(stage, *place) == before
        await they_work_again(stage)


@pytest.mark.parametrize("way", ["resume", "undo"])
async def test_whoever_takes_over_gives_back_what_the_first_one_held(way: str) -> None:
    async with staged(replicas=2) as (stage, engine):
        await prepared(stage)
        argo(stage, replicas=2, annotations={SKIP: "false"})
        op = await interrupted(stage, engine, "DELETE /api/v1/namespaces/prod/persistentvolumeclaims", hold=True)
        assert marks(stage, APPLICATIONS, "shop", "argocd") == {SKIP: "true"}
        engine = await other_engine(stage)
        [capsule] = await engine.passing(capsules(engine.cluster))
        adopted = await engine.passing(engine.runner.adopt(capsule, "lab"))
        assert adopted is not None
        if way == "undo":
            await engine.passing(engine.runner.undo(op, adopted.target))
        else:
            await engine.passing(engine.runner.resume(op, adopted.target))
        ended = await engine.finish(op)
        assert ended.state is (OpState.UNDONE if way == "undo" else OpState.DONE), ended.message
        assert all_say(stage, "after" if way == "undo" else "before")
        assert marks(stage, APPLICATIONS, "shop", "argocd") == {SKIP: "false"}, "what was there before, not nothing"
        assert clean(stage)


@pytest.mark.parametrize(("who", "name"), [("argo", "argocd-controller"), ("keda", "keda-operator")])
async def test_who_comes_after_the_plan_is_named_and_nothing_more_is_done(who: str, name: str) -> None:
    async with staged(replicas=2) as (stage, engine):
        old = await prepared(stage)
        plan = await stage.plan(engine)
        argo(stage, replicas=2) if who == "argo" else keda(stage)
        stage.cluster.driver.faults.stuck = True
        parked = await engine.run(plan, plan.target)
        assert parked.state is OpState.PARKED
        assert f"somebody ({name}) scaled prod/db to 2" in parked.message
        assert parked.can_undo
        stage.cluster.driver.faults.stuck = False
        undone = await undo(engine, parked)
        assert undone.state is OpState.UNDONE, undone.message
        assert volumes(stage) == old
        assert all_say(stage, "after")


async def test_an_autoscaler_chooses_the_number_after_the_start_and_nobody_calls_it_a_fight() -> None:
    async with staged(replicas=2) as (stage, engine):
        old = await prepared(stage)
        reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": NAME}
        spec = {"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 2}
        stage.api.create(AUTOSCALERS, {"metadata": {"name": "auto", "namespace": SPACE}, "spec": spec})
        done = await stage.restore(engine)
        assert done.state is OpState.DONE, done.message
        assert all_say(stage, "before")
        stage.api.patch(AUTOSCALERS, "auto", {"spec": {"maxReplicas": 3, "minReplicas": 3}}, SPACE)
        await stage.until(lambda: stage.ready() == 3, "it chooses another number")
        undone = await undo(engine, done)
        assert undone.state is OpState.UNDONE, undone.message
        assert {claim: volume for claim, volume in volumes(stage).items() if claim in old} == old
        await stage.until(lambda: stage.ready() == 3, "it chooses the number again")


# --- what is found, without a run


async def found(stage: Stage, engine: Any) -> list[Object]:
    return await engine.passing(find_fighters(engine.cluster, stage.workload()))


async def test_nobody_is_found_where_nothing_is_installed() -> None:
    async with staged(replicas=1) as (stage, engine):
        assert await found(stage, engine) == []


async def test_flux_is_held_by_suspend_and_gets_its_own_value_back() -> None:
    async with staged(replicas=1) as (stage, engine):
        define(stage, KUSTOMIZATIONS[1])
        define(stage, HELM_RELEASES[0])
        labels = {f"{KUSTOMIZATIONS[0].group}/{key}": value for key, value in (("name", "apps"), ("namespace", SPACE))}
        labels |= {f"{HELM_RELEASES[0].group}/{key}": value for key, value in (("name", "db"), ("namespace", SPACE))}
        mark(stage, labels=labels)
        assert await found(stage, engine) == [], "labels alone keep nothing"
        parent = {f"{KUSTOMIZATIONS[0].group}/name": "cluster"}
        stage.api.create(
            KUSTOMIZATIONS[1],
            {"metadata": {"name": "apps", "namespace": SPACE, "labels": parent}, "spec": {"suspend": False}},
        )
        stage.api.create(HELM_RELEASES[0], {"metadata": {"name": "db", "namespace": SPACE}, "spec": {}})
        first, warning, second = await found(stage, engine)
        assert (first["version"], first["hold"], first["release"]) == (
            KUSTOMIZATIONS[1].version, {"spec": {"suspend": True}}, {"spec": {"suspend": False}},
        )  # fmt: skip
        assert warning["only_warn"]
        assert "kept by Kustomization cluster" in warning["words"]
        assert (second["kind"], second["release"]) == ("HelmRelease", {"spec": {"suspend": None}})
        mark(stage, {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"})
        assert await found(stage, engine) == []


async def test_argo_by_instance_label_its_parent_and_its_other_states() -> None:
    async with staged(replicas=1) as (stage, engine):
        argo(stage, replicas=1, labels={"app.kubernetes.io/instance": "root"})
        mark(stage, {"argocd.argoproj.io/tracking-id": None}, {"app.kubernetes.io/instance": "shop"})
        fighter, parent = await found(stage, engine)
        assert fighter["release"] == {"metadata": {"annotations": {SKIP: None}}}
        assert "kept by Application root" in parent["words"]
        mark(stage, {"argocd.argoproj.io/tracking-id": f"elsewhere_shop:apps/StatefulSet:{SPACE}/{NAME}"})
        assert await found(stage, engine) == [], "an Application of another namespace"
        mark(stage, {"argocd.argoproj.io/tracking-id": None})
        calm = {"spec": {"syncPolicy": {"automated": {"selfHeal": False}}}}
        stage.api.patch(APPLICATIONS, "shop", calm, "argocd")
        [only] = await found(stage, engine)
        assert only["only_warn"]
        assert "a sync would put the replicas back" in only["words"]


OPERATORS = [
    ("elasticsearch.k8s.elastic.co/v1", "Elasticsearch", "annotation eck.k8s.elastic.co/pause-orchestration"),
    ("kafka.strimzi.io/v1beta2", "Kafka", "annotation strimzi.io/pause-reconciliation"),
    ("rabbitmq.com/v1beta1", "RabbitmqCluster", "label rabbitmq.com/pauseReconciliation"),
    ("psmdb.percona.com/v1", "PerconaServerMongoDB", "spec.pause: true"),
    ("example.com/v1", "Database", "the operator's own restore, or restore beside it"),
]


async def test_what_an_operator_owns_is_refused_with_its_own_pause() -> None:
    async with staged(replicas=1) as (stage, engine):
        workload = stage.workload()
        for version, kind, hint in OPERATORS:
            owner = {"apiVersion": version, "kind": kind, "name": "big", "uid": "u1", "controller": True}
            owned = {**workload, "metadata": {**workload["metadata"], "ownerReferences": [owner]}}
            [fighter] = await engine.passing(find_fighters(engine.cluster, owned))
            assert (fighter["refuse"], fighter["words"]) == (True, f"{kind} big owns it and would put it back")
            assert hint in fighter["hint"]
        await prepared(stage)
        real = stage.api.create(CONFIGMAPS, {"metadata": {"name": "big", "namespace": SPACE}})
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "big", "uid": real["metadata"]["uid"]}
        meta = {"ownerReferences": [{**owner, "controller": True}]}
        stage.api.patch(STATEFULSETS, NAME, {"metadata": meta}, SPACE)
        with pytest.raises(PlanRefused, match="ConfigMap big owns it"):
            await stage.plan(engine, hold=True)


async def test_the_others_are_told_of() -> None:
    async with staged(replicas=1) as (stage, engine):
        await prepared(stage)
        mark(
            stage,
            {"meta.helm.sh/release-name": "db", "downscaler/uptime": "always", "reloader.stakater.com/auto": "true"},
            {"app.kubernetes.io/managed-by": "zalando-operator"},
        )
        reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": NAME}
        spec = {"scaleTargetRef": reference, "minReplicas": 1, "maxReplicas": 1}
        stage.api.create(AUTOSCALERS, {"metadata": {"name": "auto", "namespace": SPACE}, "spec": spec})
        plan = await stage.plan(engine)
        told = "\n".join(plan.warnings)
        for word in ("Helm release db", "a downscaler", "Reloader", "HorizontalPodAutoscaler auto", "zalando-operator"):
            assert word in told
