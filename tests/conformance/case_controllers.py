"""What the controllers make of workloads; none of it needs a node: all pods are for a scheduler that does not exist."""

from __future__ import annotations

from typing import Any

from conformance_api import CLAIMS, DEPLOYMENTS, JOBS, PODS, SERVICES, STATEFULSETS, Api, claim, job, service, workload
from conformance_cases import SUPPORTED, Table
from conformance_target import CONTROLLERS

TABLE = Table("controllers")
story = TABLE.story

REPLICASETS = "/apis/apps/v1/namespaces/{ns}/replicasets"
REVISIONS = "/apis/apps/v1/namespaces/{ns}/controllerrevisions"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/{ns}/endpointslices"
BUDGETS = "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets"
AUTOSCALERS = "/apis/autoscaling/v2/namespaces/{ns}/horizontalpodautoscalers"
CRONJOBS = "/apis/batch/v1/namespaces/{ns}/cronjobs"

_REVISION = "deployment.kubernetes.io/revision"
_VCT = {"metadata": {"name": "data"}, "spec": claim("x")["spec"]}


async def items(api: Api, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get(path)).ok()["items"]
    return found


async def condition(api: Api, path: str, kind: str) -> tuple[str, str] | None:
    conditions = (await api.get(path)).ok().get("status", {}).get("conditions") or []
    return next(((one["status"], one["reason"]) for one in conditions if one["type"] == kind), None)


def relabelled(version: str | None) -> dict[str, Any]:
    return {"spec": {"template": {"metadata": {"labels": {"version": version}}}}}


@story(CONTROLLERS)
async def deployment_makes_a_replica_set_of_the_first_revision(api: Api) -> None:
    made = await api.make(DEPLOYMENTS, workload("a"))
    (one,) = await api.eventually(lambda: items(api, REPLICASETS))
    meta = one["metadata"]
    assert meta["annotations"][_REVISION] == "1"
    assert meta["annotations"]["deployment.kubernetes.io/desired-replicas"] == "0"
    assert meta["name"] == f"a-{meta['labels']['pod-template-hash']}"
    assert one["spec"]["selector"]["matchLabels"]["pod-template-hash"] == meta["labels"]["pod-template-hash"]
    assert [(one["uid"], one["controller"]) for one in meta["ownerReferences"]] == [(made["metadata"]["uid"], True)]

    async def told() -> bool:
        found = (await api.get(f"{DEPLOYMENTS}/a")).ok()
        noted = found["metadata"].get("annotations", {}).get(_REVISION)
        return noted == "1" and found.get("status", {}).get("observedGeneration") == 1

    await api.eventually(told)


@story(CONTROLLERS)
async def template_that_comes_back_gets_its_old_replica_set(api: Api) -> None:
    await api.make(DEPLOYMENTS, workload("a"))
    (first,) = await api.eventually(lambda: items(api, REPLICASETS))

    async def revisions(*wanted: str) -> bool:
        return sorted(one["metadata"]["annotations"][_REVISION] for one in await items(api, REPLICASETS)) == [*wanted]

    (await api.patch(f"{DEPLOYMENTS}/a", relabelled("2"))).ok()
    await api.eventually(lambda: revisions("1", "2"))
    (await api.patch(f"{DEPLOYMENTS}/a", relabelled(None))).ok()
    await api.eventually(lambda: revisions("2", "3"))
    notes = (await api.get(f"{REPLICASETS}/{first['metadata']['name']}")).ok()["metadata"]["annotations"]
    assert (notes[_REVISION], notes["deployment.kubernetes.io/revision-history"]) == ("3", "1")


@story(CONTROLLERS)
async def paused_deployment_makes_nothing_new(api: Api) -> None:
    await api.make(DEPLOYMENTS, workload("a", paused=True))

    async def paused() -> bool:
        return await condition(api, f"{DEPLOYMENTS}/a", "Progressing") == ("Unknown", "DeploymentPaused")

    await api.eventually(paused)
    assert await items(api, REPLICASETS) == []
    (await api.patch(f"{DEPLOYMENTS}/a", {"spec": {"paused": False}})).ok()
    await api.eventually(lambda: items(api, REPLICASETS))


