"""What is known of a container, and the pod status that follows from it, as the real kubelet writes it."""

from __future__ import annotations

import signal
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lazarus_tui.model.clock import parse_rfc3339, rfc3339

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    reason: str
    message: str = ""

    def wire(self) -> Object:
        return {"waiting": {"reason": self.reason} | ({"message": self.message} if self.message else {})}


@dataclass(frozen=True, slots=True)
class Started:
    at: datetime

    def wire(self) -> Object:
        return {"running": {"startedAt": rfc3339(self.at)}}


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    started: datetime
    finished: datetime
    container_id: str

    def wire(self) -> Object:
        ended: Object = {"exitCode": self.code, "reason": "Completed" if self.code == 0 else "Error"}
        if self.code > 128:
            ended["signal"] = self.code - 128
        times = {"startedAt": rfc3339(self.started), "finishedAt": rfc3339(self.finished)}
        return {"terminated": ended | times | {"containerID": self.container_id}}


@dataclass
class Record:
    """One container of a pod. ``ready`` and ``started`` are what probes say; ``last`` is how the run before ended."""

    name: str
    image: str
    state: Waiting | Started | Ended = field(default_factory=lambda: Waiting("PodInitializing"))
    last: Object = field(default_factory=dict)
    restarts: int = 0
    ready: bool = False
    started: bool = False
    container_id: str = ""

    def wire(self) -> Object:
        running = isinstance(self.state, Started)
        return {
            "name": self.name,
            "image": self.image,
            "imageID": f"catalog://{self.image}" if self.container_id else "",
            "state": self.state.wire(),
            "lastState": self.last,
            "restartCount": self.restarts,
            "ready": self.ready,
            "started": running and self.started,
        } | ({"containerID": self.container_id} if self.container_id else {})


def continued(container: Object, statuses: Iterable[Object], now: datetime) -> Record:
    """A fresh record, continuing what an earlier sandbox wrote about a pod that was running then."""
    record = Record(container["name"], container.get("image", ""))
    for known in statuses:
        if known["name"] != record.name or not known.get("containerID"):
            continue
        record.restarts, record.container_id = known.get("restartCount", 0), known["containerID"]
        record.last = known.get("lastState") or {}
        state = known.get("state") or {}
        if ended := state.get("terminated"):
            began, over = parse_rfc3339(ended["startedAt"]), parse_rfc3339(ended["finishedAt"])
            record.state = Ended(ended["exitCode"], began, over, record.container_id)
        elif begun := state.get("running"):
            lost = Ended(128 + signal.SIGKILL, parse_rfc3339(begun["startedAt"]), now, record.container_id)
            record.last = lost.wire()
            record.restarts += 1
    return record


def container_id(pod_uid: str, name: str, restarts: int) -> str:
    return f"sandbox://{pod_uid}/{name}/{restarts}-{zlib.crc32(f'{pod_uid}{name}{restarts}'.encode()):08x}"


def pod_phase(restart_policy: str, inits: list[Record], mains: list[Record]) -> str:
    """Pending until the first container has started; Succeeded and Failed only when nothing will start again."""
    if any(isinstance(one.state, Ended) and one.state.code and restart_policy == "Never" for one in inits):
        return "Failed"
    if not all(isinstance(one.state, Ended) and one.state.code == 0 for one in inits):
        return "Pending"
    ended = [one.state for one in mains if isinstance(one.state, Ended)]
    if mains and len(ended) == len(mains):
        failed = any(state.code for state in ended)
        if restart_policy == "Never" or (restart_policy == "OnFailure" and not failed):
            return "Failed" if failed else "Succeeded"
        return "Running"
    begun = any(not isinstance(one.state, Waiting) or one.restarts or one.last for one in mains)
    return "Running" if begun else "Pending"


