"""What a request wants, and that reviews and refusals never differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lazarus_tui.model.http import HttpRequest
from lazarus_tui.sandbox.api.attributes import attributes_of
from lazarus_tui.sandbox.api.identity import AUTHENTICATED, User
from lazarus_tui.sandbox.api.rights import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, Attributes, Rights

from .conftest import World
from .given_rights import ACCESS, Object, binding, call_as, grant, role, rule

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "*")
RESOURCES = ("configmaps", "secrets", "deployments", "deployments/scale", "*/scale", "*")
GROUPS = ("", "apps", "*")
NAMES = ("a", "b")
ROUTES = {"configmaps": "/api/v1", "secrets": "/api/v1", "deployments": "/apis/apps/v1"}


def some(values: tuple[str, ...], most: int = 2) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True)


RULE = st.fixed_dictionaries(
    {"verbs": some(VERBS, 3), "apiGroups": some(GROUPS), "resources": some(RESOURCES, 3)},
    optional={"resourceNames": some(NAMES)},
)


@st.composite
def requests(draw: st.DrawFn) -> HttpRequest:
    resource = draw(st.sampled_from(sorted(ROUTES)))
    method = draw(st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]))
    space = draw(st.sampled_from(["/namespaces/default", "/namespaces/other", ""]))
    name = draw(st.sampled_from(["", "/a", "/b"])) if space else ""
    scale = "/scale" if name and draw(st.booleans()) else ""
    query = draw(st.sampled_from([(), (("watch", "1"),), (("fieldSelector", "metadata.name=a"),)]))
    return HttpRequest(method, f"{ROUTES[resource]}{space}/{resource}{name}{scale}", query)


@settings(max_examples=150, deadline=None)
@given(st.lists(RULE, max_size=3), st.lists(RULE, max_size=2), st.lists(requests(), min_size=1, max_size=8))
async def test_a_review_and_the_refusal_always_agree(
    local: list[Object], clustered: list[Object], asked: list[HttpRequest]
) -> None:
    """What a review allows is never answered 403, and what it does not allow always is."""
    world = World()
    world.api.bootstrap()
    grant(world, "jane", *local)
    world.api.create(CLUSTER_ROLES, role("everywhere", *clustered))
    world.api.create(CLUSTER_ROLE_BINDINGS, binding("everywhere", "ClusterRole", "everywhere", "jane"))
    for request in asked:
        wanted = attributes_of(request)
        fields = {
            "verb": wanted.verb,
            "group": wanted.group,
            "resource": wanted.resource,
            "subresource": wanted.subresource,
            "namespace": wanted.namespace,
            "name": wanted.name,
        }
        path = f"{ACCESS}/selfsubjectaccessreviews"
        review = await call_as(world, "jane", "POST", path, {"spec": {"resourceAttributes": fields}})
        answer = await world.server.handle(replace(request, headers={"Impersonate-User": "jane"}))
        if hasattr(answer, "chunks"):
            await answer.chunks.aclose()
        assert review.body["status"]["allowed"] is (answer.status != 403), (request, review.body["status"])
    await world.close()


@pytest.mark.parametrize(
    ("method", "path", "query", "wanted"),
    [
        ("GET", "/api/v1/namespaces/shop", {}, Attributes("get", "", "namespaces", "", "shop", "shop")),
        ("GET", "/api/v1/namespaces", {}, Attributes("list", "", "namespaces")),
        ("PUT", "/api/v1/namespaces/a/finalize", {}, Attributes("update", "", "namespaces", "finalize", "a", "a")),
        ("DELETE", "/api/v1/namespaces/a/pods", {}, Attributes("deletecollection", "", "pods", "", "a")),
        ("GET", "/api/v1/pods", {"watch": "true"}, Attributes("watch", "", "pods")),
        ("GET", "/api/v1/watch/namespaces/a/pods", {}, Attributes("watch", "", "pods", "", "a")),
        ("HEAD", "/apis/apps/v1/deployments", {}, Attributes("list", "apps", "deployments")),
        (
            "POST",
            "/api/v1/namespaces/a/services/web:80/proxy/x/y",
            {},
            Attributes("create", "", "services", "proxy", "a", "web:80"),
        ),
        ("GET", "/apis/apps/v1", {}, Attributes("get", path="/apis/apps/v1")),
        ("POST", "/anything", {}, Attributes("post", path="/anything")),
        ("GET", "/api/v1//namespaces", {}, Attributes("get", path="/api/v1//namespaces")),
    ],
)
def test_what_a_request_wants(method: str, path: str, query: Mapping[str, str], wanted: Attributes) -> None:
    assert attributes_of(HttpRequest(method, path, tuple(query.items()))) == wanted


def test_rules_are_gathered_once_for_each_subject(world_of_rules: Rights) -> None:
    user = User("jane", (AUTHENTICATED,))
    wanted = Attributes("list", "", "configmaps", "", "default")
    first = world_of_rules.grants(user, "default")
    assert world_of_rules.decide(user, wanted).allowed
    assert world_of_rules.grants(user, "default") is first
    for number in range(300):
        world_of_rules.decide(User(f"user-{Random(number).random()}"), wanted)
    assert world_of_rules.grants(user, "default") is not first, "and not remembered for ever"


@pytest.fixture
def world_of_rules() -> Rights:
    world = World()
    grant(world, "jane", rule("list", "configmaps"))
    return Rights(world.store)
