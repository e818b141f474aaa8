"""How much there may be: quotas and limit ranges."""

from __future__ import annotations

from conformance_api import CLAIMS, CM, LEASES, PODS, SERVICES, Api, Reply, claim, pod, service
from conformance_cases import Table
from conformance_target import CONTROLLERS

TABLE = Table("quotas")
story, row = TABLE.story, TABLE.row

QUOTAS = "/api/v1/namespaces/{ns}/resourcequotas"
LIMITS = "/api/v1/namespaces/{ns}/limitranges"


async def quota(api: Api, **hard: str) -> None:
    """A quota that is in force: it has been counted, and admission has heard of that.

    Admission goes by a cache, which hears of quotas in the order of their changes: a later one, of a kind that no case
    makes, refuses from when the first is known.
    """
    limited = {key.replace("__", ".").replace("count_", "count/"): value for key, value in hard.items()}
    await api.make(QUOTAS, {"metadata": {"name": "q"}, "spec": {"hard": limited}})

    async def counted() -> bool:
        status = (await api.get(f"{QUOTAS}/q")).body.get("status") or {}
        return set(status.get("used") or {}) == set(limited)

    await api.eventually(counted)
    await api.make(QUOTAS, {"metadata": {"name": "later"}, "spec": {"hard": {"count/leases.coordination.k8s.io": "0"}}})

    async def known() -> bool:
        answer = await api("POST", LEASES, {"metadata": {"name": "none"}}, dryRun="All")
        return answer.status == 403 and "exceeded quota: later" in answer.body["message"]

    await api.eventually(known)


@story(CONTROLLERS)
async def a_quota_bounds_the_number(api: Api) -> None:
    await quota(api, count_configmaps="2")

    async def full() -> Reply | None:
        answer = await api("POST", CM, {"metadata": {"generateName": "a-"}})
        return answer if answer.status != 201 else None

    refused = await api.eventually(full)
    refused.is_refused(
        403,
        "Forbidden",
        "exceeded quota: q, requested: count/configmaps=1, used: count/configmaps=2, limited: count/configmaps=2",
    )


@story(CONTROLLERS)
async def a_quota_tells_what_is_used_and_lets_go_of_it(api: Api) -> None:
    await quota(api, services="5", services__nodeports="1")
    await api.make(SERVICES, service("a", type="NodePort"))

    async def used(number: str, ports: str) -> bool:
        status = (await api.get(f"{QUOTAS}/q")).ok()["status"]
        return bool(status["used"] == {"services": number, "services.nodeports": ports})

    await api.eventually(lambda: used("1", "1"))
    refused = await api("POST", SERVICES, service("b", type="NodePort"))
    refused.is_refused(403, "Forbidden", "requested: services.nodeports=1, used: services.nodeports=1")
    await api.delete(f"{SERVICES}/a")
    await api.eventually(lambda: used("0", "0"))


@story(CONTROLLERS)
async def a_quota_of_storage(api: Api) -> None:
    await quota(api, requests__storage="3Gi")
    await api.make(CLAIMS, claim("a", resources={"requests": {"storage": "2Gi"}}))
    refused = await api("POST", CLAIMS, claim("b", resources={"requests": {"storage": "1536Mi"}}))
    told = "requested: requests.storage=1536Mi, used: requests.storage=2Gi, limited: requests.storage=3Gi"
    refused.is_refused(403, "Forbidden", told)


@story(CONTROLLERS)
async def a_quota_of_processors_wants_them_said(api: Api) -> None:
    await api.account()
    await quota(api, limits__cpu="1")
    (await api("POST", PODS, pod("p"))).is_refused(403, "Forbidden", "failed quota: q: must specify limits.cpu")
    much = {"name": "c", "image": "lazarus.dev/pause:1", "resources": {"limits": {"cpu": "1500m"}}}
    refused = await api("POST", PODS, pod("p", containers=[much]))
    refused.is_refused(403, "Forbidden", "requested: limits.cpu=1500m, used: limits.cpu=0, limited: limits.cpu=1")


@story()
async def a_limit_range_fills_in(api: Api) -> None:
    await api.account()
    item = {"type": "Container", "default": {"memory": "64Mi"}, "max": {"cpu": "1"}}
    limits = await api.make(LIMITS, {"metadata": {"name": "l"}, "spec": {"limits": [item]}})
    assert limits["spec"]["limits"][0]["default"] == {"cpu": "1", "memory": "64Mi"}
    assert limits["spec"]["limits"][0]["defaultRequest"] == {"cpu": "1", "memory": "64Mi"}
    made = await api.make(PODS, pod("p"))
    wanted = {"cpu": "1", "memory": "64Mi"}
    assert made["spec"]["containers"][0]["resources"] == {"limits": wanted, "requests": wanted}
    assert made["status"]["qosClass"] == "Guaranteed"
    assert made["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c"
    )


@story()
async def a_limit_range_bounds(api: Api) -> None:
    item = {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "2Gi"}}
    await api.make(LIMITS, {"metadata": {"name": "l"}, "spec": {"limits": [item]}})
    (await api("POST", CLAIMS, claim("a", resources={"requests": {"storage": "3Gi"}}))).is_refused(
        403, "Forbidden", "maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"
    )
    (await api("POST", CLAIMS, claim("a", resources={"requests": {"storage": "1Mi"}}))).is_refused(
        403, "Forbidden", "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi"
    )
    (await api("POST", CLAIMS, claim("a", resources={"requests": {"storage": "1Gi"}}))).ok(201)


row(
    "quota-below-nothing",
    "POST",
    QUOTAS,
    {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "-1"}}},
    status=422,
    reason="Invalid",
    text="must be greater than or equal to 0",
)
row(
    "quota-with-scopes-of-other-things",
    "POST",
    QUOTAS,
    {"metadata": {"name": "q"}, "spec": {"hard": {"configmaps": "1"}, "scopes": ["BestEffort"]}},
    status=422,
    reason="Invalid",
    text="unsupported scope applied to resource",
)
row(
    "limit-range-upside-down",
    "POST",
    LIMITS,
    {"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]}},
    status=422,
    reason="Invalid",
    text="min value 2 is greater than max value 1",
)


@story()
async def a_pods_class_decides_its_priority(api: Api) -> None:
    await api.account()
    critical = {"priorityClassName": "system-cluster-critical"}
    made = await api.make(PODS, pod("a", **critical))
    assert (made["spec"]["priority"], made["spec"]["preemptionPolicy"]) == (2_000_000_000, "PreemptLowerPriority")
    refused = await api("POST", PODS, pod("b", **critical, priority=7))
    refused.is_refused(403, "Forbidden", "the integer value of priority (7) must not be provided in pod spec")
    refused = await api("POST", PODS, pod("b", **critical, preemptionPolicy="Never"))
    refused.is_refused(403, "Forbidden", "the string value of PreemptionPolicy (Never) must not be provided")


@story()
async def a_priority_class_that_is_not_there_refuses_the_pod(api: Api) -> None:
    await api.account()
    refused = await api("POST", PODS, pod("a", priorityClassName="nobody-made-it"))
    refused.is_refused(403, "Forbidden", "no PriorityClass with name nobody-made-it was found")