def conditions(old: list[Object], wanted: dict[str, tuple[bool, str, str]], now: datetime) -> list[Object]:
    """The list with ``wanted`` (type → holds, reason, message) set; a transition time moves only with the status."""
    before = {one["type"]: one for one in old}
    for name, (holds, reason, message) in wanted.items():
        status = "True" if holds else "False"
        earlier = before.get(name, {})
        since = earlier.get("lastTransitionTime") if earlier.get("status") == status else None
        one: Object = {"type": name, "status": status, "lastTransitionTime": since or rfc3339(now)}
        if reason:
            one["reason"] = reason
        if message:
            one["message"] = message
        before[name] = one
    return list(before.values())


def pod_status(
    pod: Object,
    inits: list[Record],
    mains: list[Record],
    *,
    address: str,
    now: datetime,
    cut: tuple[str, str] = ("", ""),
) -> Object:
    """The whole status of a pod whose containers are as recorded.

    ``cut`` is why the node itself ends the pod (reason, message). A pod that is being deleted ends as Succeeded or
    Failed too once nothing of it runs, whatever its restart policy.
    """
    old: Object = pod.get("status") or {}
    phase = pod_phase(pod["spec"].get("restartPolicy", "Always"), inits, mains)
    doomed = bool(cut[0] or pod["metadata"].get("deletionTimestamp"))
    if doomed and not any(isinstance(one.state, Started) for one in (*inits, *mains)):
        clean = not cut[0] and all(isinstance(one.state, Ended) and not one.state.code for one in mains)
        phase = "Succeeded" if clean else "Failed"
    initialized = all(isinstance(one.state, Ended) and one.state.code == 0 for one in inits)
    unready = [one.name for one in mains if not one.ready]
    over = phase in ("Succeeded", "Failed")
    reason = "PodCompleted" if phase == "Succeeded" else "PodFailed" if phase == "Failed" else ""
    if unready and not over:
        reason = "ContainersNotReady"
    message = f"containers with unready status: [{' '.join(unready)}]" if unready and not over else ""
    ready = not unready and not over and bool(mains)
    waiting = [one.name for one in inits if not isinstance(one.state, Ended)]
    status: Object = {
        "phase": phase,
        "conditions": conditions(
            old.get("conditions") or [],
            {
                "PodReadyToStartContainers": (bool(address) and not over, "", ""),
                "Initialized": (
                    initialized,
                    "" if initialized else "ContainersNotInitialized",
                    "" if initialized else f"containers with incomplete status: [{' '.join(waiting)}]",
                ),
                "Ready": (ready, reason, message),
                "ContainersReady": (ready, reason, message),
                "PodScheduled": (True, "", ""),
            },
            now,
        ),
        "hostIP": "127.0.0.1",
        "hostIPs": [{"ip": "127.0.0.1"}],
        "startTime": old.get("startTime") or rfc3339(now),
        "qosClass": old.get("qosClass") or "BestEffort",
    }
    if address:
        status |= {"podIP": address, "podIPs": [{"ip": address}]}
    if cut[0]:
        status |= {"reason": cut[0], "message": cut[1]}
    if inits:
        status["initContainerStatuses"] = [one.wire() for one in inits]
    status["containerStatuses"] = [one.wire() for one in mains]
    return status


def waiting_status(pod: Object, now: datetime) -> Object:
    """The status of a pod that has a node and cannot begin yet."""
    spec = pod["spec"]
    reason = "PodInitializing" if spec.get("initContainers") else "ContainerCreating"
    inits = [
        Record(one["name"], one.get("image", ""), Waiting("PodInitializing"))
        for one in spec.get("initContainers") or ()
    ]
    mains = [Record(one["name"], one.get("image", ""), Waiting(reason)) for one in spec["containers"]]
    return pod_status(pod, inits, mains, address="", now=now)


def unready_status(status: Object, now: datetime) -> Object:
    """What is left of a pod's ``status`` when no process of it is there any more."""
    unready = {name: (False, "ContainersNotReady", "") for name in ("Ready", "ContainersReady")}
    containers = [one | {"ready": False, "started": False} for one in status.get("containerStatuses") or ()]
    told = conditions(status.get("conditions") or [], unready, now)
    return {"conditions": told, "containerStatuses": containers}
