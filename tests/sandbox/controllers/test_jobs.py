"""Jobs, services, daemon sets and events."""

from __future__ import annotations

import pytest

from lazarus_tui.model.resources import DAEMONSETS, ENDPOINTS, EVENTS, JOBS, PODS, SERVICES


def job(rig, args, **spec):
    container = {"name": "main", "image": "lazarus.dev/task:1", "args": args}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return rig.api.create(JOBS, {"metadata": {"name": "task"}, "spec": {"template": template} | spec}, "shop")


def ends(rig):
    return [one["type"] for one in rig.get(JOBS, "task")["status"].get("conditions", ())]


async def test_a_job_runs_to_its_end(rig):
    job(rig, ["exit", "0"], completions=3, parallelism=2)
    await rig.settle()
    status = rig.get(JOBS, "task")["status"]
    assert status["succeeded"] == 3
    assert "Complete" in ends(rig)
    assert status["completionTime"]
    assert {rig.get(PODS, name)["status"]["phase"] for name in rig.names(PODS)} == {"Succeeded"}


async def test_a_failing_job_is_tried_again_with_back_off_and_then_fails(rig):
    job(rig, ["exit", "3"], backoffLimit=1)
    await rig.settle()
    assert rig.get(JOBS, "task")["status"]["failed"] == 1
    assert ends(rig) == []
    await rig.advance(11)
    assert rig.get(JOBS, "task")["status"]["failed"] == 2
    assert "Failed" in ends(rig)
    await rig.advance(3600)
    assert len(rig.names(PODS)) == 2


async def test_a_finished_job_goes_after_its_time_to_live(rig):
    job(rig, ["exit", "0"], ttlSecondsAfterFinished=60)
    await rig.advance(59)
    assert rig.names(JOBS) == ["task"]
    await rig.advance(2)
    assert rig.names(JOBS) == []
    assert rig.names(PODS) == []


async def test_a_job_that_takes_too_long_fails(rig):
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "lazarus.dev/pause:1"}]}}
    spec = {"template": template, "activeDeadlineSeconds": 30}
    rig.api.create(JOBS, {"metadata": {"name": "task"}, "spec": spec}, "shop")
    await rig.advance(29)
    assert rig.get(JOBS, "task")["status"]["active"] == 1
    await rig.advance(2)
    assert "Failed" in ends(rig)
    assert rig.names(PODS) == []


def service(rig, **spec):
    wanted = {"selector": {"app": "orders"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]} | spec
    return rig.api.create(SERVICES, {"metadata": {"name": "orders"}, "spec": wanted}, "shop")


async def test_endpoints_are_the_ready_pods(rig):
    service(rig)
    rig.statefulset(replicas=2)
    await rig.settle()
    (subset,) = rig.get(ENDPOINTS, "orders")["subsets"]
    assert subset["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    assert [one["targetRef"]["name"] for one in subset["addresses"]] == ["orders-0", "orders-1"]
    assert len({one["ip"] for one in subset["addresses"]}) == 2
    rig.scale("orders", 0)
    await rig.settle()
    assert rig.get(ENDPOINTS, "orders").get("subsets", []) == []
    rig.api.delete(SERVICES, "orders", "shop")
    await rig.settle()
    assert rig.names(ENDPOINTS) == []


async def test_a_pod_that_is_not_ready_is_listed_apart(rig):
    service(rig)
    rig.pod("orders-0", image="example.com/unknown:1")
    rig.api.patch(PODS, "orders-0", {"metadata": {"labels": {"app": "orders"}}}, "shop")
    await rig.settle()
    (subset,) = rig.get(ENDPOINTS, "orders")["subsets"]
    assert "addresses" not in subset
    assert [one["targetRef"]["name"] for one in subset["notReadyAddresses"]] == ["orders-0"]


async def test_a_daemon_set_has_one_pod_on_the_node(rig):
    template = {
        "metadata": {"labels": {"name": "node-agent"}},
        "spec": {"containers": [{"name": "agent", "image": "velero/velero:v1.17.0"}]},
    }
    spec = {"selector": {"matchLabels": {"name": "node-agent"}}, "template": template}
    rig.api.create(DAEMONSETS, {"metadata": {"name": "node-agent"}, "spec": spec}, "shop")
    await rig.settle()
    assert len(rig.names(PODS)) == 1
    status = rig.get(DAEMONSETS, "node-agent")["status"]
    assert (status["numberReady"], status["desiredNumberScheduled"]) == (1, 1)
    rig.api.delete(PODS, rig.names(PODS)[0], "shop")
    await rig.settle()
    assert len(rig.names(PODS)) == 1


async def test_events_are_counted_not_repeated_and_go_after_an_hour(rig):
    rig.pod("broken", image="example.com/unknown:1")
    await rig.settle()
    await rig.advance(60)
    events = [one for one in rig.api.list(EVENTS, "shop") if one["reason"] == "Failed"]
    assert len(events) == 1
    assert events[0]["count"] >= 3
    rig.api.delete(PODS, "broken", "shop")
    await rig.advance(3600 + 1200)
    assert rig.names(EVENTS) == []


@pytest.mark.parametrize(("seconds", "reason"), [(0, "ErrImagePull"), (11, "ImagePullBackOff")])
async def test_an_unknown_image_is_never_run(rig, seconds, reason):
    rig.pod("broken", image="busybox:latest")
    await rig.advance(seconds)
    status = rig.get(PODS, "broken")["status"]
    assert status["phase"] == "Pending"
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == reason


async def test_restore_wait_waits_for_real_files_even_without_processes(rig):
    init = {
        "name": "restore-wait",
        "image": "velero/velero-restore-helper:v1.17.0",
        "args": ["the-uid"],
        "volumeMounts": [{"name": "data", "mountPath": "/restores/data"}],
    }
    rig.claim("data")
    rig.pod("restored", claim="data", initContainers=[init])
    await rig.advance(30)
    assert rig.get(PODS, "restored")["status"]["phase"] == "Pending"
    (rig.directory("data") / ".velero").mkdir()
    (rig.directory("data") / ".velero" / "the-uid").touch()
    await rig.advance(1)
    status = rig.get(PODS, "restored")["status"]
    assert status["phase"] == "Running"
    assert status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 0
    assert list(rig.directory("data").iterdir()) == []
