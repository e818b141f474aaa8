"""What a pod says of itself."""

from __future__ import annotations

from lazarus_tui.model.resources import CONFIGMAPS, EVENTS, PODS, SECRETS


def conditions(rig, name):
    return {one["type"]: one["status"] for one in rig.get(PODS, name)["status"]["conditions"]}


async def test_a_running_pod_tells_everything_that_describe_reads(rig):
    resources = {"requests": {"cpu": "100m"}}
    container = {"name": "main", "image": "lazarus.dev/pause:1", "resources": resources}
    rig.pod("box", containers=[container])
    await rig.settle()
    status = rig.get(PODS, "box")["status"]
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    assert conditions(rig, "box") == dict.fromkeys(kinds, "True")
    assert (status["phase"], status["qosClass"]) == ("Running", "Burstable")
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert status["hostIPs"] == [{"ip": status["hostIP"]}]
    (main,) = status["containerStatuses"]
    assert main["state"]["running"]["startedAt"]
    assert (main["ready"], main["started"], main["restartCount"], main["lastState"]) == (True, True, 0, {})
    assert main["image"] == "lazarus.dev/pause:1"
    assert main["imageID"]
    assert main["containerID"]


async def test_init_containers_run_one_after_the_other(rig):
    inits = [{"name": name, "image": "lazarus.dev/task:1", "args": ["exit", "0"]} for name in ("first", "second")]
    rig.pod("box", initContainers=inits)
    await rig.settle()
    status = rig.get(PODS, "box")["status"]
    assert [one["state"]["terminated"]["reason"] for one in status["initContainerStatuses"]] == ["Completed"] * 2
    assert status["phase"] == "Running"


async def test_an_init_container_that_fails_keeps_the_rest_waiting(rig):
    init = {"name": "first", "image": "lazarus.dev/task:1", "args": ["exit", "3"]}
    rig.pod("box", initContainers=[init])
    await rig.advance(1)
    status = rig.get(PODS, "box")["status"]
    assert status["phase"] == "Pending"
    assert status["initContainerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"
    assert conditions(rig, "box")["Initialized"] == "False"


async def test_a_pod_that_is_active_too_long_fails(rig):
    rig.pod("box", activeDeadlineSeconds=30)
    await rig.advance(29)
    assert rig.get(PODS, "box")["status"]["phase"] == "Running"
    await rig.advance(2)
    status = rig.get(PODS, "box")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")
    assert status["message"] == "Pod was active on the node longer than the specified deadline"
    assert "terminated" in status["containerStatuses"][0]["state"]
    await rig.advance(600)
    assert rig.get(PODS, "box")["status"]["phase"] == "Failed"


async def test_a_deleted_pod_is_over_before_it_is_gone(rig):
    rig.pod("box")
    await rig.settle()
    phases = []
    rig.api.subscribe(
        lambda kind, resource, obj, old: phases.append((kind, obj["status"]["phase"])) if resource == PODS else None
    )
    rig.api.delete(PODS, "box", "shop")
    await rig.settle()
    assert phases[-1] == ("DELETED", "Succeeded")


async def test_variables_come_from_everywhere_and_a_missing_key_is_named(rig):
    rig.api.create(CONFIGMAPS, {"metadata": {"name": "settings"}, "data": {"colour": "blue"}}, "shop")
    rig.api.create(SECRETS, {"metadata": {"name": "login"}, "stringData": {"user": "admin"}}, "shop")
    env = [
        {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "colour"}}},
        {"name": "CPUS", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "1m"}}},
        {"name": "NONE", "valueFrom": {"secretKeyRef": {"name": "login", "key": "no", "optional": True}}},
    ]
    limits = {"limits": {"cpu": "250m"}}
    wide = [{"prefix": "LOGIN_", "secretRef": {"name": "login"}}, {"configMapRef": {"name": "no", "optional": True}}]
    container = {"name": "main", "image": "lazarus.dev/pause:1", "env": env, "envFrom": wide, "resources": limits}
    rig.pod("box", containers=[container])
    await rig.settle()
    worker = rig.kubelet._workers["shop", "box"]
    found = rig.kubelet.environment(worker, worker.pod["spec"]["containers"][0])
    assert (found["COLOUR"], found["CPUS"], found["LOGIN_user"]) == ("blue", "250", "admin")
    assert "NONE" not in found
    wrong = [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "login", "key": "no"}}}]
    rig.pod("wrong", containers=[{"name": "main", "image": "lazarus.dev/pause:1", "env": wrong}])
    await rig.settle()
    waiting = rig.get(PODS, "wrong")["status"]["containerStatuses"][0]["state"]["waiting"]
    text = "couldn't find key no in Secret shop/login"
    assert waiting == {"reason": "CreateContainerConfigError", "message": text}
    assert f"Error: {text}" in [one["message"] for one in rig.api.list(EVENTS, "shop")]
