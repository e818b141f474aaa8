"""Faults of the sandbox's parts, on a whole cluster in virtual time: what they break, and that it mends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from fault_lab import Lab, open_lab

from lazarus_tui.model.resources import (
    BACKUPS,
    CONFIGMAPS,
    LOCATIONS,
    NODES,
    POD_VOLUME_BACKUPS,
    PODS,
)
from lazarus_tui.sandbox.api.errors import ApiError
from lazarus_tui.sandbox.cluster import SandboxCluster
from lazarus_tui.sandbox.faults.model import FaultRefused, Wanted
from lazarus_tui.sandbox.faults.parts import QUOTAS
from lazarus_tui.sandbox.velero.installation import Settings, phase


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with open_lab(tmp_path) as made:
        yield made


def pod_of(lab: Lab, prefix: str) -> dict[str, Any]:
    return next(one for one in lab.api.list(PODS, "shop") if one["metadata"]["name"].startswith(prefix))


def ready(obj: dict[str, Any]) -> str:
    return next(str(one["status"]) for one in obj["status"]["conditions"] if one["type"] == "Ready")


async def test_a_location_that_does_not_answer_is_unavailable_and_comes_back(lab: Lab) -> None:
    await lab.add("location-unavailable", location="default")
    await lab.turn(61)
    location = lab.get(LOCATIONS, "default")
    assert phase(location) == "Unavailable"
    assert "connection refused" in location["status"]["message"]
    assert phase(lab.get(LOCATIONS, "dr")) == "Available"
    failed = await lab.backup("none")
    assert failed["status"]["phase"] == "FailedValidation"
    assert "BackupStorageLocation default is in Unavailable status" in failed["status"]["validationErrors"][0]

    await lab.cluster.faults.clear()
    await lab.turn(61)
    assert phase(lab.get(LOCATIONS, "default")) == "Available"
    assert (await lab.backup("some"))["status"]["phase"] == "Completed"


async def test_what_cannot_be_done_to_a_part_is_refused(lab: Lab) -> None:
    async def why(kind: str, **parameters: Any) -> str:
        with pytest.raises(FaultRefused) as refused:
            await lab.add(kind, **parameters)
        return str(refused.value)

    wrong = await why("location-unavailable", location="defalt")
    assert wrong == "there is no storage location 'defalt' - did you mean \"default\"?"
    assert await why("quota", namespace="shap") == "there is no namespace 'shap' - did you mean \"shop\"?"
    assert await why("crash-loop", workload="web") == "a workload is named namespace/name, not 'web'"
    assert lab.cluster.faults.active() == []

    first = await lab.add("torn-copy")
    assert await why("torn-copy") == f"{first.id} is active already; clear it first"
    with pytest.raises(FaultRefused, match="torn-copy is not done to requests: rate, times mean nothing to it"):
        await lab.cluster.faults.add(Wanted("torn-copy", probability=0.5, times=1))
    await _the_snapshot_driver_is_told(lab)


async def test_velero_restarts_at_once(tmp_path: Path) -> None:
    async with open_lab(tmp_path, settings=Settings(prepare_seconds=60)) as lab:
        lab.create(BACKUPS, "cut", {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": True})
        for _ in range(3):
            await lab.turn(1)
        assert phase(lab.get(BACKUPS, "cut")) == "InProgress"
        await lab.add("velero-restart")
        await lab.quiet()

        assert phase(lab.get(BACKUPS, "cut")) == "Failed"
        assert (
            'with status "InProgress" during the server starting' in lab.get(BACKUPS, "cut")["status"]["failureReason"]
        )
        assert [phase(one) for one in lab.api.list(POD_VOLUME_BACKUPS, "velero")] == ["Canceled"]
        assert (await lab.backup("next"))["status"]["phase"] == "Completed"


async def test_velero_is_down_for_a_while(lab: Lab) -> None:
    await lab.add("velero-restart", lasts=120)
    lab.create(BACKUPS, "waits", {"includedNamespaces": ["shop"], "includedResources": ["configmaps"]})
    await lab.turn(119)
    assert phase(lab.get(BACKUPS, "waits")) == ""
    await lab.cluster.settle()
    assert (await lab.over(BACKUPS, "waits"))["status"]["phase"] == "Completed"
    assert [hit.done for hit in lab.cluster.faults.log] == ["down", "up again"]
    assert lab.clock.monotonic() >= 120


async def test_a_slow_disk_takes_its_time_and_tells_progress(lab: Lab) -> None:
    quick = await lab.backup("quick")
    size = lab.api.list(POD_VOLUME_BACKUPS, "velero")[0]["status"]["progress"]["totalBytes"]
    await lab.add("slow-disk", speed=size // 60)
    began = lab.clock.monotonic()
    lab.create(BACKUPS, "slow", {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": True})
    await lab.turn(35)
    (copy,) = [one for one in lab.api.list(POD_VOLUME_BACKUPS, "velero") if phase(one) == "InProgress"]
    assert 0 < copy["status"]["progress"]["bytesDone"] < size
    slow = await lab.over(BACKUPS, "slow")
    assert (quick["status"]["phase"], slow["status"]["phase"]) == ("Completed", "Completed")
    assert 60 <= lab.clock.monotonic() - began < 75


async def test_a_copy_under_way_on_a_slow_disk_ends_once_the_disk_is_as_before(lab: Lab) -> None:
    await lab.add("slow-disk", speed=1)
    lab.create(BACKUPS, "slow", {"includedNamespaces": ["shop"], "defaultVolumesToFsBackup": True})
    await lab.turn(35)
    assert [phase(one) for one in lab.api.list(POD_VOLUME_BACKUPS, "velero")] == ["InProgress"]
    began = lab.clock.monotonic()
    await lab.cluster.faults.clear()
    assert (await lab.over(BACKUPS, "slow"))["status"]["phase"] == "Completed"
    assert lab.clock.monotonic() - began < 15


async def test_no_space_in_the_bucket_or_the_volumes_fails_what_needs_it(lab: Lab) -> None:
    await lab.add("disk-full", part="bucket")
    failed = await lab.backup("full")
    assert failed["status"]["phase"] in ("Failed", "PartiallyFailed")
    (copy,) = lab.api.list(POD_VOLUME_BACKUPS, "velero")
    assert (phase(copy), "No space left on device" in copy["status"]["message"]) == ("Failed", True)
    await lab.cluster.faults.clear()
    assert (await lab.backup("fits"))["status"]["phase"] == "Completed"
    await lab.add("disk-full", part="volumes")
    restored = await lab.restore("r", "fits", namespaceMapping={"shop": "copy"})
    assert restored["status"]["phase"] in ("Failed", "PartiallyFailed")


async def test_etcd_without_space_refuses_writes_and_nothing_hangs(lab: Lab) -> None:
    await lab.add("disk-full", part="etcd")
    with pytest.raises(ApiError, match="etcdserver: mvcc: database space exceeded"):
        lab.api.create(CONFIGMAPS, {"metadata": {"name": "late"}}, "shop")
    await lab.clock.advance(300, between=lab.cluster.settle)
    await lab.cluster.faults.clear()
    lab.api.create(CONFIGMAPS, {"metadata": {"name": "late"}}, "shop")
    await lab.clock.advance(60, between=lab.cluster.settle)
    assert (await lab.backup("after"))["status"]["phase"] == "Completed"


async def test_torn_copies_are_made_of_running_pods(lab: Lab) -> None:
    frozen = 0
    whole = lab.cluster.kubelet.frozen

    def counted(claims: Any) -> Any:
        nonlocal frozen
        frozen += 1
        return whole(claims)

    lab.cluster.kubelet.frozen = counted  # type: ignore[method-assign]
    await lab.backup("still")
    assert frozen == 1
    fault = await lab.add("torn-copy")
    assert lab.cluster.driver.faults.torn
    await lab.backup("torn")
    assert frozen == 1
    await lab.cluster.faults.clear(fault.id)
    assert not lab.cluster.driver.faults.torn
    await lab.backup("again")
    assert frozen == 2


async def _the_snapshot_driver_is_told(lab: Lab) -> None:
    told = lab.cluster.driver.faults
    await lab.add("snapshot-stuck")
    assert (told.stuck, told.silent) == (True, False)
    await lab.cluster.faults.clear()
    await lab.add("snapshot-stuck", silent=True)
    assert (told.stuck, told.silent) == (False, True)
    await lab.add("snapshot-failing", call="delete", message="no")
    assert (told.fails, told.delete_fails) == ("", "no")
    await lab.cluster.faults.clear()
    assert (told.stuck, told.silent, told.fails, told.delete_fails) == (False, False, "", "")


async def test_an_unreachable_node_loses_its_pods_when_they_tolerate_it_no_longer(lab: Lab) -> None:
    before = {one["metadata"]["uid"] for one in lab.api.list(PODS)}
    await lab.add("node-not-ready", lasts=60)  # a short silence costs no pod
    await lab.clock.advance(75, between=lab.cluster.settle)
    assert {one["metadata"]["uid"] for one in lab.api.list(PODS)} == before
    assert {ready(one) for one in lab.api.list(PODS)} == {"True"}

    await lab.add("node-not-ready", lasts=900)
    await lab.cluster.settle()
    node = lab.api.get(NODES, "sandbox-node")
    assert node is not None
    assert {one["type"]: one["status"] for one in node["status"]["conditions"]}["Ready"] == "Unknown"
    assert {one["effect"] for one in node["spec"]["taints"]} == {"NoSchedule", "NoExecute"}
    assert ready(pod_of(lab, "orders-")) == "False"
    await lab.clock.advance(299, between=lab.cluster.settle)
    assert "deletionTimestamp" not in pod_of(lab, "orders-")["metadata"]
    await lab.clock.advance(2, between=lab.cluster.settle)
    first = pod_of(lab, "orders-")
    assert first["metadata"]["deletionTimestamp"]
    await lab.clock.advance(300, between=lab.cluster.settle)
    assert pod_of(lab, "orders-")["metadata"]["uid"] == first["metadata"]["uid"]  # nobody confirms its end

    await lab.clock.advance(360, between=lab.cluster.settle)
    second = pod_of(lab, "orders-")
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert ready(second) == "True"
    node = lab.api.get(NODES, "sandbox-node")
    assert node is not None
    assert "taints" not in node["spec"]
    assert {one["type"]: one["status"] for one in node["status"]["conditions"]}["Ready"] == "True"


async def test_a_workload_crashes_until_it_may_live_and_an_image_is_missing_until_it_is_there(lab: Lab) -> None:
    await lab.add("crash-loop", workload="shop/web")
    await lab.clock.advance(30, between=lab.cluster.settle)
    (status,) = pod_of(lab, "web-")["status"]["containerStatuses"]
    assert status["restartCount"] >= 2
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert ready(pod_of(lab, "orders-")) == "True"
    await lab.cluster.faults.clear()
    await lab.clock.advance(330, between=lab.cluster.settle)
    assert ready(pod_of(lab, "web-")) == "True"

    # An image that cannot be pulled stops new pods only.
    await lab.add("image-pull", image="lazarus.dev/web:1")
    await lab.cluster.settle()
    old = pod_of(lab, "web-")
    assert ready(old) == "True"
    lab.api.delete(PODS, old["metadata"]["name"], "shop", grace=0)
    await lab.clock.advance(5, between=lab.cluster.settle)
    (status,) = pod_of(lab, "web-")["status"]["containerStatuses"]
    assert status["state"]["waiting"]["reason"] in ("ErrImagePull", "ImagePullBackOff")
    await lab.cluster.faults.clear()
    await lab.clock.advance(30, between=lab.cluster.settle)
    assert ready(pod_of(lab, "web-")) == "True"
    told = [(hit.target, hit.done) for hit in lab.cluster.faults.log][-3:]
    assert told == [
        ("workload shop/web", "may run again"),
        ("image lazarus.dev/web:1", "cannot be pulled"),
        ("image lazarus.dev/web:1", "can be pulled again"),
    ]


async def test_a_quota_that_is_used_up_refuses_what_comes_next(lab: Lab) -> None:
    fault = await lab.add("quota", namespace="shop")
    await lab.cluster.settle()
    pod = {"metadata": {"name": "more"}, "spec": {"containers": [{"name": "app", "image": "lazarus.dev/pause:1"}]}}
    with pytest.raises(ApiError, match=f"exceeded quota: {fault.id}, requested: pods=1, used: pods=3, limited: pods=3"):
        lab.api.create(PODS, pod, "shop")
    lab.api.create(PODS, pod, "default")
    await lab.cluster.faults.clear()
    lab.api.create(PODS, pod, "shop")


async def test_what_faults_left_among_the_objects_ends_with_the_process(tmp_path: Path) -> None:
    async with open_lab(tmp_path) as lab:
        await lab.add("quota", namespace="shop")
        await lab.add("node-not-ready")
        lab.api.patch(NODES, "sandbox-node", {"metadata": {"labels": {"kept": "yes"}}})
        await lab.cluster.stop()
        again = SandboxCluster(tmp_path, lab.clock, store=lab.cluster.store, serve_bucket=False)
        await again.start()
        await lab.clock.advance(5, between=again.settle)
        node = again.api.get(NODES, "sandbox-node")
        assert node is not None
        assert ("taints" in node["spec"], ready(node), node["metadata"]["labels"]["kept"]) == (False, "True", "yes")
        assert again.api.list(QUOTAS, "shop") == []
        assert again.faults.active() == []
        assert ready(next(one for one in again.api.list(PODS, "shop"))) == "True"
        await again.stop()


async def test_settle_returns_whatever_is_wrong(lab: Lab) -> None:
    await lab.add("stall")
    await lab.add("latency", seconds=3600)
    await lab.add("reset")
    for kind in ("location-unavailable", "torn-copy", "snapshot-stuck", "node-not-ready"):
        await lab.add(kind)
    await lab.add("crash-loop", workload="shop/writer")
    await lab.add("disk-full", part="etcd")
    asked = asyncio.ensure_future(lab.status("GET", "/api/v1/namespaces/shop/configmaps"))
    async with asyncio.timeout(60):
        await lab.clock.advance(120, between=lab.cluster.settle)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
