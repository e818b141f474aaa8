"""Lists: pages that show one moment, selectors, versions."""

from __future__ import annotations

from conformance_api import CM, NAMESPACES, PODS, SECRETS, Api, Reply, cm, pod
from conformance_cases import SUPPORTED, Table

TABLE = Table("lists")
story, row = TABLE.story, TABLE.row

# The cluster may put things of its own into every namespace.
MINE = "lazarus.dev/mine"

row("limit-that-is-no-number", "GET", CM, query={"limit": "x"}, status=400, reason="BadRequest", text="ParseInt")
row("limit-below-zero", "GET", CM, query={"limit": "-1"}, status=200)
row("selector-that-is-none", "GET", CM, query={"labelSelector": "a in (b"}, status=400, reason="BadRequest")
row("field-selector-not-served", "GET", CM, query={"fieldSelector": "data.x=1"}, status=400, reason="BadRequest")
row("field-selector-that-is-none", "GET", CM, query={"fieldSelector": "metadata.name"}, status=400, reason="BadRequest")
row(
    "resource-version-that-is-none",
    "GET",
    CM,
    query={"resourceVersion": "abc"},
    status=400,
    reason="BadRequest",
    since=SUPPORTED,
)
row("continue-that-is-none", "GET", CM, query={"limit": "1", "continue": "nonsense"}, status=400, reason="BadRequest")
row(
    "resource-version-of-the-future",
    "GET",
    CM,
    query={"resourceVersion": "9" * 15},
    status=504,
    reason="Timeout",
    text="Too large resource version",
)
for _what, _query in {
    "match-without-version": {"resourceVersionMatch": "Exact"},
    "match-unknown": {"resourceVersion": "1", "resourceVersionMatch": "Foo"},
    "match-exactly-zero": {"resourceVersion": "0", "resourceVersionMatch": "Exact"},
}.items():
    row(_what, "GET", CM, query=_query, status=422, reason="Invalid", text="resourceVersionMatch")
row(
    "initial-events-of-a-list",
    "GET",
    CM,
    query={"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"},
    status=422,
    reason="Invalid",
    text="sendInitialEvents is forbidden for list",
    since=27,
)


async def some(api: Api, *names: str) -> None:
    for name in names:
        await api.make(CM, cm(name, labels={MINE: name}))


@story()
async def a_list_says_what_it_is(api: Api) -> None:
    await some(api, "a")
    found = (await api.get(CM, labelSelector=MINE)).ok()
    assert (found["kind"], found["apiVersion"]) == ("ConfigMapList", "v1")
    assert int(found["metadata"]["resourceVersion"]) >= int(found["items"][0]["metadata"]["resourceVersion"])
    assert "kind" not in found["items"][0]


@story()
async def an_empty_list_has_a_list(api: Api) -> None:
    assert (await api.get(SECRETS, labelSelector=MINE)).ok()["items"] == []


@story()
async def items_come_in_the_order_of_their_names(api: Api) -> None:
    await some(api, "c", "a", "b")
    assert (await api.get(CM, labelSelector=MINE)).names == ["a", "b", "c"]


@story()
async def pages_show_the_moment_of_the_first(api: Api) -> None:
    await some(api, "w", "x", "y", "z")
    first = await api.get(CM, limit="2", labelSelector=MINE)
    assert first.names == ["w", "x"]
    await some(api, "y5")
    (await api.delete(f"{CM}/z")).ok()
    rest = {"continue": first.meta["continue"], "limit": "2", "labelSelector": MINE}
    second = await api.get(CM, **rest)
    assert second.names == ["y", "z"]
    assert second.meta["resourceVersion"] == first.meta["resourceVersion"]
    assert not second.meta.get("continue")


@story()
async def a_page_says_how_many_are_left(api: Api) -> None:
    await some(api, "a", "b", "c")
    whole = len((await api.get(CM)).names)
    first = await api.get(CM, limit="1")
    if first.meta["remainingItemCount"] != whole - 1:  # a controller may have added something in between
        assert first.meta["remainingItemCount"] == len((await api.get(CM)).names) - 1


@story()
async def with_a_selector_the_rest_is_not_counted(api: Api) -> None:
    await some(api, "a", "b")
    meta = (await api.get(CM, limit="1", labelSelector=MINE)).meta
    assert meta["continue"]
    assert "remainingItemCount" not in meta


@story()
async def a_limit_that_suffices_leaves_no_rest(api: Api) -> None:
    """Behind the map that controllers make: of what comes later a server does not know yet whether it matches."""
    await some(api, "y", "z")
    assert not (await api.get(CM, limit="2", labelSelector=MINE)).meta.get("continue")


