"""Lists: pages of one moment, selectors, revisions."""

from __future__ import annotations

import base64

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.lists import list_page
from lazarus_tui.sandbox.api.options import list_options
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.store import Store

from .conftest import MERGE, World, config_map, pod

CM = "/api/v1/namespaces/default/configmaps"


def names(body: dict[str, object]) -> list[str]:
    items = body["items"]
    assert isinstance(items, list)
    return [item["metadata"]["name"] for item in items]


async def test_a_list_has_kind_and_revision(world: World) -> None:
    await world.call("POST", CM, config_map("b"))
    await world.call("POST", CM, config_map("a"))
    body = (await world.call("GET", CM)).body
    assert (body["kind"], body["apiVersion"]) == ("ConfigMapList", "v1")
    assert body["metadata"] == {"resourceVersion": str(world.store.revision)}
    assert names(body) == ["a", "b"]


async def test_all_namespaces(world: World) -> None:
    await world.call("POST", CM, config_map("a"))
    await world.call("POST", "/api/v1/namespaces/kube-system/configmaps", config_map("b"))
    assert names((await world.call("GET", "/api/v1/configmaps")).body) == ["a", "b"]
    assert names((await world.call("GET", CM)).body) == ["a"]


async def test_pages_show_one_moment(world: World) -> None:
    for name in "bdfh":
        await world.call("POST", CM, config_map(name, {"v": "old"}))
    first = (await world.call("GET", CM, limit="2")).body
    assert names(first) == ["b", "d"]
    assert first["metadata"]["remainingItemCount"] == 2
    await world.call("POST", CM, config_map("g"))
    await world.call("DELETE", f"{CM}/f")
    await world.call("PATCH", f"{CM}/h", {"data": {"v": "new"}}, type=MERGE)
    second = (await world.call("GET", CM, limit="2", **{"continue": first["metadata"]["continue"]})).body
    assert names(second) == ["f", "h"]
    assert second["items"][1]["data"] == {"v": "old"}
    assert second["metadata"] == {"resourceVersion": first["metadata"]["resourceVersion"]}
    assert names((await world.call("GET", CM)).body) == ["b", "d", "g", "h"]


async def test_a_page_token_that_is_too_old(world: World) -> None:
    for name in "abc":
        await world.call("POST", CM, config_map(name))
    token = (await world.call("GET", CM, limit="1")).body["metadata"]["continue"]
    world.store.compact()
    assert (await world.call("GET", CM, limit="1", **{"continue": token})).status == 200
    await world.call("POST", CM, config_map("d"))
    world.store.compact()
    late = await world.call("GET", CM, limit="1", **{"continue": token})
    assert (late.status, late.reason) == (410, "Expired")
    assert late.body["message"].startswith("The provided continue parameter is too old")


async def test_a_page_at_a_version_is_of_that_version(world: World) -> None:
    """What upstream calls the legacy rule: a limit makes a version exact unless something else is said."""
    await world.call("POST", CM, config_map("a"))
    old = str(world.store.revision)
    await world.call("POST", CM, config_map("b"))
    for more, expected in (({}, ["a"]), ({"resourceVersionMatch": "NotOlderThan"}, ["a", "b"])):
        page = await world.call("GET", CM, limit="5", resourceVersion=old, **more)
        assert names(page.body) == expected
    assert names((await world.call("GET", CM, resourceVersion=old)).body) == ["a", "b"]


@pytest.mark.parametrize("token", ["nonsense", "!", base64.urlsafe_b64encode(b'{"rv":"x"}').decode()])
async def test_bad_page_tokens(world: World, token: str) -> None:
    assert (await world.call("GET", CM, **{"continue": token})).status == 400


async def test_a_page_token_excludes_a_revision(world: World) -> None:
    await world.call("POST", CM, config_map("a"))
    await world.call("POST", CM, config_map("b"))
    token = (await world.call("GET", CM, limit="1")).body["metadata"]["continue"]
    assert (await world.call("GET", CM, resourceVersion="2", **{"continue": token})).status == 400


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ({"limit": "x"}, 400, "BadRequest"),
        ({"limit": "-1"}, 200, ""),
        ({"labelSelector": "a in (b"}, 400, "BadRequest"),
        ({"fieldSelector": "data.x=1"}, 400, "BadRequest"),
        ({"resourceVersion": "abc"}, 400, "BadRequest"),
        ({"resourceVersion": "99999999"}, 504, "Timeout"),
        ({"resourceVersion": "0"}, 200, ""),
        ({"resourceVersionMatch": "Exact"}, 422, "Invalid"),
        ({"resourceVersion": "1", "resourceVersionMatch": "Foo"}, 422, "Invalid"),
        ({"resourceVersion": "0", "resourceVersionMatch": "Exact"}, 422, "Invalid"),
        ({"resourceVersion": "0", "resourceVersionMatch": "NotOlderThan"}, 200, ""),
        ({"resourceVersion": "1", "resourceVersionMatch": "NotOlderThan"}, 200, ""),
        ({"resourceVersion": "99999999", "resourceVersionMatch": "NotOlderThan"}, 504, "Timeout"),
        ({"resourceVersion": "99999999", "resourceVersionMatch": "Exact"}, 504, "Timeout"),
        ({"resourceVersion": "1", "resourceVersionMatch": "NotOlderThan", "continue": "x"}, 422, "Invalid"),
        ({"sendInitialEvents": "true"}, 422, "Invalid"),
        ({"watch": "1", "resourceVersion": "1", "resourceVersionMatch": "Exact"}, 422, "Invalid"),
        ({"watch": "maybe"}, 400, "BadRequest"),
    ],
)
async def test_list_options(world: World, query: dict[str, str], status: int, reason: str) -> None:
    reply = await world.call("GET", CM, **query)
    assert reply.status == status
    if reason:
        assert reply.reason == reason


