"""Our records, the sandbox's short definitions and what its Velero writes, against the real schemas."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lazarus_tui.kube.decode import KindPage, decode
from lazarus_tui.model import resources as r
from lazarus_tui.model.objects import Backup, Location, Meta, Restore, Schedule, VolumeCopy
from lazarus_tui.model.resources import Resource
from lazarus_tui.sandbox.api.schema import apply, unknown_fields
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.cluster import SandboxCluster
from lazarus_tui.sandbox.scenarios.manifests import definitions as short_definitions
from tests.shared.real import NEWEST, VERSIONS, definitions, schema
from tests.shared.shapes import Maker, at, fields, said, type_of

RECORDS: tuple[tuple[Resource, type[msgspec.Struct]], ...] = (
    (r.BACKUPS, Backup),
    (r.RESTORES, Restore),
    (r.SCHEDULES, Schedule),
    (r.LOCATIONS, Location),
    (r.POD_VOLUME_BACKUPS, VolumeCopy),
    (r.POD_VOLUME_RESTORES, VolumeCopy),
    (r.DATA_UPLOADS, VolumeCopy),
    (r.DATA_DOWNLOADS, VolumeCopy),
)
# One record serves several kinds: what some of them lack.
SHARED_RECORD = {VolumeCopy}
# One Progress counts items and bytes.
ONLY_SOME = {"totalItems", "itemsBackedUp", "itemsRestored", "totalBytes", "bytesDone"}
SEEDS = range(60)


def short_schema(resource: Resource) -> dict[str, Any]:
    found = next(one for one in short_definitions() if one["metadata"]["name"] == resource.group_resource)
    result: dict[str, Any] = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return result


def read(record: type[msgspec.Struct]) -> list[tuple[tuple[str, ...], type]]:
    return [(path, kind) for path, kind in fields(record) if path[0] in ("spec", "status") and len(path) > 1]


@pytest.mark.parametrize(("resource", "record"), RECORDS, ids=lambda value: getattr(value, "plural", ""))
def test_every_field_we_read_exists_with_its_type(resource: Resource, record: type[msgspec.Struct]) -> None:
    """In the newest release and in the sandbox's own definitions; a misspelt field would be empty for ever."""
    found = 0
    for path, kind in read(record):
        real, short = at(schema(NEWEST, resource), path), at(short_schema(resource), path)
        if real is None and (record in SHARED_RECORD or path[-1] in ONLY_SOME):
            continue
        assert real is not None, f"{resource.plural} has no {'.'.join(path)}"
        assert short is not None, f"the sandbox's {resource.plural} has no {'.'.join(path)}"
        assert type_of(real) is type_of(short) is kind, ".".join(path)
        found += 1
    assert found > 5


def test_every_field_of_the_volume_copies_exists_in_one_of_them() -> None:
    copies = [resource for resource, record in RECORDS if record is VolumeCopy]
    for path, _ in read(VolumeCopy):
        if path[-1] not in ONLY_SOME:
            assert any(at(schema(NEWEST, resource), path) for resource in copies), ".".join(path)


@pytest.mark.parametrize("definition", short_definitions(), ids=lambda one: one["metadata"]["name"])
def test_the_sandbox_invents_no_field(definition: dict[str, Any]) -> None:
    """Names, scope, version and types of the short definitions are those of the real ones."""
    real = next(one for one in definitions(NEWEST) if one["metadata"]["name"] == definition["metadata"]["name"])
    assert definition["spec"]["names"]["kind"] == real["spec"]["names"]["kind"]
    assert definition["spec"]["scope"] == real["spec"]["scope"]
    (short,), served = definition["spec"]["versions"], real["spec"]["versions"]
    theirs = next(one for one in served if one["name"] == short["name"])
    assert "status" not in (short.get("subresources") or {})
    assert differences(short["schema"]["openAPIV3Schema"], theirs["schema"]["openAPIV3Schema"]) == []


