"""Who changes replicas besides people: what an autoscaler does and does not do, and who fights a scale to zero."""

from __future__ import annotations

import json

from lazarus_tui.model.resources import AUTOSCALERS, STATEFULSETS
from lazarus_tui.sandbox.controllers.fighters import APPLICATIONS, SCALED_OBJECTS
from lazarus_tui.sandbox.scenarios.manifests import apply


def autoscaler(rig, least=2, most=3):
    target = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "orders"}
    spec = {"scaleTargetRef": target, "minReplicas": least, "maxReplicas": most}
    rig.api.create(AUTOSCALERS, {"metadata": {"name": "orders"}, "spec": spec}, "shop")


def replicas(rig):
    return rig.get(STATEFULSETS, "orders")["spec"]["replicas"]


def conditions(rig):
    status = rig.get(AUTOSCALERS, "orders")["status"]
    return {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}


async def test_an_autoscaler_raises_and_lowers_into_its_bounds(rig):
    rig.statefulset(replicas=1)
    autoscaler(rig)
    await rig.settle()
    assert replicas(rig) == 2
    assert conditions(rig)["AbleToScale"] == ("True", "SucceededRescale")
    assert rig.get(AUTOSCALERS, "orders")["status"]["lastScaleTime"]
    rig.scale("orders", 5)
    await rig.settle()
    assert replicas(rig) == 5  # it looks only every 15 s
    await rig.advance(16)
    assert replicas(rig) == 3


async def test_zero_switches_an_autoscaler_off_until_somebody_scales_up(rig):
    rig.statefulset(replicas=2)
    autoscaler(rig)
    await rig.settle()
    assert conditions(rig)["ScalingActive"] == ("False", "FailedGetResourceMetric")
    rig.scale("orders", 0)
    await rig.advance(61)
    assert replicas(rig) == 0
    assert conditions(rig)["ScalingActive"] == ("False", "ScalingDisabled")
    rig.scale("orders", 1)
    await rig.advance(16)
    assert replicas(rig) == 2


async def test_an_autoscaler_without_its_target_says_so(rig):
    autoscaler(rig)
    await rig.settle()
    assert conditions(rig)["AbleToScale"] == ("False", "FailedGetScale")


def applied(rig, count):
    text = json.dumps({"spec": {"replicas": count}})
    notes = {
        "kubectl.kubernetes.io/last-applied-configuration": text,
        "argocd.argoproj.io/tracking-id": "shop:apps/StatefulSet:shop/orders",
    }
    rig.api.patch(STATEFULSETS, "orders", {"metadata": {"annotations": notes}}, "shop")


async def test_self_heal_puts_replicas_back_after_five_seconds_and_names_itself(rig):
    rig.statefulset(replicas=2)
    applied(rig, 2)
    apply(rig.api, "gitops")
    await rig.settle()
    rig.scale("orders", 0)
    await rig.advance(4)
    assert replicas(rig) == 0
    await rig.advance(2)
    assert replicas(rig) == 2
    entity = rig.api.store.get("statefulsets.apps", ("shop", "orders"))
    assert b"argocd-controller" in entity.managers
    skip = {"metadata": {"annotations": {"argocd.argoproj.io/skip-reconcile": "true"}}}
    rig.api.patch(APPLICATIONS, "shop", skip, "argocd")
    rig.scale("orders", 0)
    await rig.advance(60)
    assert replicas(rig) == 0


async def test_keda_scales_up_from_zero_unless_it_is_paused_at_zero(rig):
    rig.statefulset(replicas=1)
    apply(rig.api, "keda")
    await rig.settle()
    rig.scale("orders", 0)
    await rig.advance(31)
    assert replicas(rig) == 1
    paused = {"metadata": {"annotations": {"autoscaling.keda.sh/paused-replicas": "0"}}}
    rig.api.patch(SCALED_OBJECTS, "orders", paused, "shop")
    await rig.advance(31)
    assert replicas(rig) == 0
