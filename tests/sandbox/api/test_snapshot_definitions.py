"""The definitions of snapshots as shipped: what they refuse, and that the same object without the fault is taken."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import CRDS
from lazarus_tui.sandbox.snapshots.installation import definitions

from .conftest import MERGE, World

GROUP, GROUPS = "/apis/snapshot.storage.k8s.io/v1", "/apis/groupsnapshot.storage.k8s.io/v1"
SNAPSHOTS = f"{GROUP}/namespaces/default/volumesnapshots"
CONTENTS, CLASSES = f"{GROUP}/volumesnapshotcontents", f"{GROUP}/volumesnapshotclasses"
GROUP_SNAPSHOTS = f"{GROUPS}/namespaces/default/volumegroupsnapshots"
GROUP_CONTENTS = f"{GROUPS}/volumegroupsnapshotcontents"
Json = dict[str, Any]

DEFINITIONS = definitions()
CLAIM, CONTENT = {"persistentVolumeClaimName": "c"}, {"volumeSnapshotContentName": "v"}
REF = {"name": "s", "namespace": "default"}
BODY = {"deletionPolicy": "Retain", "driver": "d", "volumeSnapshotRef": REF}
HANDLE, VOLUME = {"snapshotHandle": "h"}, {"volumeHandle": "h"}
GROUP_BODY = {"deletionPolicy": "Retain", "driver": "d", "volumeGroupSnapshotRef": REF}
HANDLES = {"groupSnapshotHandles": {"volumeGroupSnapshotHandle": "g", "volumeSnapshotHandles": ["h"]}}
SELECTOR, GROUP_CONTENT = {"selector": {"matchLabels": {"a": "b"}}}, {"volumeGroupSnapshotContentName": "v"}


@pytest.fixture
def snapshots(world: World) -> World:
    for one in DEFINITIONS:
        world.api.create(CRDS, one)
    return world


def named(**spec: Any) -> Json:
    return {"metadata": {"name": "x"}, "spec": spec}


@pytest.mark.parametrize(
    ("path", "right", "wrong", "text"),
    [
        (SNAPSHOTS, named(source=CLAIM), named(source=CLAIM | CONTENT), "exactly one of"),
        (SNAPSHOTS, named(source=CONTENT), named(source={}), "exactly one of"),
        (SNAPSHOTS, named(source=CLAIM), named(), "spec.source: Required value"),
        (
            SNAPSHOTS,
            named(source=CLAIM, volumeSnapshotClassName="k"),
            named(source=CLAIM, volumeSnapshotClassName=""),
            "volumeSnapshotClassName must not be the empty string",
        ),
        (CONTENTS, named(**BODY, source=HANDLE), named(**BODY, source=HANDLE | VOLUME), "exactly one of"),
        (CONTENTS, named(**BODY, source=VOLUME), named(**BODY, source={}), "exactly one of"),
        (CONTENTS, named(**BODY, source=HANDLE), named(**BODY), "spec.source: Required value"),
        (
            CONTENTS,
            named(**BODY, source=HANDLE),
            named(**{**BODY, "volumeSnapshotRef": {"name": "s"}}, source=HANDLE),
            "must be set",
        ),
        (
            CONTENTS,
            named(**BODY, source=HANDLE),
            named(**{**BODY, "deletionPolicy": "Keep"}, source=HANDLE),
            'Unsupported value: "Keep"',
        ),
        (GROUP_SNAPSHOTS, named(source=SELECTOR), named(source=SELECTOR | GROUP_CONTENT), "exactly one of"),
        (GROUP_SNAPSHOTS, named(source=GROUP_CONTENT), named(source={}), "exactly one of"),
        (GROUP_CONTENTS, named(**GROUP_BODY, source=HANDLES), named(**GROUP_BODY, source={}), "exactly one of"),
        (
            GROUP_CONTENTS,
            named(**GROUP_BODY, source=HANDLES),
            named(**GROUP_BODY, source=HANDLES | {"volumeHandles": ["h"]}),
            "exactly one of",
        ),
    ],
)
async def test_what_a_new_object_must_be(snapshots: World, path: str, right: Json, wrong: Json, text: str) -> None:
    refused = await snapshots.call("POST", path, wrong)
    assert (refused.status, refused.reason) == (422, "Invalid"), refused.raw
    assert text in refused.body["message"]
    assert (await snapshots.call("POST", path, right)).status == 201


@pytest.mark.parametrize(
    ("path", "made", "patch", "text"),
    [
        (SNAPSHOTS, named(source=CLAIM), {"source": {"persistentVolumeClaimName": "z"}}, "is immutable"),
        (SNAPSHOTS, named(source=CLAIM), {"source": {"persistentVolumeClaimName": None, **CONTENT}}, "once set"),
        (SNAPSHOTS, named(source=CLAIM), {"volumeSnapshotClassName": "k"}, ""),
        (CONTENTS, named(**BODY, source=HANDLE), {"source": {"snapshotHandle": "z"}}, "is immutable"),
        (CONTENTS, named(**BODY, source=HANDLE), {"source": {"snapshotHandle": None, **VOLUME}}, "once set"),
        (CONTENTS, named(**BODY, source=HANDLE, sourceVolumeMode="Block"), {"sourceVolumeMode": "X"}, "is immutable"),
        (CONTENTS, named(**BODY, source=HANDLE, sourceVolumeMode="Block"), {"sourceVolumeMode": None}, "once set"),
        (CONTENTS, named(**BODY, source=HANDLE), {"deletionPolicy": "Delete"}, ""),
        (CONTENTS, named(**BODY, source=HANDLE), {"volumeSnapshotRef": {"uid": "u"}}, ""),
        (GROUP_SNAPSHOTS, named(source=SELECTOR), {"source": {"selector": {"matchLabels": {"a": "c"}}}}, "immutable"),
        (GROUP_CONTENTS, named(**GROUP_BODY, source=HANDLES), {"volumeGroupSnapshotRef": {"name": "z"}}, "immutable"),
        (GROUP_CONTENTS, named(**GROUP_BODY, source=HANDLES), {"volumeGroupSnapshotRef": {"uid": "u"}}, ""),
    ],
)
async def test_what_may_change(snapshots: World, path: str, made: Json, patch: Json, text: str) -> None:
    assert (await snapshots.call("POST", path, made)).status == 201
    answer = await snapshots.call("PATCH", f"{path}/x", {"spec": patch}, type=MERGE)
    if not text:
        assert answer.status == 200, answer.raw
        return
    assert (answer.status, answer.reason) == (422, "Invalid"), answer.raw
    assert text in answer.body["message"]


@pytest.mark.parametrize("field", ["driver", "deletionPolicy", "parameters"])
async def test_nothing_of_a_class_changes(snapshots: World, field: str) -> None:
    body = {"metadata": {"name": "k"}, "driver": "d", "deletionPolicy": "Retain", "parameters": {"a": "b"}}
    path = f"{GROUPS}/volumegroupsnapshotclasses"
    assert (await snapshots.call("POST", path, body)).status == 201
    wrong: Any = {"a": "c"} if field == "parameters" else "Delete"
    answer = await snapshots.call("PATCH", f"{path}/k", {field: wrong}, type=MERGE)
    assert (answer.status, "immutable" in answer.body["message"]) == (422, True)
