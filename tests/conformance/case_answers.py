"""Forms of answers: tables, metadata alone, YAML; forms of bodies."""

from __future__ import annotations

from conformance_api import (
    CM,
    DEPLOYMENTS,
    PARTIAL,
    PARTIAL_LIST,
    PODS,
    WIDGETS,
    Api,
    cm,
    pod,
    workload,
)
from conformance_api import (
    TABLE as AS_TABLE,
)
from conformance_cases import Table
from conformance_definitions import widget

TABLE = Table("answers")
story, row = TABLE.story, TABLE.row

row("accept-unknown", "GET", CM, accept="application/foo", status=406, reason="NotAcceptable")
row("accept-anything", "GET", CM, accept="*/*", status=200, text="ConfigMapList")
row("accept-one-of-several", "GET", CM, accept="application/foo,application/json", status=200)
row("body-of-an-unknown-type", "POST", CM, cm("a"), type="text/plain", status=415, reason="UnsupportedMediaType")
row(
    "body-of-plain-bytes",
    "POST",
    CM,
    cm("a"),
    type="application/octet-stream",
    status=415,
    reason="UnsupportedMediaType",
)


@story()
async def answers_are_json(api: Api) -> None:
    answer = await api.get(CM)
    assert answer.headers["content-type"] == "application/json"


@story()
async def yaml_out(api: Api) -> None:
    await api.make(CM, cm("a"))
    answer = await api.get(f"{CM}/a", accept="application/yaml")
    assert answer.headers["content-type"] == "application/yaml"
    assert b"kind: ConfigMap" in answer.raw


@story()
async def protobuf_is_passed_over_for_json(api: Api) -> None:
    await api.make(WIDGETS, widget("a"))
    answer = await api.get(f"{WIDGETS}/a", accept="application/vnd.kubernetes.protobuf,application/json")
    assert answer.ok()["kind"] == "Widget"


@story()
async def a_table_of_pods(api: Api) -> None:
    await api.account()
    await api.make(PODS, pod("p"))
    table = (await api.get(PODS, accept=AS_TABLE)).ok()
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    columns = [one["name"] for one in table["columnDefinitions"]]
    assert columns[:5] == ["Name", "Ready", "Status", "Restarts", "Age"]
    (row,) = table["rows"]
    cells = dict(zip(columns, row["cells"], strict=True))
    assert (cells["Name"], cells["Ready"]) == ("p", "0/1")
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert row["object"]["metadata"]["name"] == "p"


@story(since=22)
async def restarts_are_told_in_words(api: Api) -> None:
    """A number before that; since then with the time of the last one."""
    await api.account()
    await api.make(PODS, pod("p"))
    table = (await api.get(PODS, accept=AS_TABLE)).ok()
    assert table["rows"][0]["cells"][3] == "0"


@story()
async def a_table_of_one(api: Api) -> None:
    await api.make(DEPLOYMENTS, workload("a"))
    table = (await api.get(f"{DEPLOYMENTS}/a", accept=AS_TABLE)).ok()
    names = [one["name"] for one in table["columnDefinitions"] if not one["priority"]]
    assert names == ["Name", "Ready", "Up-to-date", "Available", "Age"]
    assert table["rows"][0]["cells"][:2] == ["a", "0/0"]


@story()
async def a_table_with_whole_objects_or_none(api: Api) -> None:
    await api.make(CM, cm("a", {"x": "1"}))
    for include, found in (("Object", {"x": "1"}), ("None", None)):
        table = (await api.get(f"{CM}/a", accept=AS_TABLE, includeObject=include)).ok()
        assert (table["rows"][0].get("object") or {}).get("data") == found


@story()
async def a_table_of_a_custom_kind_has_its_columns(api: Api) -> None:
    await api.make(WIDGETS, widget("a"))
    table = (await api.get(WIDGETS, accept=AS_TABLE)).ok()
    assert [one["name"] for one in table["columnDefinitions"]] == ["Name", "Size"]
    assert table["rows"][0]["cells"] == ["a", 3]


@story()
async def a_table_of_nothing(api: Api) -> None:
    assert (await api.get(WIDGETS, accept=AS_TABLE)).ok()["rows"] == []


@story()
async def metadata_alone(api: Api) -> None:
    await api.make(CM, cm("a", {"x": "1"}, labels={"l": "1"}))
    found = (await api.get(f"{CM}/a", accept=PARTIAL)).ok()
    assert (found["kind"], found["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert found["metadata"]["labels"] == {"l": "1"}
    assert "data" not in found


@story()
async def metadata_of_many(api: Api) -> None:
    for name in ("a", "b"):
        await api.make(WIDGETS, widget(name))
    answer = await api.get(WIDGETS, accept=PARTIAL_LIST, limit="1")
    found = answer.ok()
    assert (found["kind"], answer.names) == ("PartialObjectMetadataList", ["a"])
    assert found["metadata"]["continue"]
    assert "spec" not in found["items"][0]


@story()
async def text_of_every_kind_comes_back(api: Api) -> None:
    text = 'ü\u2028\x7f"\\<>&\n\t😀'
    await api.make(CM, cm("a", {"x": text, "empty": ""}))
    assert (await api.get(f"{CM}/a")).ok()["data"] == {"x": text, "empty": ""}