@story()
async def a_version_and_a_continue_exclude_each_other(api: Api) -> None:
    await some(api, "a", "b")
    meta = (await api.get(CM, limit="1")).meta
    options = {"continue": meta["continue"], "limit": "1", "resourceVersion": meta["resourceVersion"]}
    (await api.get(CM, **options)).is_refused(400, "BadRequest")


_LABELS = {
    "equal": ("l=1", ["a"]),
    "double-equal": ("l==1", ["a"]),
    "not-equal": ("l!=1", ["b", "c"]),
    "in": ("l in (1, 2)", ["a", "b"]),
    "not-in": ("l notin (1,3)", ["b", "c"]),
    "exists": ("l", ["a", "b"]),
    "absent": ("!l", ["c"]),
    "all-of-several": ("l,m=x,l!=2", ["a"]),
    "greater": ("l>1", ["b"]),
    "less": ("l<2", ["a"]),
    "empty-value": ("m=", []),
}


def _labelled(what: str, selector: str, expected: list[str]) -> None:
    async def run(api: Api) -> None:
        for name, labels in {"a": {"l": "1", "m": "x"}, "b": {"l": "2", "m": "x"}, "c": {"m": "x"}}.items():
            await api.make(CM, cm(name, labels=labels | {MINE: "1"}))
        assert (await api.get(CM, labelSelector=f"{selector},{MINE}")).names == expected

    run.__name__ = f"labels_{what.replace('-', '_')}"
    story()(run)


for _what, (_selector, _expected) in _LABELS.items():
    _labelled(_what, _selector, _expected)


@story()
async def fields_name_and_namespace(api: Api) -> None:
    await some(api, "a", "b")
    assert (await api.get(CM, fieldSelector="metadata.name=a")).names == ["a"]
    assert (await api.get(CM, fieldSelector="metadata.name!=a", labelSelector=MINE)).names == ["b"]
    everywhere = await api.get("/api/v1/configmaps", fieldSelector="metadata.namespace={ns}", labelSelector=MINE)
    assert everywhere.names == ["a", "b"]


@story()
async def fields_of_pods_and_secrets(api: Api) -> None:
    await api.account()
    await api.make(PODS, pod("p"))
    await api.make(SECRETS, {"metadata": {"name": "s"}, "type": "example.com/x"})
    assert (await api.get(PODS, fieldSelector="status.phase=Pending")).names == ["p"]
    assert (await api.get(PODS, fieldSelector="spec.nodeName=none")).names == []
    assert (await api.get(PODS, fieldSelector="spec.restartPolicy=Always,metadata.name=p")).names == ["p"]
    assert (await api.get(SECRETS, fieldSelector="type=example.com/x")).names == ["s"]


@story()
async def one_list_across_namespaces(api: Api) -> None:
    other = await api.other_namespace("b")
    mark = {MINE: api.ns}
    await api.make(CM, cm("z", labels=mark))
    await api.make(CM.replace("{ns}", other), cm("a", labels=mark))
    found = (await api.get("/api/v1/configmaps", labelSelector=f"{MINE}={{ns}}")).ok()
    where = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in found["items"]]
    assert where == [(other, "a"), (api.ns, "z")]  # "/" stands behind "-"


@story()
async def an_exact_version_shows_the_past(api: Api) -> None:
    await some(api, "a")
    then = (await api.get(CM, labelSelector=MINE)).meta["resourceVersion"]
    await some(api, "b")
    exact = await api.get(CM, labelSelector=MINE, resourceVersion=then, resourceVersionMatch="Exact")
    assert exact.names == ["a"]
    assert exact.meta["resourceVersion"] == then


@story()
async def not_older_than_shows_at_least_that(api: Api) -> None:
    await some(api, "a", "b")
    then = (await api.get(f"{CM}/b")).meta["resourceVersion"]
    query = {"labelSelector": MINE, "resourceVersion": then, "resourceVersionMatch": "NotOlderThan"}

    async def there() -> Reply | None:  # a cache that has not heard of the version within three seconds says 504
        answer = await api.get(CM, **query)
        return None if answer.status == 504 else answer

    found = await api.eventually(there)
    assert sorted(found.names) == ["a", "b"]  # of old servers not in order: it comes from a cache
    assert int(found.meta["resourceVersion"]) >= int(then)


@story()
async def version_zero_is_any(api: Api) -> None:
    assert int((await api.get(CM, resourceVersion="0")).meta["resourceVersion"]) > 0


@story()
async def namespaces_are_found_by_label(api: Api) -> None:
    (await api.patch(f"{NAMESPACES}/{{ns}}", {"metadata": {"labels": {MINE: api.ns}}})).ok()
    assert (await api.get(NAMESPACES, labelSelector=f"{MINE}={{ns}}")).names == [api.ns]
