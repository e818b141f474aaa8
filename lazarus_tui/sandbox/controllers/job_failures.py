"""What a pod's failure means to its Job: retries wait, and ``podFailurePolicy`` may say otherwise."""

from __future__ import annotations

from datetime import datetime

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.sandbox.controllers.base import Object
from lazarus_tui.sandbox.controllers.pods import phase

# The Job controller's waits after failed pods, first and longest, in seconds (DefaultJobPodFailureBackOff,
# MaxJobPodFailureBackOff).
_BACKOFF_FIRST, _BACKOFF_MOST = 10.0, 600.0


def back_off(failures: list[Object], successes: list[Object], now: datetime) -> float:
    """Seconds until another pod may start: the wait doubles with each failure since the last success."""
    last_success = max((ended_at(pod) for pod in successes), default="")
    since = [moment for pod in failures if (moment := ended_at(pod)) > last_success]
    if not since:
        return 0.0
    wait = min(_BACKOFF_FIRST * 2 ** min(len(since) - 1, 10), _BACKOFF_MOST)
    return float(wait - (now - parse_rfc3339(max(since))).total_seconds())


def ended_at(pod: Object) -> str:
    """When the last container ended; without one, when the pod was made."""
    times: list[str] = [
        one["state"]["terminated"]["finishedAt"]
        for one in (pod.get("status") or {}).get("containerStatuses") or ()
        if "terminated" in (one.get("state") or {})
    ]
    return max(times, default=str(pod["metadata"]["creationTimestamp"]))


def counts(job: Object, pod: Object) -> bool:
    """Whether a failed pod uses up one of the retries."""
    return _action(job, pod)[0] != "Ignore"


def verdict(job: Object, pods: list[Object]) -> str:
    """Why the policy ends the Job at once; ``""`` when it does not."""
    for pod in pods:
        if phase(pod) == "Failed":
            action, message = _action(job, pod)
            if action == "FailJob":
                return message
    return ""


def _action(job: Object, pod: Object) -> tuple[str, str]:
    """The action of the first rule that matches, and what the real controller says of it."""
    for index, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or ()):
        what = _by_exit_code(rule, pod) if rule.get("onExitCodes") else _by_condition(rule, pod)
        if what:
            name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            action = str(rule["action"])
            return action, f"{what[0]} for pod {name} {what[1]} matching {action} rule at index {index}"
    return "", ""


def _by_exit_code(rule: Object, pod: Object) -> tuple[str, str] | None:
    wanted = rule["onExitCodes"]
    status = pod.get("status") or {}
    for one in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        code = ((one.get("state") or {}).get("terminated") or {}).get("exitCode", 0)
        if not code or wanted.get("containerName") not in (None, one["name"]):
            continue
        if (code in wanted["values"]) == (wanted["operator"] == "In"):
            return f"Container {one['name']}", f"failed with exit code {code}"
    return None


def _by_condition(rule: Object, pod: Object) -> tuple[str, str] | None:
    held = {(one["type"], one["status"]) for one in (pod.get("status") or {}).get("conditions") or ()}
    for pattern in rule.get("onPodConditions") or ():
        if (pattern["type"], pattern.get("status", "True")) in held:
            return "Pod", f"has condition {pattern['type']}"
    return None
