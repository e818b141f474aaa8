"""Downloads by signed URL, and the server's status."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from lazarus_tui.model.resources import BACKUPS, DOWNLOAD_REQUESTS, LOCATIONS, STATUS_REQUESTS


async def ask(lab: Any, kind: str, name: str) -> dict[str, Any]:
    lab.cluster.objects.base_url = lab.cluster.objects.base_url or "http://127.0.0.1:1"
    body = {"metadata": {"generateName": f"{name}-"}, "spec": {"target": {"kind": kind, "name": name}}}
    made = lab.api.create(DOWNLOAD_REQUESTS, body, "velero")
    await lab.cluster.settle()
    return lab.get(DOWNLOAD_REQUESTS, made["metadata"]["name"])


def fetch(lab: Any, url: str) -> tuple[int, bytes]:
    parts = urlsplit(url)
    return lab.cluster.objects.answer(parts.path, parts.query)


@pytest.mark.parametrize(
    "kind",
    ["BackupLog", "BackupResults", "BackupResourceList", "BackupVolumeInfos", "BackupVolumeSnapshots",
     "BackupItemOperations"],
)  # fmt: skip
async def test_each_artefact_of_a_backup_can_be_fetched(lab: Any, kind: str) -> None:
    await lab.backup("b", includedResources=["configmaps"])
    request = await ask(lab, kind, "b")
    status, data = fetch(lab, request["status"]["downloadURL"])

    assert request["status"]["phase"] == "Processed"
    assert request["status"]["expiration"] == "2026-03-04T09:20:47Z"
    assert status == 200
    text = gzip.decompress(data)
    assert kind == "BackupLog" or json.loads(text) is not None


@pytest.mark.parametrize("kind", ["RestoreLog", "RestoreResults", "RestoreResourceList", "RestoreVolumeInfo"])
async def test_artefacts_of_a_restore_lie_in_its_backups_bucket(lab: Any, kind: str) -> None:
    await lab.backup("b", includedResources=["configmaps"], storageLocation="dr")
    await lab.restore("r", "b")
    request = await ask(lab, kind, "r")
    status, data = fetch(lab, request["status"]["downloadURL"])

    assert "/shop-velero-dr-backups/restores/r/" in request["status"]["downloadURL"]
    assert status == 200
    assert gzip.decompress(data)


async def test_processed_does_not_mean_that_the_object_exists(lab: Any) -> None:
    await lab.backup("b", includedResources=["configmaps"])
    request = await ask(lab, "CSIBackupVolumeSnapshots", "b")

    assert request["status"]["phase"] == "Processed"
    assert fetch(lab, request["status"]["downloadURL"])[0] == 404


async def test_a_url_works_for_ten_minutes_and_for_one_object(lab: Any) -> None:
    await lab.backup("b", includedResources=["configmaps"])
    await lab.backup("c", includedResources=["configmaps"])
    url = (await ask(lab, "BackupContents", "b"))["status"]["downloadURL"]
    await lab.clock.advance(599)
    assert fetch(lab, url)[0] == 200
    assert fetch(lab, url.replace("/b/b.tar.gz", "/c/c.tar.gz"))[0] == 403
    assert fetch(lab, url.replace("expires=17", "expires=27"))[0] == 403
    assert fetch(lab, url.partition("?")[0])[0] == 403
    await lab.clock.advance(1)
    status, body = fetch(lab, url)
    assert status == 403
    assert b"Request has expired" in body


async def test_an_expired_request_is_removed(lab: Any) -> None:
    await lab.backup("b", includedResources=["configmaps"])
    name = (await ask(lab, "BackupLog", "b"))["metadata"]["name"]
    await lab.pass_(540)
    assert lab.api.get(DOWNLOAD_REQUESTS, name, "velero") is not None
    await lab.pass_(121)
    assert lab.api.get(DOWNLOAD_REQUESTS, name, "velero") is None


async def test_without_backup_or_location_there_is_never_a_url(lab: Any) -> None:
    assert "downloadURL" not in (await ask(lab, "BackupLog", "gone"))["status"]
    await lab.backup("b", includedResources=["configmaps"])
    lab.api.delete(LOCATIONS, "default", "velero")
    request = await ask(lab, "BackupLog", "b")
    assert lab.api.get(BACKUPS, "b", "velero") is not None
    assert "downloadURL" not in request["status"]
    assert request["status"].get("phase") != "Processed"


async def test_the_server_tells_its_version_and_forgets_the_request(lab: Any) -> None:
    lab.create(STATUS_REQUESTS, "who")
    await lab.cluster.settle()
    status = lab.get(STATUS_REQUESTS, "who")["status"]

    assert status["phase"] == "Processed"
    assert status["serverVersion"] == "v1.18.2"
    assert {"name": "velero.io/aws", "kind": "ObjectStore"} in status["plugins"]
    await lab.pass_(301)
    assert lab.api.get(STATUS_REQUESTS, "who", "velero") is None
