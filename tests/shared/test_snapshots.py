"""The sandbox's snapshot controllers on the real definitions of external-snapshotter."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lazarus_tui.model.resources import CLAIMS, CRDS
from lazarus_tui.sandbox.snapshots.installation import definitions
from lazarus_tui.sandbox.snapshots.names import CONTENTS, GROUP_CONTENTS, GROUP_SNAPSHOTS, SNAPSHOTS
from tests.sandbox.snapshots.site import Site

Json = dict[str, Any]

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "crds" / "snapshot"
REAL = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yaml"))]
SOURCE = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot"}


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    site = Site(tmp_path, definitions=REAL)
    await site.start()
    yield site
    await site.loop.stop()


def bare(part: Any) -> Any:
    """A schema without prose, and without the rules' texts, which may be written in several ways."""
    if isinstance(part, list):
        return [bare(one) for one in part]
    if not isinstance(part, dict):
        return part
    kept = {name: bare(value) for name, value in part.items() if name != "description" or not isinstance(value, str)}
    if "rule" in kept:
        kept.pop("rule")
    return kept


@pytest.mark.parametrize("real", REAL, ids=lambda one: one["spec"]["names"]["plural"])
def test_what_is_shipped_says_what_the_real_definitions_say(real: Json) -> None:
    name = real["metadata"]["name"]
    (ours,) = [one for one in definitions() if one["metadata"]["name"] == name]
    assert ours["spec"]["names"] == real["spec"]["names"]
    assert ours["spec"]["scope"] == real["spec"]["scope"]
    versions = {one["name"]: one for one in real["spec"]["versions"]}
    assert [one["name"] for one in ours["spec"]["versions"]] == [name for name in sorted(versions) if name != "v1beta1"]
    for version in ours["spec"]["versions"]:
        assert bare(version) == bare(versions[version["name"]])


async def test_a_snapshot_its_restore_its_import_and_its_end(site: Site) -> None:
    assert len(site.api.list(CRDS)) == len(REAL) == 6
    folder = await site.filled(text="before")
    await site.ready()
    (folder / "file").write_text("after")
    site.claim("copy", dataSourceRef=SOURCE | {"name": "snap"})
    await site.settle()
    assert (site.folder("copy") / "file").read_text() == "before"
    site.keep()
    site.alias("again", site.content()["status"]["snapshotHandle"], namespace="other", sourceVolumeMode="Filesystem")
    await site.advance(5)
    site.claim("data", dataSourceRef=SOURCE | {"name": "again"}, namespace="other")
    await site.settle()
    assert (site.folder("data", "other") / "file").read_text() == "before"
    site.api.patch(CONTENTS, site.content()["metadata"]["name"], {"spec": {"deletionPolicy": "Delete"}})
    site.api.delete(SNAPSHOTS, "again", "other")
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.advance(10)
    site.api.delete(CONTENTS, "again-content")
    await site.advance(10)
    assert site.names_of(SNAPSHOTS) == site.names_of(CONTENTS) == []
    assert site.handles() == []


async def test_an_error_comes_and_goes(site: Site) -> None:
    await site.filled()
    site.driver.faults.fails = "the array is on fire"
    site.snapshot()
    await site.settle()
    assert "the array is on fire" in site.status(SNAPSHOTS, "snap")["error"]["message"]
    site.driver.faults.fails = ""
    await site.advance(10)
    assert "error" not in site.status(SNAPSHOTS, "snap")


async def test_a_group_and_its_end(site: Site) -> None:
    for index in range(2):
        await site.filled(f"data-orders-{index}", text=f"orders {index}")
        site.api.patch(CLAIMS, f"data-orders-{index}", {"metadata": {"labels": {"app": "orders"}}}, "shop")
    spec = {"source": {"selector": {"matchLabels": {"app": "orders"}}}}
    site.api.create(GROUP_SNAPSHOTS, {"metadata": {"name": "set"}, "spec": spec}, "shop")
    await site.advance(20)
    assert site.status(GROUP_SNAPSHOTS, "set")["readyToUse"] is True
    assert [site.status(SNAPSHOTS, name)["readyToUse"] for name in site.names_of(SNAPSHOTS)] == [True, True]
    site.api.delete(GROUP_SNAPSHOTS, "set", "shop")
    await site.advance(30)
    for kind in (GROUP_SNAPSHOTS, GROUP_CONTENTS, SNAPSHOTS, CONTENTS):
        assert site.names_of(kind) == []
    assert site.handles() == []
