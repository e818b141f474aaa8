"""Refusals kind by kind: each answer names the field, and the same object without the fault is taken."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import STORAGECLASSES

from .conftest import MERGE, World, pod, workload

NS = "/api/v1/namespaces/default"
Json = dict[str, Any]


def at(group: str, plural: str, *, cluster: bool = False) -> str:
    root = f"/apis/{group}" if "/" in group else f"/api/{group}"
    return f"{root}/{plural}" if cluster else f"{root}/namespaces/default/{plural}"


RBAC = "rbac.authorization.k8s.io/v1"
ROLE, ROLES = at(RBAC, "roles"), at(RBAC, "clusterroles", cluster=True)
BINDINGS = at(RBAC, "rolebindings")
CRONS, JOBS = at("batch/v1", "cronjobs"), at("batch/v1", "jobs")
SCALERS = at("autoscaling/v2", "horizontalpodautoscalers")
BUDGETS = at("policy/v1", "poddisruptionbudgets")
POLICIES, INGRESSES = at("networking.k8s.io/v1", "networkpolicies"), at("networking.k8s.io/v1", "ingresses")
SLICES = at("discovery.k8s.io/v1", "endpointslices")
CLASSES = at("storage.k8s.io/v1", "storageclasses", cluster=True)
VOLUMES = at("v1", "persistentvolumes", cluster=True)
PRIORITIES = at("scheduling.k8s.io/v1", "priorityclasses", cluster=True)
DEPLOYMENTS, SETS = at("apps/v1", "deployments"), at("apps/v1", "statefulsets")

RULE = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
REF = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
RUN_ONCE = {"spec": pod("x")["spec"] | {"restartPolicy": "Never"}}
CRON = {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": RUN_ONCE}}}
SCALER = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "w"}, "maxReplicas": 3}
SLICE = {"addressType": "IPv4", "endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]}
VOLUME = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}
BACKEND = {"service": {"name": "s", "port": {"number": 80}}}
PATHS = {"http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": BACKEND}]}}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def spec(**fields: Any) -> Json:
    return {"spec": fields}


def containers(**fields: Any) -> Json:
    return {"spec": {"containers": [{"name": "c", "image": "i"} | fields]}}


# Where, what is right, what makes it wrong (over the right one), the field that is named, and words of the answer.
REFUSED: list[tuple[str, Json, Json, str, str]] = [
    (f"{NS}/pods", containers(), spec(restartPolicy="Maybe"), "spec.restartPolicy", 'values: "Always", "OnFailure"'),
    (f"{NS}/pods", containers(), spec(dnsPolicy="Maybe"), "spec.dnsPolicy", "Unsupported value"),
    (f"{NS}/pods", containers(), containers(name="C"), "spec.containers[0].name", "RFC 1123 label"),
    (f"{NS}/pods", containers(), containers(image=""), "spec.containers[0].image", "Required value"),
    (f"{NS}/pods", containers(), containers(ports=[{}]), "spec.containers[0].ports[0].containerPort", "Required"),
    (f"{NS}/pods", containers(), containers(env=[{"value": "x"}]), "spec.containers[0].env[0].name", "Required"),
    (f"{NS}/pods", containers(), containers(imagePullPolicy="No"), "spec.containers[0].imagePullPolicy", "Always"),
    (f"{NS}/pods", containers(), spec(volumes=[{"name": "v"}, {"name": "v"}]), "spec.volumes[1].name", "Duplicate"),
    (
        f"{NS}/pods",
        containers(),
        spec(volumes=[{"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}]),
        "spec.volumes[0].hostPath",
        "more than 1 volume type",
    ),
    (f"{NS}/services", spec(ports=[{"port": 80}]), spec(type="Maybe"), "spec.type", "Unsupported value"),
    (f"{NS}/services", spec(ports=[{"port": 80}]), spec(clusterIP="x"), "spec.clusterIPs[0]", "valid IP address"),
    (f"{NS}/services", spec(ports=[{"port": 80}]), spec(type="ExternalName"), "spec.externalName", "Required"),
    (
        f"{NS}/services",
        spec(ports=[{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]),
        spec(ports=[{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]),
        "spec.ports[1].name",
        "Duplicate",
    ),
    (f"{NS}/services", spec(ports=[{"port": 80}]), spec(type="NodePort", ports=[{"port": 80, "nodePort": 80}]),
     "spec.ports[0].nodePort", "30000-32767"),
    (f"{NS}/configmaps", {}, {"data": {"a b": "x"}}, "data[a b]", "valid config key"),
    (f"{NS}/configmaps", {}, {"data": {"..x": "x"}}, "data[..x]", "must not start with"),
    (f"{NS}/secrets", {}, {"type": "kubernetes.io/tls", "data": {"tls.crt": ""}}, "data[tls.key]", "Required value"),
    (f"{NS}/secrets", {}, {"type": "kubernetes.io/basic-auth"}, "data[username]", "Required value"),
    (f"{NS}/secrets", {}, {"type": "kubernetes.io/service-account-token"},
     "metadata.annotations[kubernetes.io/service-account.name]", "Required"),
    (f"{NS}/persistentvolumeclaims", spec(**CLAIM), spec(accessModes=["Some"]), "spec.accessModes", "ReadOnlyMany"),
    (f"{NS}/persistentvolumeclaims", spec(**CLAIM), spec(resources={"requests": {"storage": "0"}}),
     "spec.resources[storage]", "greater than zero"),
    (f"{NS}/persistentvolumeclaims", spec(**CLAIM), spec(accessModes=["ReadWriteOncePod", "ReadWriteOnce"]),
     "spec.accessModes", "may not use ReadWriteOncePod"),
    (VOLUMES, spec(**VOLUME), spec(hostPath=None), "spec", "must specify a volume type"),
    (VOLUMES, spec(**VOLUME), spec(nfs={"server": "s", "path": "/"}), "spec.nfs", "more than 1 volume type"),
    (VOLUMES, spec(**VOLUME), spec(hostPath=None, csi={"driver": "d"}), "spec.csi.volumeHandle", "Required"),
    (VOLUMES, spec(**VOLUME), spec(persistentVolumeReclaimPolicy="No"), "spec.persistentVolumeReclaimPolicy", "Retain"),
    (VOLUMES, spec(**VOLUME), spec(capacity=None), "spec.capacity", "Required"),
    (CLASSES, {"provisioner": "p"}, {"provisioner": ""}, "provisioner", "Required value"),
    (CLASSES, {"provisioner": "p"}, {"volumeBindingMode": "Later"}, "volumeBindingMode", "WaitForFirstConsumer"),
    (CRONS, spec(**CRON), spec(schedule=""), "spec.schedule", "Required value"),
    (CRONS, spec(**CRON), spec(schedule="* * * *"), "spec.schedule", "Invalid value"),
    (CRONS, spec(**CRON), spec(schedule="TZ=UTC * * * * *"), "spec.schedule", "use timeZone field instead"),
    (CRONS, spec(**CRON), spec(timeZone="Mars/North"), "spec.timeZone", "unknown time zone"),
    (CRONS, spec(**CRON), spec(concurrencyPolicy="Maybe"), "spec.concurrencyPolicy", "Unsupported"),
    (CRONS, spec(**CRON), spec(jobTemplate={"spec": {"template": {"spec": {"restartPolicy": "Always"}}}}),
     "spec.jobTemplate.spec.template.spec.restartPolicy", "OnFailure"),
    (JOBS, spec(template=RUN_ONCE), spec(parallelism=-1), "spec.parallelism", "greater than or equal to 0"),
    (JOBS, spec(template=RUN_ONCE), spec(completionMode="Indexed", parallelism=2), "spec.completions", "Required"),
    (SCALERS, spec(**SCALER), spec(maxReplicas=0), "spec.maxReplicas", "greater than 0"),
    (SCALERS, spec(**SCALER), spec(minReplicas=4), "spec.maxReplicas", "equal to `minReplicas`"),
    (SCALERS, spec(**SCALER), spec(scaleTargetRef={"name": ""}), "spec.scaleTargetRef.name", "Required"),
    (SCALERS, spec(**SCALER), spec(metrics=[{"type": "Moon"}]), "spec.metrics[0].type", "Unsupported"),
    (BUDGETS, spec(minAvailable=1), spec(maxUnavailable=1), "spec", "cannot be both set"),
    (BUDGETS, spec(minAvailable="50%"), spec(minAvailable="half"), "spec.minAvailable", "percent"),
    (POLICIES, spec(podSelector={}), spec(policyTypes=["In"]), "spec.policyTypes", "Unsupported"),
    (POLICIES, spec(podSelector={}), spec(ingress=[{"from": [{}]}]), "spec.ingress[0].from[0]", "must specify a peer"),
    (POLICIES, spec(podSelector={}), spec(egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/99"}}]}]),
     "spec.egress[0].to[0].ipBlock.cidr", "valid CIDR"),
    (POLICIES, spec(podSelector={}),
     spec(egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}]),
     "spec.egress[0].to[0].ipBlock.except[0]", "strict subset"),
    (POLICIES, spec(podSelector={}), spec(egress=[{"ports": [{"port": 90, "endPort": 80}]}]),
     "spec.egress[0].ports[0].endPort", "greater than or equal to `port`"),
    (INGRESSES, spec(rules=[PATHS]), spec(rules=None), "spec", "either `defaultBackend` or `rules`"),
    (INGRESSES, spec(rules=[PATHS]), spec(rules=[{"http": {"paths": [{"backend": BACKEND}]}}]),
     "spec.rules[0].http.paths[0].pathType", "must be specified"),
    (SLICES, SLICE, {"addressType": None}, "addressType", "Required value"),
    (SLICES, SLICE, {"endpoints": [{"addresses": ["web"]}]}, "endpoints[0].addresses[0]", "valid IPv4 address"),
    (ROLE, {"rules": [RULE]}, {"rules": [RULE | {"verbs": []}]}, "rules[0].verbs", "at least one value"),
    (ROLE, {"rules": [RULE]}, {"rules": [{"verbs": ["get"], "nonResourceURLs": ["/x"]}]}, "rules[0].nonResourceURLs",
     "namespaced rules cannot apply"),
    (ROLES, {"rules": [RULE]}, {"rules": [RULE | {"resources": []}]}, "rules[0].resources", "at least one resource"),
    (BINDINGS, {"roleRef": REF}, {"roleRef": REF | {"kind": "Pod"}}, "roleRef.kind", "Unsupported"),
    (BINDINGS, {"roleRef": REF}, {"subjects": [{"kind": "ServiceAccount", "name": "a"}]}, "subjects[0].namespace",
     "Required"),
    (f"{NS}/resourcequotas", spec(hard={"pods": "3"}), spec(hard={"pods": "-3"}), "spec.hard[pods]", "equal to 0"),
    (PRIORITIES, {"value": 1}, {"value": 2_000_000_000}, "value", "maximum allowed value"),
    (DEPLOYMENTS, workload("Deployment", "x"), spec(selector={"matchLabels": None}), "spec.selector", "empty selector"),
    (DEPLOYMENTS, workload("Deployment", "x"), spec(strategy={"type": "Slow"}), "spec.strategy.type", "RollingUpdate"),
    (DEPLOYMENTS, workload("Deployment", "x"),
     spec(strategy={"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}),
     "spec.strategy.rollingUpdate.maxUnavailable", "may not be 0"),
    (DEPLOYMENTS, workload("Deployment", "x"), spec(template={"spec": {"restartPolicy": "Never"}}),
     "spec.template.spec.restartPolicy", 'supported values: "Always"'),
    (SETS, workload("StatefulSet", "x"), spec(podManagementPolicy="Any"), "spec.podManagementPolicy", "OrderedReady"),
]  # fmt: skip


def over(right: Any, wrong: Any) -> Any:
    """A merge patch, as the server does it, so that rows show nothing but the fault."""
    if not isinstance(wrong, dict):
        return wrong
    base = right if isinstance(right, dict) else {}
    return {
        key: value
        for key in {**base, **wrong}
        if (value := over(base.get(key), wrong[key]) if key in wrong else base[key]) is not None
    }


@pytest.mark.parametrize(
    ("path", "right", "wrong", "field", "text"),
    REFUSED,
    ids=[f"{row[0].rpartition('/')[2]}-{row[3]}-{row[4]}" for row in REFUSED],
)
async def test_a_fault_is_named_by_its_field(
    world: World, path: str, right: Json, wrong: Json, field: str, text: str
) -> None:
    named = {"metadata": {"name": "x"}}
    refused = await world.call("POST", path, {**over(right, wrong), **named})
    assert (refused.status, refused.reason) == (422, "Invalid"), refused.raw
    said = {cause["field"]: cause["message"] for cause in refused.body["details"]["causes"]}
    assert text in said[field], said
    assert (await world.call("POST", path, {**right, **named})).status == 201


# Where, what is made, a merge patch, and the field that may not change so ("" where it may).
CHANGES: list[tuple[str, Json, Json, str]] = [
    (VOLUMES, spec(**VOLUME), spec(hostPath={"path": "/y"}), "spec.persistentvolumesource"),
    (VOLUMES, spec(**VOLUME), spec(volumeMode="Block"), "spec.volumeMode"),
    (VOLUMES, spec(**VOLUME), spec(claimRef={"name": "c"}, persistentVolumeReclaimPolicy="Delete"), ""),
    (CLASSES, {"provisioner": "p"}, {"provisioner": "q"}, "provisioner"),
    (CLASSES, {"provisioner": "p"}, {"volumeBindingMode": "WaitForFirstConsumer"}, "volumeBindingMode"),
    (CLASSES, {"provisioner": "p"}, {"allowVolumeExpansion": True}, ""),
    (SLICES, SLICE, {"addressType": "FQDN"}, "addressType"),
    (f"{NS}/resourcequotas", spec(hard={"pods": "3"}), spec(scopes=["BestEffort"]), "spec.scopes"),
    (PRIORITIES, {"value": 1}, {"value": 2}, "value"),
    (BINDINGS, {"roleRef": REF}, {"roleRef": {"name": "z"}}, "roleRef"),
    (CRONS, spec(**CRON), spec(schedule="0 1 * * *", suspend=True), ""),
    (JOBS, spec(template=RUN_ONCE), spec(template={"spec": {"nodeSelector": {"a": "b"}}}), "spec.template"),
    (JOBS, spec(template=RUN_ONCE, suspend=True), spec(template={"spec": {"nodeSelector": {"a": "b"}}}), ""),
    (JOBS, spec(template=RUN_ONCE), spec(completions=3), "spec.completions"),
    (JOBS, spec(template=RUN_ONCE), spec(parallelism=3, suspend=True), ""),
    (f"{NS}/pods", containers(), spec(tolerations=[{"key": "a", "operator": "Exists"}]), ""),
    (f"{NS}/pods", over(containers(), spec(tolerations=[{"key": "a", "operator": "Exists"}])), spec(tolerations=[]),
     "spec.tolerations"),
    (f"{NS}/pods", containers(), spec(terminationGracePeriodSeconds=3), "spec"),
    (f"{NS}/pods", containers(), spec(schedulingGates=[{"name": "a.b/c"}]), "spec.schedulingGates"),
    (f"{NS}/pods", over(containers(), spec(schedulingGates=[{"name": "a.b/c"}])),
     spec(schedulingGates=None, nodeSelector={"a": "b"}), ""),
    (f"{NS}/pods", containers(), spec(nodeSelector={"a": "b"}), "spec"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "obj", "patch", "field"), CHANGES)
async def test_what_may_change_does_and_what_may_not_is_named(
    world: World, path: str, obj: Json, patch: Json, field: str
) -> None:
    made = await world.call("POST", path, {**obj, "metadata": {"name": "x"}})
    assert made.status == 201, made.raw
    answer = await world.call("PATCH", f"{path}/x", patch, type=MERGE)
    if not field:
        assert answer.status == 200, answer.raw
        return
    assert (answer.status, answer.reason) == (422, "Invalid"), answer.raw
    assert field in [cause["field"] for cause in answer.body["details"]["causes"]]
    assert (await world.call("GET", f"{path}/x")).body == made.body


@pytest.mark.parametrize(("grows", "status"), [(True, 200), (False, 403), (None, 403)])
async def test_a_bound_claim_grows_where_its_class_lets_it(world: World, grows: bool | None, status: int) -> None:
    if grows is not None:
        kind = {"metadata": {"name": "fast"}, "provisioner": "p", "allowVolumeExpansion": grows}
        world.api.create(STORAGECLASSES, kind)
    path = f"{NS}/persistentvolumeclaims"
    await world.call("POST", path, {"metadata": {"name": "x"}, "spec": CLAIM | {"storageClassName": "fast"}})
    bound = {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}
    await world.call("PATCH", f"{path}/x/status", bound, type=MERGE)
    more = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}
    answer = await world.call("PATCH", f"{path}/x", more, type=MERGE)
    assert answer.status == status
    kept = (await world.call("GET", f"{path}/x")).body["spec"]["resources"]["requests"]["storage"]
    assert kept == ("2Gi" if status == 200 else "1Gi")
    if status == 403:
        assert "only dynamically provisioned pvc can be resized" in answer.body["message"]


OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "u"}


@pytest.mark.parametrize(
    ("meta", "field"),
    [
        ({"ownerReferences": [OWNER | {"uid": ""}]}, "metadata.ownerReferences[0].uid"),
        ({"ownerReferences": [OWNER | {"apiVersion": ""}]}, "metadata.ownerReferences[0].apiVersion"),
        ({"ownerReferences": [OWNER | {"controller": True, "uid": one} for one in "ab"]}, "metadata.ownerReferences"),
        ({"finalizers": ["plain"]}, "metadata.finalizers[0]"),
        ({"finalizers": ["a.b/c d"]}, "metadata.finalizers"),
    ],
)
async def test_owners_and_finalizers_have_a_form(widgets: World, meta: Json, field: str) -> None:
    refused = await widgets.call("POST", f"{NS}/configmaps", {"metadata": {"name": "a", **meta}})
    assert (refused.status, [one["field"] for one in refused.body["details"]["causes"]]) == (422, [field])


async def test_custom_objects_may_have_plain_finalizers(widgets: World) -> None:
    obj = {"metadata": {"name": "w", "finalizers": ["plain"]}, "spec": {"size": 1}}
    assert (await widgets.call("POST", "/apis/example.com/v1/namespaces/default/widgets", obj)).status == 201
