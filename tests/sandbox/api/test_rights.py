"""Who may do what: roles, bindings, reviews, and the 403 that says the same."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.resources import CONFIGMAPS, PODS, SERVICEACCOUNTS
from lazarus_tui.sandbox.api.identity import AUTHENTICATED
from lazarus_tui.sandbox.api.rights import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, RBAC, ROLE_BINDINGS, ROLES

from .conftest import World, config_map, pod
from .given_rights import ACCESS, CM, RULES, binding, call_as, grant, role, rule


async def test_nothing_is_allowed_that_no_role_gives(world: World) -> None:
    listed = await call_as(world, "jane", "GET", CM)
    assert (listed.status, listed.reason) == (403, "Forbidden")
    assert listed.body["message"] == (
        'configmaps is forbidden: User "jane" cannot list resource "configmaps" in API group "" in the namespace '
        '"default"'
    )
    assert listed.body["details"] == {"kind": "configmaps"}
    scaled = await call_as(world, "jane", "PATCH", "/apis/apps/v1/namespaces/shop/deployments/web/scale", {})
    assert scaled.body["message"] == (
        'deployments.apps "web" is forbidden: User "jane" cannot patch resource "deployments/scale" in API group '
        '"apps" in the namespace "shop"'
    )
    assert scaled.body["details"] == {"name": "web", "group": "apps", "kind": "deployments"}
    everywhere = await call_as(world, "jane", "GET", "/api/v1/pods")
    assert everywhere.body["message"].endswith('cannot list resource "pods" in API group "" at the cluster scope')
    path = await call_as(world, "jane", "GET", "/metrics")
    assert (path.status, path.body["message"]) == (403, 'forbidden: User "jane" cannot get path "/metrics"')
    unknown = await call_as(world, "jane", "GET", "/apis/none.example.com/v1/things")
    assert unknown.status == 403, "what exists is not told to those who may not look"


async def test_a_role_holds_in_its_namespace_alone(world: World) -> None:
    grant(world, "jane", rule("get list", "configmaps"))
    assert (await call_as(world, "jane", "GET", CM)).status == 200
    assert (await call_as(world, "jane", "GET", "/api/v1/namespaces/kube-system/configmaps")).status == 403
    assert (await call_as(world, "jane", "GET", "/api/v1/configmaps")).status == 403
    assert (await call_as(world, "jane", "POST", CM, config_map("a"))).status == 403
    assert (await call_as(world, "jane", "GET", CM, watch="true")).status == 403
    assert (await call_as(world, "joe", "GET", CM)).status == 403


async def test_a_cluster_role_can_be_given_in_one_namespace(world: World) -> None:
    world.api.create(CLUSTER_ROLES, role("reader", rule("get list watch", "*", "*")))
    world.api.create(ROLE_BINDINGS, binding("reads", "ClusterRole", "reader", "jane"), "default")
    assert (await call_as(world, "jane", "GET", CM)).status == 200
    assert (await call_as(world, "jane", "GET", "/apis/velero.io/v1/namespaces/default/backups")).status == 404
    assert (await call_as(world, "jane", "GET", "/api/v1/namespaces/kube-system/configmaps")).status == 403


async def test_names_bound_what_a_rule_speaks_of(world: World) -> None:
    grant(world, "jane", rule("get list watch update", "configmaps", resourceNames=["mine"]))
    for name in ("mine", "other"):
        world.api.create(CONFIGMAPS, config_map(name), "default")
    assert (await call_as(world, "jane", "GET", f"{CM}/mine")).status == 200
    assert (await call_as(world, "jane", "GET", f"{CM}/other")).status == 403
    assert (await call_as(world, "jane", "GET", CM)).status == 403
    chosen = await call_as(world, "jane", "GET", CM, fieldSelector="metadata.name=mine")
    assert [one["metadata"]["name"] for one in chosen.body["items"]] == ["mine"]
    assert (await call_as(world, "jane", "GET", CM, fieldSelector="metadata.name!=mine")).status == 403


async def test_subresources_are_rights_of_their_own(world: World) -> None:
    world.api.create(PODS, pod("p"), "default")
    grant(world, "jane", rule("*", "pods"))
    path = "/api/v1/namespaces/default/pods/p"
    assert (await call_as(world, "jane", "GET", path)).status == 200
    for sub in ("log", "status", "exec", "eviction"):
        assert (await call_as(world, "jane", "POST", f"{path}/{sub}", {})).status == 403
    grant(world, "joe", rule("get create", "*/log pods/status"))
    assert (await call_as(world, "joe", "GET", f"{path}/status")).status == 200
    assert (await call_as(world, "joe", "GET", f"{path}/log")).status == 503, "no kubelet runs here"
    assert (await call_as(world, "joe", "GET", path)).status == 403


async def test_exec_over_a_websocket_needs_the_right_to_create(world: World) -> None:
    """A WebSocket begins with a GET; reading alone must not be enough to run commands."""
    world.api.create(PODS, pod("p"), "default")
    grant(world, "jane", rule("get", "pods/exec"))
    refused = await call_as(world, "jane", "GET", "/api/v1/namespaces/default/pods/p/exec", command="sh")
    assert (refused.status, "cannot create resource" in refused.body["message"]) == (403, True)


async def test_a_binding_that_goes_takes_the_right_at_once(world: World) -> None:
    grant(world, "jane", rule("list", "configmaps"))
    assert (await call_as(world, "jane", "GET", CM)).status == 200
    world.api.patch(ROLES, "of-jane", {"rules": []}, "default")
    assert (await call_as(world, "jane", "GET", CM)).status == 403
    world.api.patch(ROLES, "of-jane", {"rules": [rule("list", "*", "*")]}, "default")
    assert (await call_as(world, "jane", "GET", CM)).status == 200
    world.api.delete(ROLE_BINDINGS, "of-jane", "default")
    assert (await call_as(world, "jane", "GET", CM)).status == 403


async def test_a_role_that_is_not_there_is_named(world: World) -> None:
    world.api.create(CLUSTER_ROLE_BINDINGS, binding("b", "ClusterRole", "lost", "jane"))
    refused = await call_as(world, "jane", "GET", CM)
    assert refused.body["message"].endswith(
        'in the namespace "default": RBAC: clusterrole.rbac.authorization.k8s.io "lost" not found'
    )


async def test_strangers_see_health_and_version_and_nothing_more(worlds: Any) -> None:
    world = worlds(token="secret")
    nobody = {"authorization": "Basic none"}
    for path in ("/healthz", "/livez", "/readyz", "/version"):
        assert (await world.call("GET", path, headers=nobody)).status == 200
    for path in ("/api", "/apis", "/openapi/v3", "/metrics"):
        assert (await world.call("GET", path, headers=nobody)).status == 403
    for path in ("/api", "/apis", "/openapi/v3"):
        assert (await call_as(world, "jane", "GET", path)).status == 200
    assert (await world.call("POST", f"{ACCESS}/selfsubjectaccessreviews", {}, headers=nobody)).status == 403


async def test_acting_as_somebody_needs_the_right_to(world: World) -> None:
    world.api.create(SERVICEACCOUNTS, {"metadata": {"name": "robot"}}, "default")
    minted = await world.call("POST", "/api/v1/namespaces/default/serviceaccounts/robot/token", {"spec": {}})
    robot = {"authorization": f"Bearer {minted.body['status']['token']}"}
    me = "system:serviceaccount:default:robot"
    refused = await call_as(world, "jane", "GET", CM, headers=robot)
    assert refused.body["message"] == (
        f'users "jane" is forbidden: User "{me}" cannot impersonate resource "users" in API group "" at the cluster '
        "scope"
    )
    grant(world, me, rule("impersonate", "users", resourceNames=["jane"]), namespace="")
    grant(world, "jane", rule("list", "configmaps"))
    assert (await call_as(world, "jane", "GET", CM, headers=robot)).status == 200
    for more in ({"Impersonate-Group": "system:masters"}, {"Impersonate-Uid": "1"}, {"Impersonate-Extra-a": "b"}):
        assert (await call_as(world, "jane", "GET", CM, headers=robot | more)).status == 403
    assert (await call_as(world, "joe", "GET", CM, headers=robot)).status == 403
    nobody = await world.call("GET", CM, headers={"Impersonate-Group": "g"})
    assert (nobody.status, nobody.reason) == (500, "InternalError")


async def test_somebody_is_who_the_headers_say(world: World) -> None:
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    headers = {"Impersonate-Group": "devs", "Impersonate-Uid": "42", "Impersonate-Extra-Team%2fone": "x"}
    who = (await call_as(world, "jane", "POST", path, {}, headers=headers)).body["status"]["userInfo"]
    assert who == {
        "username": "jane",
        "uid": "42",
        "groups": ["devs", AUTHENTICATED],
        "extra": {"team/one": ["x"]},
    }
    account = (await call_as(world, "system:serviceaccount:shop:web", "POST", path, {})).body["status"]["userInfo"]
    assert account["groups"] == ["system:serviceaccounts", "system:serviceaccounts:shop", AUTHENTICATED]


async def test_nobody_gives_away_what_is_not_theirs(world: World) -> None:
    grant(world, "jane", rule("create patch", "roles rolebindings", RBAC), rule("get list", "configmaps"))
    roles = f"{RULES}/namespaces/default/roles"
    assert (await call_as(world, "jane", "POST", roles, role("own", rule("get", "configmaps")))).status == 201
    more = await call_as(world, "jane", "POST", roles, role("more", rule("get delete", "configmaps secrets")))
    assert (more.status, more.reason) == (403, "Forbidden")
    assert more.body["message"] == (
        'roles.rbac.authorization.k8s.io "more" is forbidden: user "jane" (groups=["system:authenticated"]) is '
        "attempting to grant RBAC permissions not currently held:\n"
        '{APIGroups:[""], Resources:["configmaps"], Verbs:["delete"]}\n'
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "delete"]}'
    )
    wider = {"rules": [rule("*", "configmaps")]}
    patch = "application/merge-patch+json"
    assert (await call_as(world, "jane", "PATCH", f"{roles}/own", wider, type=patch)).status == 403
    assert (await world.call("GET", f"{roles}/own")).body["rules"] == [rule("get", "configmaps")]
    narrower = {"rules": [rule("list", "configmaps")]}
    assert (await call_as(world, "jane", "PATCH", f"{roles}/own", narrower, type=patch)).status == 200
    admin = binding("up", "ClusterRole", "cluster-admin", "jane")
    assert (await call_as(world, "jane", "POST", f"{RULES}/namespaces/default/rolebindings", admin)).status == 403
    own = binding("down", "Role", "own", "joe")
    assert (await call_as(world, "jane", "POST", f"{RULES}/namespaces/default/rolebindings", own)).status == 201
    lost = binding("lost", "Role", "none", "joe")
    assert (await call_as(world, "jane", "POST", f"{RULES}/namespaces/default/rolebindings", lost)).status == 404


async def test_bind_and_escalate_are_rights_to_give_more(world: World) -> None:
    grant(world, "jane", rule("create escalate", "roles", RBAC), rule("create", "rolebindings", RBAC))
    roles, bindings = (f"{RULES}/namespaces/default/{kind}" for kind in ("roles", "rolebindings"))
    assert (await call_as(world, "jane", "POST", roles, role("all", rule("*", "*", "*")))).status == 201
    wanted = binding("all", "Role", "all", "joe")
    assert (await call_as(world, "jane", "POST", bindings, wanted)).status == 403
    world.api.patch(
        ROLES,
        "of-jane",
        {"rules": [rule("bind", "roles", RBAC, resourceNames=["all"]), rule("create", "rolebindings", RBAC)]},
        "default",
    )
    assert (await call_as(world, "jane", "POST", bindings, wanted)).status == 201
    other = binding("view", "ClusterRole", "system:aggregate-to-view", "joe")
    assert (await call_as(world, "jane", "POST", bindings, other)).status == 403


async def test_an_aggregated_role_takes_an_administrator(world: World) -> None:
    grant(world, "jane", rule("*", "clusterroles", RBAC), namespace="")
    gathering = {
        "metadata": {"name": "g"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
        "rules": [],
    }
    path = f"{RULES}/clusterroles"
    world.api.patch(CLUSTER_ROLES, "of-jane", {"rules": [rule("create update get", "clusterroles", RBAC)]})
    refused = await call_as(world, "jane", "POST", path, gathering)
    assert (refused.status, "must have cluster-admin privileges" in refused.body["message"]) == (403, True)
    assert (await world.call("POST", path, gathering)).status == 201
    untangled = {**(await world.call("GET", f"{path}/g")).body, "aggregationRule": None}
    assert (await call_as(world, "jane", "PUT", f"{path}/g", untangled)).status == 403


async def test_an_apply_that_creates_needs_the_right_to_create(world: World) -> None:
    grant(world, "jane", rule("patch", "configmaps"))
    applied = {"apiVersion": "v1", "kind": "ConfigMap", **config_map("new", {"a": "1"})}
    options: dict[str, Any] = {"type": "application/apply-patch+yaml", "fieldManager": "t"}
    refused = await call_as(world, "jane", "PATCH", f"{CM}/new", applied, **options)
    assert (refused.status, "cannot create resource" in refused.body["message"]) == (403, True)
    world.api.create(CONFIGMAPS, config_map("new"), "default")
    assert (await call_as(world, "jane", "PATCH", f"{CM}/new", applied, **options)).status == 200


async def test_reviews_speak_for_others_too(world: World) -> None:
    grant(world, "jane", rule("list", "configmaps"))
    asked = {"verb": "list", "resource": "configmaps", "namespace": "default"}
    path = f"{ACCESS}/subjectaccessreviews"
    told = await world.call("POST", path, {"spec": {"user": "jane", "resourceAttributes": asked}})
    assert told.body["status"] == {
        "allowed": True,
        "reason": 'RBAC: allowed by RoleBinding "of-jane/default" of Role "of-jane" to User "jane"',
    }
    told = await world.call("POST", path, {"spec": {"user": "joe", "resourceAttributes": asked}})
    assert told.body["status"] == {"allowed": False}
    masters = {"groups": ["system:masters"], "resourceAttributes": asked}
    assert (await world.call("POST", path, {"spec": masters})).body["status"]["allowed"] is True
    nobody = await world.call("POST", path, {"spec": {"resourceAttributes": asked}})
    assert (nobody.status, nobody.body["details"]["causes"][0]["field"]) == (422, "spec.user")
    local = f"{ACCESS}/namespaces/default/localsubjectaccessreviews"
    made = await world.call("POST", local, {"spec": {"user": "jane", "resourceAttributes": asked}})
    assert made.body["status"]["allowed"] is True
    elsewhere = {**asked, "namespace": "shop"}
    wrong = await world.call("POST", local, {"spec": {"user": "jane", "resourceAttributes": elsewhere}})
    assert (wrong.status, wrong.body["details"]["causes"][0]["field"]) == (422, "spec.resourceAttributes.namespace")


async def test_rules_are_told_to_whom_they_concern(world: World) -> None:
    grant(world, "jane", rule("list", "configmaps", resourceNames=["x"]))
    path = f"{ACCESS}/selfsubjectrulesreviews"
    told = (await call_as(world, "jane", "POST", path, {"spec": {"namespace": "default"}})).body["status"]
    assert rule("list", "configmaps", resourceNames=["x"]) in told["resourceRules"]
    assert any("/healthz" in one["nonResourceURLs"] for one in told["nonResourceRules"])
    elsewhere = (await call_as(world, "jane", "POST", path, {"spec": {"namespace": "shop"}})).body["status"]
    assert all(one["resources"] != ["configmaps"] for one in elsewhere["resourceRules"])
    assert (await call_as(world, "jane", "POST", path, {"spec": {}})).status == 400


async def test_an_account_of_another_namespace_may_be_named(world: World) -> None:
    """A subject's namespace is its own; only one that names none is of the binding's."""
    world.api.create(ROLES, role("reader", rule("list", "configmaps")), "default")
    subject = {"kind": "ServiceAccount", "name": "robot", "namespace": "kube-system"}
    world.api.create(ROLE_BINDINGS, binding("b", "Role", "reader") | {"subjects": [subject]}, "default")
    for namespace, status in (("kube-system", 200), ("default", 403)):
        user = f"system:serviceaccount:{namespace}:robot"
        assert (await call_as(world, user, "GET", CM)).status == status


async def test_a_path_with_a_star_begins_where_it_says(world: World) -> None:
    world.api.create(CLUSTER_ROLES, role("logs", {"nonResourceURLs": ["/metrics/*"], "verbs": ["get"]}))
    world.api.create(CLUSTER_ROLE_BINDINGS, binding("logs", "ClusterRole", "logs", "jane"))
    assert (await call_as(world, "jane", "GET", "/metrics")).status == 403
    assert (await call_as(world, "jane", "GET", "/metrics/slis")).status != 403
