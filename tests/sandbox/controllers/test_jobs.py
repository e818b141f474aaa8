"""Jobs, services, daemon sets and events."""

from __future__ import annotations

import pytest

from lazarus_tui.model.resources import DAEMONSETS, ENDPOINTS, EVENTS, JOBS, PODS, SERVICES
from lazarus_tui.sandbox.controllers.job_tally import format_indexes, parse_indexes


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
    rig.pod("broken", image="strange:latest")
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


async def test_the_end_of_a_job_is_told_in_two_steps(rig):
    job(rig, ["exit", "0"])
    seen = []
    rig.api.subscribe(
        lambda kind, resource, obj, old: (
            seen.append(
                (
                    [one["type"] for one in obj["status"].get("conditions", ())],
                    obj["status"].get("uncountedTerminatedPods"),
                )
            )
            if resource == JOBS and obj.get("status")
            else None
        )
    )
    await rig.settle()
    uid = rig.get(PODS, rig.names(PODS)[0])["metadata"]["uid"]
    assert (["SuccessCriteriaMet"], {"succeeded": [uid]}) in seen
    assert seen[-1] == (["SuccessCriteriaMet", "Complete"], {})
    assert [one["reason"] for one in rig.get(JOBS, "task")["status"]["conditions"]] == ["CompletionsReached"] * 2


async def test_a_pod_is_held_until_it_is_counted_and_no_longer(rig):
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "lazarus.dev/pause:1"}]}}
    rig.api.create(JOBS, {"metadata": {"name": "task"}, "spec": {"template": template}}, "shop")
    await rig.settle()
    (name,) = rig.names(PODS)
    assert rig.get(PODS, name)["metadata"]["finalizers"] == ["batch.kubernetes.io/job-tracking"]
    rig.api.delete(PODS, name, "shop")
    await rig.advance(11)
    status = rig.get(JOBS, "task")["status"]
    assert (status["failed"], status["active"]) == (1, 1)
    assert name not in rig.names(PODS)
    rig.api.delete(JOBS, "task", "shop", propagation="Background")
    await rig.settle()
    assert rig.names(PODS) == []


async def test_an_indexed_job_runs_every_index_once(rig):
    job(rig, ["exit", "0"], completions=4, parallelism=2, completionMode="Indexed")
    await rig.settle()
    status = rig.get(JOBS, "task")["status"]
    assert (status["succeeded"], status["completedIndexes"]) == (4, "0-3")
    pods = [rig.get(PODS, name) for name in rig.names(PODS)]
    index = "batch.kubernetes.io/job-completion-index"
    assert [pod["metadata"]["annotations"][index] for pod in pods] == ["0", "1", "2", "3"]
    assert [pod["spec"]["hostname"] for pod in pods] == [f"task-{number}" for number in range(4)]
    assert pods[2]["metadata"]["name"].startswith("task-2-")
    (variable,) = pods[2]["spec"]["containers"][0]["env"]
    assert variable["name"] == "JOB_COMPLETION_INDEX"


async def test_a_suspended_job_has_no_pods_and_its_time_starts_when_it_goes_on(rig):
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "lazarus.dev/pause:1"}]}}
    spec = {"template": template, "suspend": True, "activeDeadlineSeconds": 50, "backoffLimit": 0}
    rig.api.create(JOBS, {"metadata": {"name": "task"}, "spec": spec}, "shop")
    await rig.advance(100)
    assert rig.names(PODS) == []
    assert "startTime" not in rig.get(JOBS, "task")["status"]
    rig.api.patch(JOBS, "task", {"spec": {"suspend": False}}, "shop")
    await rig.settle()
    assert len(rig.names(PODS)) == 1
    (condition,) = rig.get(JOBS, "task")["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == ("Suspended", "False", "JobResumed")
    rig.api.patch(JOBS, "task", {"spec": {"suspend": True}}, "shop")
    await rig.settle()
    assert rig.names(PODS) == []
    assert ends(rig) == ["Suspended"]  # its pods do not count as failures
    assert "failed" not in rig.get(JOBS, "task")["status"]


async def test_a_failure_policy_ends_a_job_at_once_or_overlooks_a_failure(rig):
    rule = {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}
    job(rig, ["exit", "42"], backoffLimit=5, podFailurePolicy={"rules": [rule]})
    await rig.settle()
    failure = rig.get(JOBS, "task")["status"]["conditions"][-1]
    assert (failure["type"], failure["reason"]) == ("Failed", "PodFailurePolicy")
    (pod,) = rig.names(PODS)
    text = f"Container main for pod shop/{pod} failed with exit code 42 matching FailJob rule at index 0"
    assert failure["message"] == text


async def test_an_overlooked_failure_uses_up_no_retry(rig):
    rule = {"action": "Ignore", "onExitCodes": {"operator": "In", "values": [42]}}
    job(rig, ["exit", "42"], backoffLimit=0, podFailurePolicy={"rules": [rule]})
    await rig.advance(35)
    assert len(rig.names(PODS)) == 3
    assert ends(rig) == []


@pytest.mark.parametrize(
    ("text", "indexes"), [("", set()), ("0", {0}), ("1,2", {1, 2}), ("0,2-4,6,7", {0, 2, 3, 4, 6, 7})]
)
def test_indexes_are_written_as_the_controller_writes_them(text, indexes):
    assert parse_indexes(text) == indexes
    assert format_indexes(indexes) == text
