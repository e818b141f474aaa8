"""Protobuf bodies: what kubectl 1.32 really sent, and hostile bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.api.protobuf import PROTOBUF, decode_protobuf
from lazarus_tui.sandbox.api.protobuf_answers import encode_protobuf

from .conftest import World, config_map

# Recorded: kubectl create ns demo
NAMESPACE = bytes.fromhex(
    "6b3873000a0f0a02763112094e616d657370616365121c0a140a0464656d6f12001a0022002a0032003800420012001a020a001a002200"
)
# Recorded: kubectl -n foo create job j2 --image=lazarus.dev/pause:1
JOB = bytes.fromhex(
    "6b3873000a0f0a0862617463682f763112034a6f621289010a150a026a3212001a03666f6f22002a00320038004200126632640a10"
    "0a0012001a0022002a0032003800420012"
    "50122d0a026a3212136c617a617275732e6465762f70617573653a312a0042006a007200800100880100900100a201001a054e6576"
    "6572320042004a0052005800600068008201008a01009a0100c201001a082000280030003a001a002200"
)


def varint(value: int) -> bytes:
    value %= 1 << 64
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def block(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def entry(field: int, key: str, value: bytes | str) -> bytes:
    return block(field, block(1, key) + block(2, value))


def envelope(api_version: str, kind: str, body: bytes) -> bytes:
    return b"k8s\x00" + block(1, block(1, api_version) + block(2, kind)) + block(2, body)


def test_a_namespace_as_kubectl_sends_it() -> None:
    assert decode_protobuf(NAMESPACE) == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "demo"},
        "spec": {},
        "status": {},
    }


def test_a_job_as_kubectl_sends_it() -> None:
    job = decode_protobuf(JOB)
    spec = job["spec"]["template"]["spec"]
    assert (job["kind"], job["metadata"]) == ("Job", {"name": "j2", "namespace": "foo"})
    assert spec["restartPolicy"] == "Never"
    assert (spec["containers"][0]["name"], spec["containers"][0]["image"]) == ("j2", "lazarus.dev/pause:1")
    assert job["spec"]["template"]["metadata"] == {}


@pytest.mark.parametrize(
    ("message", "body", "expected"),
    [
        (
            ("v1", "ConfigMap"),
            entry(2, "a", "ü") + entry(3, "b", b"\x00\xff"),
            {"data": {"a": "ü"}, "binaryData": {"b": "AP8="}},
        ),
        (("v1", "ConfigMap"), number(4, 0), {"immutable": False}),
        (("apps/v1", "Deployment"), block(2, number(1, 0)), {"spec": {"replicas": 0}}),
        (("apps/v1", "Deployment"), block(2, number(5, 0) + number(7, 0)), {"spec": {}}),
        (("v1", "Pod"), block(2, number(11, 0) + number(21, 0)), {"spec": {"automountServiceAccountToken": False}}),
        (("apps/v1", "Deployment"), block(2, number(5, -1)), {"spec": {"minReadySeconds": -1}}),
        (
            ("v1", "Namespace"),
            block(1, block(8, number(1, 1767225600)) + block(9, b"") + block(14, "f")),
            {"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["f"]}},
        ),
        (
            ("v1", "Service"),
            block(2, block(1, number(3, 80) + block(4, number(1, 1) + block(3, "web")))),
            {"spec": {"ports": [{"port": 80, "targetPort": "web"}]}},
        ),
        (
            ("v1", "Service"),
            block(2, block(1, block(4, number(1, 0) + number(2, 8080)))),
            {"spec": {"ports": [{"targetPort": 8080}]}},
        ),
        (
            ("v1", "Pod"),
            block(2, block(1, block(1, "data") + block(2, block(2, b"")))),
            {"spec": {"volumes": [{"name": "data", "emptyDir": {}}]}},
        ),
        (("v1", "ResourceQuota"), block(2, entry(1, "pods", block(1, "2"))), {"spec": {"hard": {"pods": "2"}}}),
        (
            ("v1", "DeleteOptions"),
            number(1, 0) + block(4, "Orphan"),
            {"gracePeriodSeconds": 0, "propagationPolicy": "Orphan"},
        ),
        (("v1", "ConfigMap"), block(99, "of a later release") + number(98, 1), {}),
    ],
)
def test_values(message: tuple[str, str], body: bytes, expected: dict[str, Any]) -> None:
    decoded = decode_protobuf(envelope(*message, body))
    assert decoded == {"apiVersion": message[0], "kind": message[1]} | expected


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"k8s\x00", 415),
        (b'{"kind":"Pod"}', 400),
        (NAMESPACE[:-3], 400),
        (envelope("v1", "ConfigMap", block(2, b"\xff\xff")), 400),
        (envelope("v1", "ConfigMap", b"\x0b"), 400),
        (envelope("v1", "ConfigMap", number(1, 5)), 400),
        (envelope("v1", "ConfigMap", b"\xff" * 11), 400),
        (envelope("example.com/v1", "Widget", b""), 415),
    ],
)
def test_bodies_that_cannot_be_read(body: bytes, status: int) -> None:
    with pytest.raises(ApiError) as caught:
        decode_protobuf(body)
    assert caught.value.status == status


def _survives(body: bytes) -> None:
    try:
        decode_protobuf(body)
    except ApiError as error:
        if error.status not in (400, 415):
            raise


@given(junk=st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(junk: bytes) -> None:
    _survives(junk)
    _survives(envelope("v1", "Pod", junk))


@given(at=st.integers(4, len(JOB) - 1), byte=st.integers(0, 255))
def test_a_flipped_byte_is_read_or_refused(at: int, byte: int) -> None:
    _survives(JOB[:at] + bytes([byte]) + JOB[at + 1 :])


async def test_over_the_wire(world: World) -> None:
    made = await world.call("POST", "/api/v1/namespaces", NAMESPACE, type=PROTOBUF)
    assert (made.status, made.body["metadata"]["name"]) == (201, "demo")
    assert made.body["status"] == {"phase": "Active"}
    path = "/api/v1/namespaces/demo/configmaps"
    await world.call("POST", path, config_map("a"))
    options = envelope("v1", "DeleteOptions", block(2, block(1, "another-uid")))
    assert (await world.call("DELETE", f"{path}/a", options, type=PROTOBUF)).status == 409
    wrong = await world.call("POST", path, NAMESPACE, type=PROTOBUF)
    assert (wrong.status, wrong.reason) == (400, "BadRequest")


EVERYTHING: list[dict[str, Any]] = [
    {"kind": "ConfigMap", "metadata": {"name": "a", "labels": {"b": "c", "a": "ü"}}, "binaryData": {"x": "AAH/"}},
    {"kind": "Secret", "metadata": {"name": "a"}, "data": {"x": "MQ=="}, "immutable": True, "type": "Opaque"},
    {
        "kind": "Pod",
        "metadata": {"name": "p", "generation": 3, "deletionGracePeriodSeconds": -1},
        "spec": {
            "containers": [
                {
                    "name": "c",
                    "resources": {"limits": {"cpu": "500m"}},
                    "livenessProbe": {"httpGet": {"path": "/", "port": "http"}, "periodSeconds": 3},
                    "readinessProbe": {"tcpSocket": {"port": 80}},
                }
            ],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "d"}}],
            "tolerations": [{"key": "k", "tolerationSeconds": -5}],
        },
        "status": {"phase": "Running", "startTime": "2026-01-02T03:04:05Z"},
    },
    {"kind": "Event", "metadata": {"name": "e"}, "eventTime": "2026-01-02T03:04:05.000006Z", "count": 2},
]


@pytest.mark.parametrize("obj", EVERYTHING, ids=lambda one: one["kind"])
def test_what_is_written_is_read_again(obj: dict[str, Any]) -> None:
    whole = {"apiVersion": "v1"} | obj
    assert decode_protobuf(encode_protobuf(whole)) == whole


async def test_protobuf_for_those_who_take_nothing_else(widgets: World) -> None:
    await widgets.call("POST", "/api/v1/namespaces/default/configmaps", config_map("a", {"x": "1"}))
    path = "/api/v1/namespaces/default/configmaps"
    one = await widgets.call("GET", f"{path}/a", accept=PROTOBUF)
    assert (one.status, one.headers["content-type"]) == (200, PROTOBUF)
    read = decode_protobuf(one.raw)
    shown = (await widgets.call("GET", f"{path}/a")).body
    assert read["metadata"]["managedFields"][0]["fieldsV1"] == shown["metadata"]["managedFields"][0]["fieldsV1"]
    assert (read["data"], read["metadata"]["uid"]) == ({"x": "1"}, shown["metadata"]["uid"])
    listed = await widgets.call("GET", path, accept=PROTOBUF)
    assert listed.raw.startswith(b"k8s\x00")
    assert b"ConfigMapList" in listed.raw
    both = await widgets.call("GET", path, accept=f"{PROTOBUF},application/json")
    assert both.headers["content-type"] == "application/json"
    custom = await widgets.call("GET", "/apis/example.com/v1/namespaces/default/widgets", accept=PROTOBUF)
    assert (custom.status, custom.reason) == (406, "NotAcceptable")
    assert (await widgets.call("GET", path, accept=PROTOBUF, watch="1")).status == 406