def differences(ours: dict[str, Any], theirs: dict[str, Any], path: str = "") -> list[str]:
    """Fields that only the short definition has, or that it types otherwise."""
    if path in (".apiVersion", ".kind", ".metadata"):
        return []
    if theirs.get("x-kubernetes-preserve-unknown-fields"):
        return []
    if path and ours.get("type") != theirs.get("type"):
        return [f"{path}: {ours.get('type')} for {theirs.get('type')}"]
    found = []
    if "enum" in ours and set(ours["enum"]) != set(theirs.get("enum") or ()):
        found.append(f"{path}: {ours['enum']} for {theirs.get('enum')}")
    if ours.get("nullable") and not theirs.get("nullable"):
        found.append(f"{path}: nullable")
    if set(ours.get("required") or ()) != set(theirs.get("required") or ()) and path:
        found.append(f"{path}: required {ours.get('required')} for {theirs.get('required')}")
    for name, inner in (ours.get("properties") or {}).items():
        other = (theirs.get("properties") or {}).get(name)
        found += [f"{path}.{name}: invented"] if other is None else differences(inner, other, f"{path}.{name}")
    for part in ("items", "additionalProperties"):
        if isinstance(ours.get(part), dict) and isinstance(theirs.get(part), dict):
            found += differences(ours[part], theirs[part], f"{path}[]")
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("resource", "record"), RECORDS, ids=lambda value: getattr(value, "plural", ""))
def test_any_object_of_any_release_is_decoded(version: str, resource: Resource, record: type[msgspec.Struct]) -> None:
    """Also with phases and fields nobody has heard of, with nulls, and with next to nothing in it."""
    rules = schema(version, resource)
    made = []
    for seed in SEEDS:
        maker = Maker(seed, enums=seed % 2 == 0, density=(0.0, 0.5, 0.9, 1.0)[seed % 4])
        one = {key: maker.make(rules["properties"][key]) for key in ("spec", "status") if seed % 5}
        metadata = {
            "name": f"o{seed}",
            "namespace": "velero",
            "uid": f"u{seed}",
            "labels": None if seed % 3 else {"a": "b"},
        }
        made.append({"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **one})
        if maker.enums:
            copy = json.loads(json.dumps(made[-1]))
            assert apply(rules, copy) == [], "the generator keeps to the schema"
    page = {"kind": f"{resource.kind}List", "metadata": {"resourceVersion": "7"}, "items": made}
    found = decode(json.dumps(page).encode(), KindPage[record])  # type: ignore[valid-type]
    metas = [one["metadata"] for one in made]
    assert [item.metadata for item in found.items] == [Meta(**meta) for meta in metas]
    for one, item in zip(made, found.items, strict=True):
        assert said(one.get("spec"), item.spec) == []
        assert said(one.get("status"), item.status) == []
        again = msgspec.json.decode(msgspec.json.encode(item), type=record)
        assert again == item, "the link carries the same record"


async def test_all_that_the_sandbox_writes_is_valid_for_the_real_thing(tmp_path: Path) -> None:
    """Its whole history, and a backup and a restore made now, under the rules of 1.18."""
    clock = VirtualClock(datetime(2026, 3, 4, 9, 10, 47, tzinfo=UTC))
    cluster = SandboxCluster(tmp_path, clock, serve_bucket=False)
    await cluster.start()
    try:
        spec = {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": True}
        cluster.api.create(r.BACKUPS, {"metadata": {"name": "now"}, "spec": spec}, "velero")
        await over(cluster, clock, r.BACKUPS, "now")
        again = {"backupName": "now", "namespaceMapping": {"shop": "shop-copy"}}
        cluster.api.create(r.RESTORES, {"metadata": {"name": "back"}, "spec": again}, "velero")
        await over(cluster, clock, r.RESTORES, "back")
        cluster.api.create(r.STATUS_REQUESTS, {"metadata": {"name": "ask"}}, "velero")
        await cluster.settle()
        kinds = [kind for kind in cluster.kinds() if kind.group == "velero.io"]
        assert len(kinds) == 13
        seen = {kind.plural: check(cluster, kind) for kind in kinds}
        assert seen["backups"] > 20
        assert min(seen[plural] for plural in ("restores", "schedules", "podvolumebackups", "podvolumerestores",
                                               "serverstatusrequests", "backupstoragelocations")) > 0  # fmt: skip
    finally:
        await cluster.stop()


async def over(cluster: SandboxCluster, clock: VirtualClock, resource: Resource, name: str) -> None:
    end = time.monotonic() + 90  # real ones: threads move the bytes
    while time.monotonic() < end:
        found = cluster.api.get(resource, name, "velero") or {}
        if (found.get("status") or {}).get("phase") in ("Completed", "PartiallyFailed", "Failed", "FailedValidation"):
            assert found["status"]["phase"] == "Completed", found["status"]
            return
        await clock.advance(0.5)
        await asyncio.sleep(0.001)
    raise AssertionError(f"{name} does not end")


def check(cluster: SandboxCluster, kind: Resource) -> int:
    rules = schema(NEWEST, kind)
    found = cluster.api.list(kind, "velero")
    for one in found:
        where = f"{kind.plural}/{one['metadata']['name']}"
        assert unknown_fields(rules, one) == [], where
        assert apply(rules, json.loads(json.dumps(one))) == [], where
    return len(found)
