"""Classes that ask for a secret."""

from __future__ import annotations

import pytest

from lazarus_tui.model.resources import SECRETS
from lazarus_tui.sandbox.snapshots.credentials import NAME, NAMESPACE
from lazarus_tui.sandbox.snapshots.names import CONTENTS, SNAPSHOTS

PREFIX = "csi.storage.k8s.io/snapshotter-secret-"


def secret(site, name="of-snap"):
    site.api.create(SECRETS, {"metadata": {"name": name}, "data": {}}, "shop")


async def wanting(site, name="of-${volumesnapshot.name}", namespace="${volumesnapshot.namespace}"):
    found = {"name": name, "namespace": namespace}
    parameters = {f"{PREFIX}{part}": value for part, value in found.items() if value is not None}
    site.snapshot_class("locked", parameters=parameters)
    await site.filled()
    site.snapshot(volumeSnapshotClassName="locked")
    await site.settle()


def error(site):
    return site.status(SNAPSHOTS, "snap")["error"]["message"]


async def test_the_secret_is_named_on_the_content_and_waited_for(site):
    await wanting(site)
    marks = site.content()["metadata"]["annotations"]
    assert (marks[NAME], marks[NAMESPACE]) == ("of-snap", "shop")
    assert "cannot get credentials for snapshot content" in error(site)
    assert site.handles() == []
    secret(site)
    await site.advance(5)
    assert site.status(SNAPSHOTS, "snap")["readyToUse"] is True


async def test_without_its_secret_a_storage_snapshot_cannot_be_deleted(site):
    secret(site)
    await wanting(site)
    await site.advance(5)
    name = site.content()["metadata"]["name"]
    site.api.delete(SECRETS, "of-snap", "shop")
    site.api.delete(SNAPSHOTS, "snap", "shop")
    await site.advance(60)
    assert "Failed to get snapshot credentials" in site.messages(name)
    assert site.there(CONTENTS, name, None)
    assert len(site.handles()) == 1
    secret(site)
    await site.advance(100)
    assert not site.there(CONTENTS, name, None)
    assert site.handles() == []


@pytest.mark.parametrize(
    ("name", "namespace", "said"),
    [
        ("only", None, "Both must be specified"),
        ("of-${volumesnapshot.uid}", "shop", 'invalid tokens: [\\"volumesnapshot.uid\\"]'),
        ("of", "${volumesnapshot.name}", 'invalid tokens: [\\"volumesnapshot.name\\"]'),
    ],
)
async def test_what_is_wrong_with_the_parameters_is_said(site, name, namespace, said):
    await wanting(site, name, namespace)
    assert said.replace("\\", "") in error(site).replace("\\", "")
    assert site.names_of(CONTENTS) == []
