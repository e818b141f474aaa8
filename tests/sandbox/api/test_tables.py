"""Tables: what kubectl prints."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import CRDS
from lazarus_tui.sandbox.api.jsonpath import find
from lazarus_tui.sandbox.api.moments import age, human

from .conftest import MERGE, TABLE, WIDGETS, World, config_map, pod, widget_definition, workload

NS = "/api/v1/namespaces/default"
APPS = "/apis/apps/v1/namespaces/default"


async def rows(world: World, path: str, *, wide: bool = False) -> list[dict[str, Any]]:
    """Rows as {column: cell}."""
    body = (await world.call("GET", path, accept=TABLE)).body
    columns = body["columnDefinitions"]
    assert body["kind"] == "Table"
    assert all(len(row["cells"]) == len(columns) for row in body["rows"])
    return [
        {
            column["name"]: cell
            for column, cell in zip(columns, row["cells"], strict=True)
            if wide or not column["priority"]
        }
        for row in body["rows"]
    ]


async def test_rows_carry_metadata_and_the_list_its_revision(world: World) -> None:
    await world.call("POST", f"{NS}/configmaps", config_map("a", {"x": "1", "y": "2"}))
    body = (await world.call("GET", f"{NS}/configmaps", accept=TABLE)).body
    assert body["metadata"]["resourceVersion"] == str(world.store.revision)
    assert body["rows"][0]["cells"] == ["a", 2, "0s"]
    assert body["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    whole = (await world.call("GET", f"{NS}/configmaps", accept=TABLE, includeObject="Object")).body
    assert whole["rows"][0]["object"]["data"] == {"x": "1", "y": "2"}
    none = (await world.call("GET", f"{NS}/configmaps", accept=TABLE, includeObject="None")).body
    assert "object" not in none["rows"][0]


@pytest.mark.parametrize(
    ("status", "extra", "expected"),
    [
        ({"phase": "Running", "containerStatuses": [{"ready": True, "restartCount": 0}]}, {}, ("1/1", "Running", "0")),
        (
            {"phase": "Pending", "containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull"}}}]},
            {},
            ("0/1", "ErrImagePull", "0"),
        ),
        (
            {"phase": "Failed", "containerStatuses": [{"restartCount": 3, "state": {"terminated": {"exitCode": 2}}}]},
            {},
            ("0/1", "ExitCode:2", "3"),
        ),
        (
            {"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"reason": "Completed"}}}]},
            {},
            ("0/1", "Completed", "0"),
        ),
        ({"phase": "Running"}, {"delete": True}, ("0/1", "Terminating", "0")),
    ],
)
async def test_pod_status_words(world: World, status: Any, extra: Any, expected: tuple[str, str, str]) -> None:
    await world.call("POST", f"{NS}/pods", pod("a", node="n1"))
    await world.call("PATCH", f"{NS}/pods/a/status", {"status": status}, type=MERGE)
    if extra:
        await world.call("DELETE", f"{NS}/pods/a")
    await world.clock.advance(125)
    (row,) = await rows(world, f"{NS}/pods")
    assert (row["Ready"], row["Status"], row["Restarts"]) == expected
    assert row["Age"] == "2m5s"


async def test_workloads_claims_and_services(world: World) -> None:
    await world.call("POST", f"{APPS}/statefulsets", workload("StatefulSet", "orders", replicas=2))
    await world.call("PATCH", f"{APPS}/statefulsets/orders/status", {"status": {"readyReplicas": 1}}, type=MERGE)
    (row,) = await rows(world, f"{APPS}/statefulsets", wide=True)
    assert (row["Ready"], row["Images"]) == ("1/2", "lazarus.dev/pause:1")
    service = {"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}}}
    await world.call("POST", f"{NS}/services", service)
    (row,) = await rows(world, f"{NS}/services", wide=True)
    assert (row["Type"], row["Port(s)"], row["Selector"]) == ("ClusterIP", "80/TCP", "app=web")
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "pv-1"}
    await world.call("POST", f"{NS}/persistentvolumeclaims", {"metadata": {"name": "data"}, "spec": spec})
    (row,) = await rows(world, f"{NS}/persistentvolumeclaims")
    assert (row["Status"], row["Volume"], row["VolumeAttributesClass"]) == ("Pending", "pv-1", "<unset>")


async def test_every_built_in_kind_has_a_table(world: World) -> None:
    """An object with next to nothing in it must not break the printer."""
    for kind in world.registry.kinds():
        if "list" not in kind.verbs:
            continue
        bare = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "bare"}}
        namespace = "default" if kind.namespaced else ""
        if namespace:
            bare["metadata"]["namespace"] = namespace
        if (
            world.store.get(kind.group_resource, (namespace, "bare")) is None
            and kind.plural != "customresourcedefinitions"
        ):
            world.store.commit(kind.group_resource, (namespace, "bare"), None, bare)
        reply = await world.call("GET", kind.resource.path(namespace or None), accept=TABLE)
        assert reply.status == 200, kind.plural
        assert reply.body["kind"] == "Table"


async def test_printer_columns_of_custom_kinds(world: World) -> None:
    columns = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        {"name": "When", "type": "date", "jsonPath": ".spec.when"},
        {"name": "Wide", "type": "string", "jsonPath": ".spec.tags[0]", "priority": 1},
    ]
    world.api.create(CRDS, widget_definition(additionalPrinterColumns=columns))
    spec = {"size": 3, "when": "2025-12-31T23:59:00Z", "tags": ["t"]}
    await world.call("POST", WIDGETS, {"metadata": {"name": "w"}, "spec": spec})
    assert await rows(world, WIDGETS, wide=True) == [
        {"Name": "w", "Size": 3, "Phase": None, "When": "60s", "Wide": "t"}
    ]


async def test_custom_kinds_without_columns(widgets: World) -> None:
    await widgets.call("POST", WIDGETS, {"metadata": {"name": "w"}, "spec": {"size": 3}})
    assert await rows(widgets, WIDGETS) == [{"Name": "w", "Age": "0s"}]


@pytest.mark.parametrize(
    ("accept", "status", "kind"),
    [
        ("application/vnd.kubernetes.protobuf,application/json", 200, "ConfigMapList"),
        ("*/*", 200, "ConfigMapList"),
        ("", 200, "ConfigMapList"),
        ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", 200, "PartialObjectMetadataList"),
        ("application/json;as=Table;g=meta.k8s.io;v=v1beta1,application/json", 200, "ConfigMapList"),
        ("application/foo", 406, "Status"),
    ],
)
async def test_negotiation(world: World, accept: str, status: int, kind: str) -> None:
    reply = await world.call("GET", f"{NS}/configmaps", accept=accept)
    assert (reply.status, reply.body["kind"]) == (status, kind)


async def test_yaml_answers(world: World) -> None:
    await world.call("POST", f"{NS}/configmaps", config_map("a", {"x": "yes"}))
    reply = await world.call("GET", f"{NS}/configmaps/a", accept="application/yaml")
    assert reply.headers["content-type"] == "application/yaml"
    assert b"x: 'yes'" in reply.raw


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (0, "0s"),
        (119, "119s"),
        (125, "2m5s"),
        (600, "10m"),
        (3 * 3600, "3h"),
        (3 * 3600 + 60, "3h1m"),
        (9 * 3600, "9h"),
        (49 * 3600, "2d1h"),
        (86400 * 8, "8d"),
        (86400 * 365 * 3, "3y"),
    ],
)
def test_ages(seconds: int, text: str) -> None:
    assert human(seconds) == text


def test_stamps_that_are_none(world: World) -> None:
    assert age(None, world.clock.now()) == "<unknown>"
    assert age("soon", world.clock.now()) == "<invalid>"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".a.b", 1),
        ("{.a.b}", 1),
        (".list[1]", "y"),
        (".list[*]", "x"),
        (".list[7]", None),
        (".conditions[?(@.type=='Ready')].status", "True"),
        (r".meta.key\.with\.dots", "v"),
        (".meta['key.with.dots']", "v"),
        (".nothing.here", None),
        ("..bad[", None),
    ],
)
def test_json_paths(path: str, expected: Any) -> None:
    obj = {
        "a": {"b": 1},
        "list": ["x", "y"],
        "conditions": [{"type": "Other", "status": "No"}, {"type": "Ready", "status": "True"}],
        "meta": {"key.with.dots": "v"},
    }
    assert find(obj, path) == expected
