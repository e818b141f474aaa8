"""Who may come in, what is where: credentials, discovery, reviews."""

from __future__ import annotations

from conformance_api import CM, NAMESPACES, Api, Reply
from conformance_cases import Table

TABLE = Table("access")
story, row = TABLE.story, TABLE.row

for _what, _path in {
    "group-version": "/apis/apps/v1beta1",
    "resource": "/api/v1/nopes",
    "resource-in-a-namespace": "/api/v1/namespaces/{ns}/nopes",
    "version-of-a-resource": "/apis/apps/v1beta1/namespaces/{ns}/deployments",
    "double-slash": "/api/v1//namespaces",
}.items():
    row(f"unknown-{_what}", "GET", _path, status=404, reason="NotFound")
row("unknown-path", "GET", "/nope", status=404)
row("unknown-group", "GET", "/apis/nope.example.com", status=404, text="404 page not found")
row("trailing-slash", "GET", "/api/v1/namespaces/", status=200)
row("options", "OPTIONS", CM, status=405, reason="MethodNotAllowed")
row("review-cannot-be-listed", "GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", status=405)

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


async def as_stranger(api: Api, method: str, path: str, body: object = None) -> Reply:
    assert api.bare is not None
    answer = await api.bare.transport.send(api.request(method, path, body))
    return Reply(answer.status, answer.headers, answer.body)


@story(namespaced=False)
async def a_token_that_is_not_known_is_unauthorized(api: Api) -> None:
    for method, path in (("GET", "/api/v1/namespaces"), ("GET", "/nope"), ("DELETE", "/api/v1/nodes/none")):
        (await as_stranger(api, method, path)).is_refused(401, "Unauthorized", "Unauthorized")


@story(namespaced=False)
async def a_stranger_cannot_review_either(api: Api) -> None:
    body = {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}}
    (await as_stranger(api, "POST", REVIEWS, body)).is_refused(401, "Unauthorized")


@story(namespaced=False)
async def the_version_is_told(api: Api) -> None:
    found = (await api.get("/version")).ok()
    assert found["gitVersion"].startswith(f"v{found['major']}.{found['minor'].rstrip('+')}")
    assert {"gitCommit", "buildDate", "goVersion", "platform"} <= set(found)


@story(namespaced=False)
async def health_is_told_in_a_word(api: Api) -> None:
    for path in ("/healthz", "/livez", "/readyz"):
        assert (await api.get(path)).raw == b"ok"


@story(namespaced=False)
async def the_core_group(api: Api) -> None:
    assert (await api.get("/api")).ok()["versions"] == ["v1"]
    listed = (await api.get("/api/v1")).ok()
    assert (listed["kind"], listed["groupVersion"]) == ("APIResourceList", "v1")
    found = {one["name"]: one for one in listed["resources"]}
    claims = found["persistentvolumeclaims"]
    assert (claims["kind"], claims["namespaced"], claims["shortNames"]) == ("PersistentVolumeClaim", True, ["pvc"])
    assert set(claims["verbs"]) >= {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
    assert {"pods/log", "pods/exec", "pods/portforward", "services/proxy", "namespaces/finalize"} <= set(found)
    assert "deletecollection" not in found["namespaces"]["verbs"]
    assert not found["persistentvolumes"]["namespaced"]


@story(namespaced=False)
async def the_groups(api: Api) -> None:
    listed = (await api.get("/apis")).ok()
    assert listed["kind"] == "APIGroupList"
    found = {one["name"]: one["preferredVersion"]["groupVersion"] for one in listed["groups"]}
    wanted = {"apps": "apps/v1", "batch": "batch/v1", "coordination.k8s.io": "coordination.k8s.io/v1"}
    assert wanted.items() <= found.items()
    assert {"storage.k8s.io", "rbac.authorization.k8s.io", "apiextensions.k8s.io", api.group} <= set(found)


@story(namespaced=False)
async def one_group(api: Api) -> None:
    found = (await api.get("/apis/apps")).ok()
    assert (found["kind"], found["name"]) == ("APIGroup", "apps")
    resources = {one["name"]: one["kind"] for one in (await api.get("/apis/apps/v1")).ok()["resources"]}
    assert resources["statefulsets"] == "StatefulSet"
    assert resources["deployments/scale"] == "Scale"


@story(since=30, namespaced=False)
async def everything_in_one_answer(api: Api) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    answer = await api.get("/apis", accept=accept)
    assert answer.ok()["kind"] == "APIGroupDiscoveryList"
    assert "g=apidiscovery.k8s.io" in answer.headers["content-type"]
    (apps,) = (one for one in answer.body["items"] if one["metadata"]["name"] == "apps")
    names = {one["resource"] for one in apps["versions"][0]["resources"]}
    assert {"deployments", "statefulsets"} <= names


@story(since=27, namespaced=False)
async def openapi_has_an_index(api: Api) -> None:
    paths = (await api.get("/openapi/v3")).ok()["paths"]
    assert {"api/v1", "apis/apps/v1"} <= set(paths)
    assert paths["api/v1"]["serverRelativeURL"].startswith("/openapi/v3/api/v1")


@story()
async def a_review_says_whether_one_may(api: Api) -> None:
    attributes = {"verb": "get", "resource": "configmaps", "namespace": "{ns}"}
    made = await api.make(REVIEWS, {"spec": {"resourceAttributes": attributes}})
    assert made["kind"] == "SelfSubjectAccessReview"
    assert made["status"]["allowed"] is True
    assert made["spec"]["resourceAttributes"]["namespace"] == api.ns


@story(namespaced=False)
async def a_review_of_a_path(api: Api) -> None:
    made = await api.make(REVIEWS, {"spec": {"nonResourceAttributes": {"verb": "get", "path": "/version"}}})
    assert made["status"]["allowed"] is True


row("review-of-nothing", "POST", REVIEWS, {"spec": {}}, status=422, reason="Invalid", text="exactly one of")


@story(since=28, namespaced=False)
async def who_am_i(api: Api) -> None:
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    made = await api.make(path, {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    assert made["status"]["userInfo"]["username"]
    assert "system:authenticated" in made["status"]["userInfo"]["groups"]


@story(namespaced=False)
async def kube_system_tells_which_cluster_this_is(api: Api) -> None:
    first, second = [(await api.get(f"{NAMESPACES}/kube-system")).meta["uid"] for _ in range(2)]
    assert first == second
    assert len(first) == 36


row(
    "token-of-a-service-account",
    "POST",
    "/api/v1/namespaces/{ns}/serviceaccounts/a/token",
    {"spec": {"audiences": ["x"]}},
    given=(("/api/v1/namespaces/{ns}/serviceaccounts", {"metadata": {"name": "a"}}),),
    status=201,
)
