"""Pods on their way out: a pod whose end was asked for runs on until its node has ended it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Object = dict[str, Any]

_OVER = ("Succeeded", "Failed")
_USUAL = 30  # seconds, where a pod does not say how long it may take (the API's default)


def ending(pods: Iterable[Object]) -> list[Object]:
    """Those that are to end and may run still. On a node that does not answer they may for ever."""
    return [one for one in running(pods) if one["metadata"].get("deletionTimestamp")]


def running(pods: Iterable[Object]) -> list[Object]:
    """Those that a node has begun and that are not over: what is scaled to zero ends only once its controller has seen
    it."""
    return [one for one in pods if _started(one) and not _over(one)]


def promised(pods: Iterable[Object]) -> float:
    """The longest time in seconds that one of them may take to end; 0.0 without any."""
    return max((float(_grace(one)) for one in pods), default=0.0)


def words(pods: Iterable[Object]) -> str:
    """The first few by name, with the seconds that each was given."""
    told = [f"{one['metadata']['name']} ({_given(one)} s)" for one in pods]
    return ", ".join(told[:4]) + (f" and {len(told) - 4} more" if len(told) > 4 else "")


def _grace(pod: Object) -> int:
    found = (pod.get("spec") or {}).get("terminationGracePeriodSeconds")
    return _USUAL if found is None else int(found)


def _given(pod: Object) -> int:
    found = pod["metadata"].get("deletionGracePeriodSeconds")
    return _grace(pod) if found is None else int(found)


def _started(pod: Object) -> bool:
    """One that no node has goes at once."""
    return bool((pod.get("spec") or {}).get("nodeName"))


def _over(pod: Object) -> bool:
    """It may be there still, held by a finalizer."""
    status: Mapping[str, Any] = pod.get("status") or {}
    if status.get("phase") in _OVER:
        return True
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return bool(containers) and all((one.get("state") or {}).get("terminated") for one in containers)