@story(CONTROLLERS)
async def stateful_set_keeps_its_templates(api: Api) -> None:
    await api.make(STATEFULSETS, workload("a", serviceName="s"))

    async def updated(*numbers: int) -> Any:
        status = (await api.get(f"{STATEFULSETS}/a")).ok().get("status", {})
        found = {one["metadata"]["name"]: one for one in await items(api, REVISIONS)}
        newest = found.get(status.get("updateRevision"), {}).get("revision") == max(numbers)
        fits = sorted(one["revision"] for one in found.values()) == [*numbers]
        return found[status["updateRevision"]] if fits and newest else None

    first = await api.eventually(lambda: updated(1))
    assert first["data"]["spec"]["template"]["$patch"] == "replace"
    assert first["metadata"]["ownerReferences"][0]["kind"] == "StatefulSet"
    (await api.patch(f"{STATEFULSETS}/a", relabelled("2"))).ok()
    second = await api.eventually(lambda: updated(1, 2))
    assert second["data"]["spec"]["template"]["metadata"]["labels"]["version"] == "2"
    (await api.patch(f"{STATEFULSETS}/a", relabelled(None))).ok()
    third = await api.eventually(lambda: updated(2, 3))
    assert third["metadata"]["name"] == first["metadata"]["name"]


@story(CONTROLLERS)
async def stateful_set_makes_one_pod_with_its_claim_and_waits(api: Api) -> None:
    await api.make(STATEFULSETS, workload("a", serviceName="s", replicas=2, volumeClaimTemplates=[_VCT]))
    (one,) = await api.eventually(lambda: items(api, PODS))
    assert one["metadata"]["name"] == "a-0"
    assert one["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"] == "a-0"
    assert (one["spec"]["hostname"], one["spec"]["subdomain"]) == ("a-0", "s")
    assert one["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] == "data-a-0"
    found = (await api.get(f"{CLAIMS}/data-a-0")).ok()
    assert found["metadata"]["labels"] == {"app": "a"}
    assert "ownerReferences" not in found["metadata"]
    (await api.patch(f"{STATEFULSETS}/a", {"spec": {"replicas": 0}})).ok()
    await api.gone(f"{PODS}/a-0")
    await api.stays(f"{CLAIMS}/data-a-0")


@story(CONTROLLERS)
async def stateful_set_makes_a_claim_anew_and_empty(api: Api) -> None:
    await api.make(STATEFULSETS, workload("a", serviceName="s", volumeClaimTemplates=[_VCT]))
    await api.make(CLAIMS, claim("data-a-0"))
    (await api.delete(f"{CLAIMS}/data-a-0")).ok()
    await api.gone(f"{CLAIMS}/data-a-0")
    (await api.patch(f"{STATEFULSETS}/a", {"spec": {"replicas": 1}})).ok()

    async def back() -> bool:
        return (await api.get(f"{CLAIMS}/data-a-0")).status == 200

    await api.eventually(back)


@story(CONTROLLERS, since=27)
async def stateful_set_gives_claims_to_itself_when_they_shall_go_with_it(api: Api) -> None:
    policy = {"whenDeleted": "Delete", "whenScaled": "Retain"}
    body = workload("a", serviceName="s", replicas=1, volumeClaimTemplates=[_VCT])
    body["spec"]["persistentVolumeClaimRetentionPolicy"] = policy
    await api.make(STATEFULSETS, body)

    async def owners() -> Any:
        answer = await api.get(f"{CLAIMS}/data-a-0")
        return answer.body["metadata"].get("ownerReferences") if answer.status == 200 else None

    (one,) = await api.eventually(owners)
    assert (one["kind"], one["name"]) == ("StatefulSet", "a")
    retain = {"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}}}
    (await api.patch(f"{STATEFULSETS}/a", retain)).ok()

    async def nobodys() -> bool:
        return "ownerReferences" not in (await api.get(f"{CLAIMS}/data-a-0")).ok()["metadata"]

    await api.eventually(nobodys)


@story(CONTROLLERS, since=27)
async def job_holds_its_pods_until_they_are_counted(api: Api) -> None:
    await api.make(JOBS, job("a", suspend=False))
    (one,) = await api.eventually(lambda: items(api, PODS))
    assert "batch.kubernetes.io/job-tracking" in one["metadata"]["finalizers"]
    assert one["metadata"]["labels"]["batch.kubernetes.io/job-name"] == "a"
    (await api.delete(f"{JOBS}/a", {"propagationPolicy": "Background"})).ok()
    await api.gone(f"{PODS}/{one['metadata']['name']}")


@story(CONTROLLERS, since=SUPPORTED)
async def suspended_job_has_no_pods(api: Api) -> None:
    await api.make(JOBS, job("a", suspend=False))
    await api.eventually(lambda: items(api, PODS))
    (await api.patch(f"{JOBS}/a", {"spec": {"suspend": True}})).ok()

    async def suspended() -> bool:
        told = await condition(api, f"{JOBS}/a", "Suspended")
        return told == ("True", "JobSuspended") and not await items(api, PODS)

    await api.eventually(suspended)


@story(CONTROLLERS, since=SUPPORTED)
async def cron_job_that_is_suspended_starts_nothing(api: Api) -> None:
    template = {"spec": job("x")["spec"]}
    await api.make(
        CRONJOBS,
        {"metadata": {"name": "a"}, "spec": {"schedule": "* * * * *", "suspend": True, "jobTemplate": template}},
    )
    made = (await api.get(f"{CRONJOBS}/a")).ok()["spec"]
    assert (made["concurrencyPolicy"], made["successfulJobsHistoryLimit"], made["failedJobsHistoryLimit"]) == (
        "Allow",
        3,
        1,
    )
    assert await items(api, JOBS) == []


@story(CONTROLLERS, since=SUPPORTED)
async def service_has_a_slice_even_without_pods(api: Api) -> None:
    made = await api.make(SERVICES, service("a"))
    (one,) = await api.eventually(lambda: items(api, SLICES))
    assert one["metadata"]["labels"]["kubernetes.io/service-name"] == "a"
    assert one["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"] == "endpointslice-controller.k8s.io"
    assert one["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert not one["endpoints"]
    (await api.delete(f"{SERVICES}/a")).ok()

    async def none() -> bool:
        return not await items(api, SLICES)

    await api.eventually(none)


@story(CONTROLLERS, since=SUPPORTED)
async def budget_counts_and_a_pending_pod_may_go(api: Api) -> None:
    await api.make(STATEFULSETS, workload("a", serviceName="s", replicas=1))
    await api.eventually(lambda: items(api, PODS))
    budget = {"metadata": {"name": "a"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "a"}}}}
    await api.make(BUDGETS, budget)

    async def counted() -> Any:
        status = (await api.get(f"{BUDGETS}/a")).ok().get("status", {})
        return status if status.get("observedGeneration") == 1 and status.get("expectedPods") == 1 else None

    status = await api.eventually(counted)
    assert (status["currentHealthy"], status["desiredHealthy"], status["disruptionsAllowed"]) == (0, 1, 0)
    assert await condition(api, f"{BUDGETS}/a", "DisruptionAllowed") == ("False", "InsufficientPods")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "a-0"}}
    (await api("POST", f"{PODS}/a-0/eviction", eviction)).ok(201)


@story(CONTROLLERS, since=SUPPORTED)
async def autoscaler_leaves_zero_replicas_alone(api: Api) -> None:
    await api.make(DEPLOYMENTS, workload("a"))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}
    spec = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 3}
    await api.make(AUTOSCALERS, {"metadata": {"name": "a"}, "spec": spec})

    async def off() -> bool:
        return await condition(api, f"{AUTOSCALERS}/a", "ScalingActive") == ("False", "ScalingDisabled")

    await api.eventually(off)
    assert (await api.get(f"{DEPLOYMENTS}/a")).ok()["spec"]["replicas"] == 0