async def test_exact_revisions(world: World) -> None:
    old = (await world.call("POST", CM, config_map("a"))).body["metadata"]["resourceVersion"]
    await world.call("POST", CM, config_map("b"))
    exact = (await world.call("GET", CM, resourceVersion=old, resourceVersionMatch="Exact")).body
    assert (names(exact), exact["metadata"]["resourceVersion"]) == (["a"], old)
    newer = (await world.call("GET", CM, resourceVersion=old, resourceVersionMatch="NotOlderThan")).body
    assert names(newer) == ["a", "b"]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tier=x", "ab"),
        ("tier==x", "ab"),
        ("tier!=x", "cd"),
        ("tier in (x,y)", "abc"),
        ("tier notin (x)", "cd"),
        ("tier", "abc"),
        ("!tier", "d"),
        ("tier=x,n>1", "b"),
        ("n<2", "a"),
        ("", "abcd"),
        (" tier = x , n ", "ab"),
    ],
)
async def test_label_selectors(world: World, selector: str, expected: str) -> None:
    for name, labels in (
        ("a", {"tier": "x", "n": "1"}),
        ("b", {"tier": "x", "n": "2"}),
        ("c", {"tier": "y"}),
        ("d", {}),
    ):
        await world.call("POST", CM, config_map(name, labels=labels))
    body = (await world.call("GET", CM, labelSelector=selector)).body
    assert "".join(names(body)) == expected


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("metadata.name=a", "a"),
        ("metadata.name!=a", "b"),
        ("spec.nodeName=n1", "a"),
        ("spec.nodeName=", "b"),
        ("status.phase=Pending,spec.nodeName!=n1", "b"),
        ("metadata.namespace=default", "ab"),
    ],
)
async def test_field_selectors(world: World, selector: str, expected: str) -> None:
    path = "/api/v1/namespaces/default/pods"
    await world.call("POST", path, pod("a", node="n1"))
    await world.call("POST", path, pod("b"))
    assert "".join(names((await world.call("GET", path, fieldSelector=selector)).body)) == expected


async def test_pages_count_what_is_left_only_without_selectors(world: World) -> None:
    for name in "abc":
        await world.call("POST", CM, config_map(name, labels={"l": "1"}))
    meta = (await world.call("GET", CM, limit="1", labelSelector="l=1")).body["metadata"]
    assert "continue" in meta
    assert "remainingItemCount" not in meta


ACTION = st.tuples(st.sampled_from(["put", "drop"]), st.integers(0, 12))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=st.lists(ACTION, max_size=25), between=st.lists(ACTION, max_size=25), limit=st.integers(1, 6))
def test_pages_together_are_the_first_moment(
    before: list[tuple[str, int]], between: list[tuple[str, int]], limit: int
) -> None:
    """Whatever happens between two pages: all pages together are what one list would have been at the start."""
    store, kind = Store(), Registry().served(CONFIGMAPS).kind

    def run(actions: list[tuple[str, int]]) -> None:
        for action, number in actions:
            key = ("ns", f"n{number:02d}")
            old = store.get(kind.group_resource, key)
            meta = {"namespace": "ns", "name": key[1]}
            if action == "put":
                store.commit(kind.group_resource, key, old, {"metadata": meta, "n": store.revision})
            elif old is not None:
                store.commit(kind.group_resource, key, old, None)

    run(before)
    expected = [entity.obj for entity in store.select(kind.group_resource, "ns")]
    found, token = [], ""
    while True:
        page = list_page(store, kind, "ns", list_options({"limit": str(limit), "continue": token}))
        assert len(page.entities) <= limit
        found += [entity.obj for entity in page.entities]
        token = page.meta.get("continue", "")
        if not token:
            break
        run(between)
    assert found == expected


@settings(max_examples=40, deadline=None)
@given(actions=st.lists(ACTION, max_size=40), history=st.integers(1, 15))
def test_every_revision_is_told_truly_or_refused(actions: list[tuple[str, int]], history: int) -> None:
    store = Store(history=history)
    states: dict[int, list[dict[str, object]]] = {store.revision: []}
    for action, number in actions:
        key = ("ns", f"n{number:02d}")
        old = store.get("things", key)
        if action == "put":
            store.commit("things", key, old, {"metadata": {"namespace": "ns", "name": key[1]}, "n": store.revision})
        elif old is not None:
            store.commit("things", key, old, None)
        states[store.revision] = [entity.obj for entity in store.select("things")]
    told = 0
    for revision, expected in states.items():
        seen = _told(store, revision)
        if seen is None:
            assert revision < store.revision - history + 1
        else:
            told += 1
            assert seen == expected
    assert told >= min(len(states), history)


def _told(store: Store, revision: int) -> list[dict[str, object]] | None:
    """The state at a revision, None when the store says that it is too old."""
    try:
        return [entity.obj for entity in store.select_at("things", None, revision)]
    except ApiError as error:
        if error.status != 410:
            raise
        return None
