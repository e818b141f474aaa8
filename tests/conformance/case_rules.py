"""What may never change and what must be there, kind by kind: a restore meets these answers."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from conformance_api import (
    CLAIMS,
    CM,
    DEPLOYMENTS,
    JOBS,
    LEASES,
    MERGE,
    PODS,
    SECRETS,
    SERVICES,
    STATEFULSETS,
    Api,
    claim,
    cm,
    job,
    pod,
    pod_spec,
    service,
    workload,
)
from conformance_cases import Table

TABLE = Table("rules")
story, row = TABLE.story, TABLE.row


def refused(name: str, path: str, obj: Mapping[str, Any], patch: Mapping[str, Any], text: str) -> None:
    """Made, then a merge patch that is answered with 422 and ``text``, and the object is as it was."""
    at = f"{path}/{obj['metadata']['name']}"

    async def run(api: Api) -> None:
        if path == PODS:
            await api.account()
        await api.make(path, obj)
        before = (await api.get(at)).ok()
        (await api.patch(at, patch)).is_refused(422, "Invalid", text)
        after = (await api.get(at)).ok()
        assert {**after, "metadata": 0, "status": 0} == {**before, "metadata": 0, "status": 0}

    run.__name__ = f"{name}_never_changes".replace("-", "_")
    story()(run)


_IMMUTABLE = {"immutable": True}
_SECRET = {"metadata": {"name": "a"}, "data": {"x": "MQ=="}}
_VCT = {"metadata": {"name": "data"}, "spec": claim("x")["spec"]}
_SET = workload("a", serviceName="s", volumeClaimTemplates=[_VCT])
_OTHER_LABELS = {"matchLabels": {"other": "x"}}
_IMAGE = {"containers": [{"name": "c", "image": "other:1"}]}

refused("immutable-config-map-data", CM, cm("a", {"x": "1"}) | _IMMUTABLE, {"data": {"x": "2"}}, "`immutable` is set")
refused("immutable-config-map-flag", CM, cm("a") | _IMMUTABLE, {"immutable": False}, "`immutable` is set")
refused("immutable-secret-data", SECRETS, _SECRET | _IMMUTABLE, {"data": {"x": "Mg=="}}, "`immutable` is set")
refused("secret-type", SECRETS, _SECRET, {"type": "foo"}, "type: Invalid value")
refused("deployment-selector", DEPLOYMENTS, workload("a"), {"spec": {"selector": _OTHER_LABELS}}, "spec.selector")
refused(
    "stateful-set-service", STATEFULSETS, _SET, {"spec": {"serviceName": "z"}}, "updates to statefulset spec for fields"
)
refused(
    "stateful-set-claims", STATEFULSETS, _SET, {"spec": {"volumeClaimTemplates": []}}, "updates to statefulset spec"
)
refused(
    "claim-modes", CLAIMS, claim("a"), {"spec": {"accessModes": ["ReadWriteMany"]}}, "spec is immutable after creation"
)
refused("claim-class", CLAIMS, claim("a"), {"spec": {"storageClassName": "other"}}, "spec is immutable after creation")
refused("claim-volume", CLAIMS, claim("a", volumeName="v"), {"spec": {"volumeName": "w"}}, "spec is immutable after")
refused("service-address", SERVICES, service("a"), {"spec": {"clusterIP": "10.0.0.77"}}, "may not change once set")
_OTHER_JOB = {"spec": {"template": {"spec": _IMAGE}, "completions": 3}}
refused("job-template", JOBS, job("a"), _OTHER_JOB, "field is immutable")
refused("job-selector", JOBS, job("a"), {"spec": {"selector": _OTHER_LABELS}}, "spec.selector")
refused("pod-restart-policy", PODS, pod("a"), {"spec": {"restartPolicy": "Never"}}, "pod updates may not change fields")
refused(
    "pod-node", PODS, pod("a", nodeName="lazarus-none"), {"spec": {"nodeName": "other"}}, "pod updates may not change"
)
_RENAMED = {"spec": {"containers": [{"name": "z", "image": "i"}]}}
refused("pod-container-name", PODS, pod("a"), _RENAMED, "pod updates may not")
_ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings"
_BINDING = {"metadata": {"name": "a"}, "roleRef": _ROLE, "subjects": []}
refused("role-of-a-binding", _BINDINGS, _BINDING, {"roleRef": {"name": "z"}}, "cannot change roleRef")


@story()
async def what_may_change_does(api: Api) -> None:
    await api.account()
    changes: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
        (PODS, pod("a"), {"spec": _IMAGE}),
        (DEPLOYMENTS, workload("a"), {"spec": {"template": {"spec": _IMAGE}}}),
        (STATEFULSETS, _SET, {"spec": {"template": {"spec": _IMAGE}}}),
        (SERVICES, service("a"), {"spec": {"selector": {"other": "x"}}}),
        (JOBS, job("a"), {"spec": {"parallelism": 2}}),
        (SECRETS, _SECRET, {"data": {"x": "Mg=="}}),
        (CM, cm("im", {"x": "1"}) | _IMMUTABLE, {"metadata": {"labels": {"l": "1"}}}),
    ]
    for path, obj, patch in changes:
        await api.make(path, obj)
        (await api.patch(f"{path}/{obj['metadata']['name']}", patch)).ok()


_WRONG: Mapping[str, tuple[str, Mapping[str, Any], str]] = {
    "pod-without-containers": (PODS, pod("a", containers=[]), "spec.containers: Required value"),
    "pod-with-a-container-twice": (
        PODS,
        pod("a", containers=[{"name": "c", "image": "i"}] * 2),
        'spec.containers[1].name: Duplicate value: "c"',
    ),
    "pod-with-a-mount-of-nothing": (
        PODS,
        pod("a", containers=[{"name": "c", "image": "i", "volumeMounts": [{"name": "no", "mountPath": "/x"}]}]),
        "volumeMounts[0].name: Not found",
    ),
    "deployment-of-other-labels": (
        DEPLOYMENTS,
        workload("a", selector=_OTHER_LABELS),
        "`selector` does not match template `labels`",
    ),
    "deployment-without-a-selector": (DEPLOYMENTS, workload("a", selector=None), "spec.selector: Required value"),
    "deployment-below-zero": (DEPLOYMENTS, workload("a", replicas=-1), "must be greater than or equal to 0"),
    "stateful-set-of-other-labels": (STATEFULSETS, workload("a", selector=_OTHER_LABELS), "`selector` does not match"),
    "job-that-always-restarts": (JOBS, job("a", template={"spec": pod_spec(restartPolicy="Always")}), "restartPolicy"),
    "service-without-ports": (SERVICES, service("a", ports=[]), "spec.ports: Required value"),
    "service-with-a-port-above-65535": (SERVICES, service("a", ports=[{"port": 70000}]), "between 1 and 65535"),
    "claim-without-a-size": (CLAIMS, claim("a", resources={}), "spec.resources[storage]: Required value"),
    "claim-without-modes": (CLAIMS, claim("a", accessModes=[]), "spec.accessModes: Required value"),
}
for _what, (_path, _obj, _text) in _WRONG.items():
    row(_what, "POST", _path, _obj, status=422, reason="Invalid", text=_text)

row(
    "secret-that-is-no-base64",
    "POST",
    SECRETS,
    {"metadata": {"name": "a"}, "data": {"x": "!!"}},
    status=400,
    reason="BadRequest",
    text="illegal base64 data",
)
row("service-name-of-a-digit", "POST", SERVICES, service("1s"), status=201, since=34)


@story()
async def values_of_a_list_are_checked(api: Api) -> None:
    await api.account()
    (await api("POST", PODS, pod("a", restartPolicy="Maybe"))).is_refused(422, "Invalid", "spec.restartPolicy")
    (await api("POST", SERVICES, service("a", type="Maybe"))).is_refused(422, "Invalid", "spec.type: Unsupported value")


@story()
async def keys_are_checked(api: Api) -> None:
    bad = "data[b d]: Invalid value"
    (await api("POST", CM, cm("a", {"b d": "1"}))).is_refused(422, "Invalid", bad)
    (await api("POST", SECRETS, {"metadata": {"name": "a"}, "data": {"b d": "MQ=="}})).is_refused(422, "Invalid", bad)
    both = cm("b", {"x": "1"}) | {"binaryData": {"x": "MQ=="}}
    (await api("POST", CM, both)).is_refused(422, "Invalid", "duplicate of key")


@story()
async def secrets_keep_bytes_and_take_text(api: Api) -> None:
    every = base64.b64encode(bytes(range(256))).decode()
    made = await api.make(
        SECRETS, {"metadata": {"name": "a"}, "data": {"x": every}, "stringData": {"y": "ü", "x2": ""}}
    )
    assert made["data"] == {"x": every, "y": base64.b64encode("ü".encode()).decode(), "x2": ""}
    assert "stringData" not in made
    assert made["type"] == "Opaque"


@story()
async def text_of_a_secret_goes_over_its_bytes(api: Api) -> None:
    made = await api.make(SECRETS, _SECRET | {"stringData": {"x": "2"}})
    assert made["data"] == {"x": "Mg=="}


@story()
async def binary_data_of_a_config_map_comes_back(api: Api) -> None:
    made = await api.make(CM, cm("a", {"x": "1"}) | {"binaryData": {"b": "AAH/"}})
    assert made["binaryData"] == {"b": "AAH/"}


@story()
async def a_config_map_can_become_immutable(api: Api) -> None:
    await api.make(CM, cm("a", {"x": "1"}))
    (await api.patch(f"{CM}/a", {"immutable": True})).ok()
    (await api.patch(f"{CM}/a", {"data": None})).is_refused(422, "Invalid", "`immutable` is set")
    (await api.delete(f"{CM}/a")).ok()


@story()
async def a_service_gets_an_address_and_keeps_it(api: Api) -> None:
    made = await api.make(SERVICES, service("a"))
    assert made["spec"]["clusterIPs"] == [made["spec"]["clusterIP"]]
    assert made["spec"]["ports"] == [{"protocol": "TCP", "port": 80, "targetPort": 80}]
    assert (made["spec"]["type"], made["spec"]["sessionAffinity"]) == ("ClusterIP", "None")
    changed = (await api.patch(f"{SERVICES}/a", {"spec": {"ports": [{"port": 81}]}})).ok()
    assert changed["spec"]["clusterIP"] == made["spec"]["clusterIP"]


@story()
async def a_headless_service_has_none(api: Api) -> None:
    assert (await api.make(SERVICES, service("a", clusterIP="None")))["spec"]["clusterIP"] == "None"


@story()
async def two_services_do_not_share_an_address(api: Api) -> None:
    address = (await api.make(SERVICES, service("a")))["spec"]["clusterIP"]
    refusal = await api("POST", SERVICES, service("b", clusterIP=address))
    refusal.is_refused(422, "Invalid", "provided IP is already allocated")


@story()
async def defaults_of_a_deployment(api: Api) -> None:
    spec = workload("a")["spec"]
    del spec["replicas"]
    made = (await api.make(DEPLOYMENTS, {"metadata": {"name": "a"}, "spec": spec | {"paused": True}}))["spec"]
    assert (made["replicas"], made["revisionHistoryLimit"], made["progressDeadlineSeconds"]) == (1, 10, 600)
    rolling = {"maxUnavailable": "25%", "maxSurge": "25%"}
    assert made["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}


@story()
async def defaults_of_a_pod(api: Api) -> None:
    await api.account()
    made = await api.make(PODS, pod("a"))
    spec, container = made["spec"], made["spec"]["containers"][0]
    assert (spec["restartPolicy"], spec["terminationGracePeriodSeconds"], spec["dnsPolicy"]) == (
        "Always",
        30,
        "ClusterFirst",
    )
    assert (container["imagePullPolicy"], container["terminationMessagePath"]) == (
        "IfNotPresent",
        "/dev/termination-log",
    )
    assert (made["status"]["phase"], made["status"]["qosClass"]) == ("Pending", "BestEffort")
    assert spec["serviceAccountName"] == "default"


@story()
async def a_job_gets_a_selector_of_its_own(api: Api) -> None:
    made = await api.make(JOBS, job("a"))
    uid = made["metadata"]["uid"]
    assert made["spec"]["selector"]["matchLabels"] in (
        {"batch.kubernetes.io/controller-uid": uid},
        {"controller-uid": uid},
    )
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert (labels["controller-uid"], labels["job-name"]) == (uid, "a")


@story()
async def a_lease_is_taken_once(api: Api) -> None:
    """The lock of two engines: create, renew with the version seen, lose to whoever was quicker."""
    body = {"metadata": {"name": "l"}, "spec": {"holderIdentity": "one", "leaseDurationSeconds": 15}}
    body["spec"]["acquireTime"] = "2026-01-01T00:00:00.000001Z"  # type: ignore[index]
    held = await api.make(LEASES, body)
    assert held["spec"]["acquireTime"] == "2026-01-01T00:00:00.000001Z"
    (await api("POST", LEASES, body)).is_refused(409, "AlreadyExists")
    renewed = (await api("PUT", f"{LEASES}/l", held | {"spec": held["spec"] | {"leaseTransitions": 1}})).ok()
    stolen = held | {"spec": held["spec"] | {"holderIdentity": "two"}}
    (await api("PUT", f"{LEASES}/l", stolen)).is_refused(409, "Conflict")
    assert (await api.get(f"{LEASES}/l")).ok() == renewed


row(
    "a-lease-lasts-for-some-time",
    "POST",
    LEASES,
    {"metadata": {"name": "l"}, "spec": {"leaseDurationSeconds": 0}},
    status=422,
    reason="Invalid",
    text="must be greater than 0",
)
row(
    "role-binding-that-changes-nothing",
    "PATCH",
    f"{_BINDINGS}/a",
    {"subjects": None},
    type=MERGE,
    given=((_BINDINGS, _BINDING),),
    status=200,
)
