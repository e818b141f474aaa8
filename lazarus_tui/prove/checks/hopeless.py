"""Whether a copy can never get ready: everything that is not ready ends again and again, soon and by itself.

Judged late and only when nothing speaks for a slow start. Something that runs and is not ready yet may be what the
others wait for, so it keeps all of them from being judged; so do a container that was killed from outside (a liveness
probe may kill a recovery that makes progress), an image that is not there yet, and a claim that is not bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.resources import PODS
from lazarus_tui.model.steps import Reader
from lazarus_tui.prove.checks.readiness import Readiness

Object = Mapping[str, Any]
# Ends in a row; with the kubelet's pauses (none, 10, 20, 40 s) the fifth comes after more than a minute.
ENDS = 5
# A run that took longer may have got further than the one before.
_SHORT = timedelta(seconds=30)
# SIGKILL and SIGTERM come from the kubelet, not from the program.
_KILLED = (137, 143)
_PROBE = "lazarus.io/probe"


async def look(reader: Reader, found: Readiness) -> str:
    """Why nothing of it will ever get ready, in words; "" while that is not known."""
    if found.complete or found.others:
        return ""
    reasons: dict[tuple[str, str, str], str] = {}
    for namespace in sorted({one.namespace for one in found.unready}):
        for pod in await reader.list(PODS, namespace, type=dict):
            if _over(pod) or _is_ready(pod):
                continue
            why = _ending(pod)
            if not why:
                return ""
            kind, name = root(pod)
            reasons.setdefault((kind, namespace, name), f"{pod['metadata']['name']}: {why}")
    wanted = {(one.kind, one.namespace, one.name) for one in found.unready}
    return "; ".join(reasons.values()) if wanted and wanted <= reasons.keys() else ""


def _over(pod: Object) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return _PROBE in labels or (pod.get("status") or {}).get("phase") == "Succeeded"


def _is_ready(pod: Object) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _ending(pod: Object) -> str:
    """How its containers end, "" unless all that are not ready do it often, soon and by themselves."""
    status = pod.get("status") or {}
    bad = [one for one in _containers(status) if not one.get("ready") and not _done(one)]
    said = [_loop(one) for one in bad]
    return ", ".join(said) if said and all(said) else ""


def _containers(status: Object) -> Iterable[Object]:
    """Those of the pod; init containers that are not done come first, and the others have not begun then."""
    init = [one for one in status.get("initContainerStatuses") or () if not one.get("ready") and not _done(one)]
    return init or status.get("containerStatuses") or ()


def _done(one: Object) -> bool:
    ended = (one.get("state") or {}).get("terminated")
    return ended is not None and ended.get("exitCode") == 0


def _loop(one: Object) -> str:
    waiting = (one.get("state") or {}).get("waiting") or {}
    last = (one.get("lastState") or {}).get("terminated") or {}
    code, restarts = int(last.get("exitCode") or 0), int(one.get("restartCount") or 0)
    often = waiting.get("reason") == "CrashLoopBackOff" and restarts >= ENDS - 1
    if not often or code == 0 or code in _KILLED or not _soon(last):
        return ""
    return f"{one.get('name')} ended {restarts + 1} times, last with exit code {code}"


def _soon(ended: Object) -> bool:
    began, over = ended.get("startedAt"), ended.get("finishedAt")
    return bool(began and over) and parse_rfc3339(str(over)) - parse_rfc3339(str(began)) <= _SHORT


def root(pod: Object) -> tuple[str, str]:
    """Kind and name of the workload a pod belongs to; a Deployment's by the name of its ReplicaSet."""
    for owner in pod["metadata"].get("ownerReferences") or ():
        if owner.get("kind") == "ReplicaSet":
            return "Deployment", str(owner.get("name")).rpartition("-")[0]
        return str(owner.get("kind")), str(owner.get("name"))
    return "Pod", str(pod["metadata"]["name"])
