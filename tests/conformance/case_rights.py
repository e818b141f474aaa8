"""Who may do what: roles, reviews, acting as others, tokens."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from conformance_api import ACCOUNTS, CM, MERGE, PODS, SECRETS, Api, Reply, cm, pod
from conformance_cases import Table
from conformance_target import CONTROLLERS

TABLE = Table("rights")
story, row = TABLE.story, TABLE.row

RBAC = "rbac.authorization.k8s.io"
ROLES = "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/roles"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings"
ACCESS = "/apis/authorization.k8s.io/v1"
TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
WHO = "jane-{ns}"


def rule(verbs: str, resources: str, group: str = "", **more: Any) -> dict[str, Any]:
    return {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split(), **more}


def role(name: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "rules": list(rules)}


def binding(name: str, role: str, kind: str = "Role", who: str = WHO) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": who}],
    }


async def grant(api: Api, *rules: dict[str, Any]) -> None:
    await api.make(ROLES, role("own", *rules))
    await api.make(BINDINGS, binding("own", "own"))


async def jane(api: Api, method: str, path: str, body: Any = None, **options: Any) -> Reply:
    """A request of somebody who has no rights but those of the case."""
    headers = {"Impersonate-User": WHO.replace("{ns}", api.ns)}
    return await api(method, path, body, headers=headers, **options)


async def may(api: Api, method: str, path: str, body: Any = None, **options: Any) -> Reply:
    """Her request once it is no longer refused: rights take a moment to be known."""

    async def allowed() -> Reply | None:
        answer = await jane(api, method, path, body, **options)
        return None if answer.status == 403 else answer

    found: Reply = await api.eventually(allowed)
    return found


@story()
async def a_refusal_says_who_cannot_do_what_and_where(api: Api) -> None:
    who = f"jane-{api.ns}"
    listed = await jane(api, "GET", CM)
    where = f'in API group "" in the namespace "{api.ns}"'
    listed.is_refused(403, "Forbidden")
    assert listed.body["message"] == f'configmaps is forbidden: User "{who}" cannot list resource "configmaps" {where}'
    assert listed.body["details"] == {"kind": "configmaps"}
    scaled = await jane(api, "PATCH", "/apis/apps/v1/namespaces/{ns}/deployments/web/scale", {}, type=MERGE)
    assert scaled.body["message"] == (
        f'deployments.apps "web" is forbidden: User "{who}" cannot patch resource "deployments/scale" in API group '
        f'"apps" in the namespace "{api.ns}"'
    )
    assert scaled.body["details"] == {"name": "web", "group": "apps", "kind": "deployments"}


@story()
async def a_refusal_for_the_whole_cluster(api: Api) -> None:
    refused = await jane(api, "GET", "/api/v1/nodes")
    refused.is_refused(403, "Forbidden", 'cannot list resource "nodes" in API group "" at the cluster scope')
    one = await jane(api, "GET", "/api/v1/namespaces/{ns}")
    one.is_refused(403, "Forbidden", f'cannot get resource "namespaces" in API group "" in the namespace "{api.ns}"')


@story()
async def a_refusal_of_a_path(api: Api) -> None:
    refused = await jane(api, "GET", "/metrics")
    refused.is_refused(403, "Forbidden", 'cannot get path "/metrics"')
    assert refused.body["message"].startswith('forbidden: User "jane-')


@story()
async def what_does_not_exist_is_refused_too(api: Api) -> None:
    (await jane(api, "GET", "/apis/none.example.com/v1/namespaces/{ns}/things")).is_refused(403, "Forbidden")


@story()
async def everybody_may_look_what_there_is(api: Api) -> None:
    for path in ("/api", "/apis", "/api/v1", "/version", "/healthz"):
        assert (await jane(api, "GET", path)).status == 200


@story()
async def a_role_gives_its_verbs_in_its_namespace(api: Api) -> None:
    await grant(api, rule("get list", "configmaps"))
    other = await api.other_namespace("other")
    (await may(api, "GET", CM)).ok()
    assert (await jane(api, "GET", f"{CM}/none")).status == 404
    for method, path in (("POST", CM), ("DELETE", f"{CM}/none"), ("DELETE", CM), ("GET", "/api/v1/configmaps")):
        (await jane(api, method, path, cm("a") if method == "POST" else None)).is_refused(403, "Forbidden")
    (await jane(api, "GET", CM, watch="true", timeoutSeconds="1")).is_refused(403, "Forbidden", "cannot watch")
    (await jane(api, "GET", f"/api/v1/namespaces/{other}/configmaps")).is_refused(403, "Forbidden")


@story()
async def names_bound_a_role(api: Api) -> None:
    await grant(api, rule("get list", "configmaps", resourceNames=["mine"]))
    for name in ("mine", "other"):
        await api.make(CM, cm(name))
    (await may(api, "GET", f"{CM}/mine")).ok()
    (await jane(api, "GET", f"{CM}/other")).is_refused(403, "Forbidden")
    (await jane(api, "GET", CM)).is_refused(403, "Forbidden")
    assert (await jane(api, "GET", CM, fieldSelector="metadata.name=mine")).names == ["mine"]


@story()
async def a_subresource_is_a_right_of_its_own(api: Api) -> None:
    await api.account()
    await api.make(PODS, pod("p"))
    await grant(api, rule("get", "pods"))
    (await may(api, "GET", f"{PODS}/p")).ok()
    (await jane(api, "GET", f"{PODS}/p/status")).is_refused(403, "Forbidden", 'resource "pods/status"')
    (await jane(api, "GET", f"{PODS}/p/log")).is_refused(403, "Forbidden", 'resource "pods/log"')


@story()
async def a_star_before_a_subresource(api: Api) -> None:
    await api.account()
    await api.make(PODS, pod("p"))
    await grant(api, rule("get", "*/status"))
    (await may(api, "GET", f"{PODS}/p/status")).ok()
    (await jane(api, "GET", f"{PODS}/p")).is_refused(403, "Forbidden")


@story(CONTROLLERS)
async def view_reads_all_but_secrets(api: Api) -> None:
    await api.make(BINDINGS, binding("view", "view", "ClusterRole"))
    (await may(api, "GET", CM)).ok()
    (await jane(api, "GET", PODS)).ok()
    (await jane(api, "GET", "/api/v1/namespaces/{ns}/secrets")).is_refused(403, "Forbidden")
    (await jane(api, "POST", CM, cm("a"))).is_refused(403, "Forbidden")


@story(CONTROLLERS)
async def edit_writes_but_hands_out_no_rights(api: Api) -> None:
    await api.make(BINDINGS, binding("edit", "edit", "ClusterRole"))
    (await may(api, "POST", CM, cm("a"))).ok(201)
    (await jane(api, "GET", "/api/v1/namespaces/{ns}/secrets")).ok()
    (await jane(api, "POST", ROLES, role("r"))).is_refused(403, "Forbidden")


@story()
async def a_role_that_is_missing_is_named(api: Api) -> None:
    await api.make(BINDINGS, binding("lost", "lost"))

    async def named() -> bool:
        message = (await jane(api, "GET", CM)).body["message"]
        return bool(message.endswith('RBAC: role.rbac.authorization.k8s.io "lost" not found'))

    await api.eventually(named)


@story()
async def what_is_taken_away_is_gone(api: Api) -> None:
    await grant(api, rule("list", "configmaps"))
    (await may(api, "GET", CM)).ok()
    await api.delete(f"{BINDINGS}/own")

    async def refused() -> bool:
        return (await jane(api, "GET", CM)).status == 403

    await api.eventually(refused)


@story()
async def a_review_and_a_refusal_agree(api: Api) -> None:
    await grant(api, rule("list", "configmaps"), rule("patch", "deployments/scale", "apps"))
    (await may(api, "GET", CM)).ok()
    questions = {
        ("list", "", "configmaps", ""): True,
        ("get", "", "configmaps", ""): False,
        ("list", "", "secrets", ""): False,
        ("patch", "apps", "deployments", "scale"): True,
        ("patch", "apps", "deployments", ""): False,
    }
    for (verb, group, resource, subresource), allowed in questions.items():
        asked = {"verb": verb, "group": group, "resource": resource, "subresource": subresource, "namespace": "{ns}"}
        told = await jane(api, "POST", f"{ACCESS}/selfsubjectaccessreviews", {"spec": {"resourceAttributes": asked}})
        assert told.ok(201)["status"]["allowed"] is allowed, asked


@story()
async def a_review_of_somebody_else(api: Api) -> None:
    await grant(api, rule("list", "configmaps"))
    (await may(api, "GET", CM)).ok()
    asked = {"verb": "list", "resource": "configmaps", "namespace": "{ns}"}
    told = await api.make(f"{ACCESS}/subjectaccessreviews", {"spec": {"user": WHO, "resourceAttributes": asked}})
    assert told["status"]["allowed"] is True
    assert told["status"]["reason"] == (
        f'RBAC: allowed by RoleBinding "own/{api.ns}" of Role "own" to User "jane-{api.ns}"'
    )
    local = f"{ACCESS}/namespaces/{{ns}}/localsubjectaccessreviews"
    there = {"metadata": {"namespace": "{ns}"}, "spec": {"user": "nobody", "resourceAttributes": asked}}
    assert (await api.make(local, there))["status"]["allowed"] is False
    there["spec"] = {"user": "nobody", "resourceAttributes": {**asked, "namespace": "default"}}
    (await api("POST", local, there)).is_refused(422, "Invalid", "must match metadata.namespace")


row(
    "review-of-nobody",
    "POST",
    f"{ACCESS}/subjectaccessreviews",
    {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}},
    status=422,
    reason="Invalid",
    text="at least one of user or group must be specified",
)


@story()
async def the_rules_of_somebody(api: Api) -> None:
    await grant(api, rule("list", "configmaps", resourceNames=["x"]))
    (await may(api, "GET", CM, fieldSelector="metadata.name=x")).ok()
    told = (await jane(api, "POST", f"{ACCESS}/selfsubjectrulesreviews", {"spec": {"namespace": "{ns}"}})).ok(201)
    assert rule("list", "configmaps", resourceNames=["x"]) in told["status"]["resourceRules"]


@story()
async def nobody_gives_away_what_is_not_theirs(api: Api) -> None:
    await grant(api, rule("create patch get", "roles rolebindings", RBAC), rule("get", "configmaps"))
    (await may(api, "POST", ROLES, role("less", rule("get", "configmaps")))).ok(201)
    more = await jane(api, "POST", ROLES, role("more", rule("get list", "configmaps")))
    more.is_refused(403, "Forbidden", "is attempting to grant RBAC permissions not currently held")
    assert '{APIGroups:[""], Resources:["configmaps"], Verbs:["list"]}' in more.body["message"]
    wider = {"rules": [rule("*", "*", "*")]}
    (await jane(api, "PATCH", f"{ROLES}/less", wider, type=MERGE)).is_refused(403, "Forbidden")
    (await jane(api, "POST", BINDINGS, binding("b", "cluster-admin", "ClusterRole"))).is_refused(403, "Forbidden")
    (await jane(api, "POST", BINDINGS, binding("b", "less"))).ok(201)


@story()
async def escalate_lets_one_give_more(api: Api) -> None:
    await grant(api, rule("create escalate", "roles", RBAC))
    (await may(api, "POST", ROLES, role("all", rule("*", "*", "*")))).ok(201)


@story()
async def acting_as_somebody_tells_who(api: Api) -> None:
    asked = {"verb": "get", "resource": "pods", "namespace": "{ns}"}
    headers = {"Impersonate-User": "someone", "Impersonate-Group": "system:masters"}
    answer = await api(
        "POST", f"{ACCESS}/selfsubjectaccessreviews", {"spec": {"resourceAttributes": asked}}, headers=headers
    )
    assert answer.ok(201)["status"]["allowed"] is True


@story()
async def groups_without_a_user_are_an_error(api: Api) -> None:
    answer = await api.get(CM, headers={"Impersonate-Group": "devs"})
    assert answer.status == 500


@story()
async def a_token_is_whose_it_says(api: Api) -> None:
    account = await api.make(ACCOUNTS, {"metadata": {"name": "robot"}})
    made = await api.make(f"{ACCOUNTS}/robot/token", {"spec": {"expirationSeconds": 600}})
    told = await api.make(TOKEN_REVIEWS, {"spec": {"token": made["status"]["token"]}})
    status = told["status"]
    assert status["authenticated"] is True
    assert status["user"]["username"] == f"system:serviceaccount:{api.ns}:robot"
    assert status["user"]["uid"] == account["metadata"]["uid"]
    wanted = {"system:serviceaccounts", f"system:serviceaccounts:{api.ns}", "system:authenticated"}
    assert set(status["user"]["groups"]) == wanted
    none = await api.make(TOKEN_REVIEWS, {"spec": {"token": "a.b.c"}})
    assert (none["status"].get("authenticated", False), none["status"]["user"]) == (False, {})


@story()
async def a_token_ends_with_its_account(api: Api) -> None:
    await api.make(ACCOUNTS, {"metadata": {"name": "robot"}})
    token = (await api.make(f"{ACCOUNTS}/robot/token", {"spec": {}}))["status"]["token"]
    await api.delete(f"{ACCOUNTS}/robot")
    await api.make(ACCOUNTS, {"metadata": {"name": "robot"}})

    async def over() -> bool:
        told = await api.make(TOKEN_REVIEWS, {"spec": {"token": token}})
        return not told["status"].get("authenticated", False)

    await api.eventually(over)


TOKEN_SECRET = {"type": "kubernetes.io/service-account-token"}
OF = "kubernetes.io/service-account.name"


@story(CONTROLLERS)
async def a_secret_is_filled_with_a_token(api: Api) -> None:
    await api.make(ACCOUNTS, {"metadata": {"name": "robot"}})
    await api.make(SECRETS, {"metadata": {"name": "s", "annotations": {OF: "robot"}}, **TOKEN_SECRET})

    async def filled() -> Any:
        data = (await api.get(f"{SECRETS}/s")).ok().get("data") or {}
        return data if data.get("token") else None

    data = await api.eventually(filled)
    assert b64decode(data["namespace"]).decode() == api.ns

    async def taken() -> Any:  # it is compared with what a cache holds of the secret, which may be from before
        told = await api.make(TOKEN_REVIEWS, {"spec": {"token": b64decode(data["token"]).decode()}})
        return told["status"] if told["status"].get("authenticated") else None

    status = await api.eventually(taken)
    assert status["user"]["username"] == f"system:serviceaccount:{api.ns}:robot"
    await api.delete(f"{ACCOUNTS}/robot")
    await api.gone(f"{SECRETS}/s")


row(
    "token-secret-of-nobody",
    "POST",
    SECRETS,
    {"metadata": {"name": "s"}, **TOKEN_SECRET},
    status=422,
    reason="Invalid",
    text=f"metadata.annotations[{OF}]: Required value",
)
row(
    "token-for-a-moment",
    "POST",
    f"{ACCOUNTS}/a/token",
    {"spec": {"expirationSeconds": 5}},
    given=((ACCOUNTS, {"metadata": {"name": "a"}}),),
    status=422,
    reason="Invalid",
    text="may not specify a duration less than 10 minutes",
)
row("token-of-nobody", "POST", f"{ACCOUNTS}/none/token", {"spec": {}}, status=404, reason="NotFound")


@story()
async def a_pod_needs_its_account(api: Api) -> None:
    refused = await api("POST", PODS, pod("p", serviceAccountName="none"))
    refused.is_refused(403, "Forbidden", f"error looking up service account {api.ns}/none")


for _what, _rules, _text in (
    ("without-verbs", [{"apiGroups": [""], "resources": ["pods"]}], "rules[0].verbs: Required value"),
    ("without-groups", [{"verbs": ["get"], "resources": ["pods"]}], "rules[0].apiGroups: Required value"),
    ("without-resources", [{"verbs": ["get"], "apiGroups": [""]}], "rules[0].resources: Required value"),
    ("with-paths", [{"verbs": ["get"], "nonResourceURLs": ["/x"]}], "namespaced rules cannot apply to non-resource"),
):
    row(
        f"role-{_what}",
        "POST",
        ROLES,
        {"metadata": {"name": "r"}, "rules": _rules},
        status=422,
        reason="Invalid",
        text=_text,
    )
row(
    "binding-to-something-else",
    "POST",
    BINDINGS,
    binding("b", "x", "Deployment"),
    status=422,
    reason="Invalid",
    text="roleRef.kind: Unsupported value",
)
row(
    "binding-without-a-name",
    "POST",
    BINDINGS,
    {"metadata": {"name": "b"}, "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": ""}, "subjects": []},
    status=422,
    reason="Invalid",
    text="roleRef.name: Required value",
)
