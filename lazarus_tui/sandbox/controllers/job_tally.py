"""How a Job counts its pods: each exactly once, even across a crash between two writes.

As the real controller: a finished pod's uid is first written into ``status.uncountedTerminatedPods``, then the pod's
finalizer is removed, then the counter is raised. With the finalizer a pod cannot vanish before it was counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lazarus_tui.sandbox.controllers import job_failures
from lazarus_tui.sandbox.controllers.base import Object
from lazarus_tui.sandbox.controllers.pods import is_ending, phase

TRACKING = "batch.kubernetes.io/job-tracking"
"""Finalizer of pods that are not yet counted."""

INDEX = "batch.kubernetes.io/job-completion-index"
"""Annotation and label of the pods of an Indexed Job."""

_COUNTS = ("succeeded", "failed")


def tracked(pod: Object) -> bool:
    return TRACKING in (pod["metadata"].get("finalizers") or ())


def index_of(pod: Object) -> int:
    """The completion index of a pod; -1 without one."""
    text = str((pod["metadata"].get("annotations") or {}).get(INDEX, ""))
    return int(text) if text.isdigit() else -1


def is_indexed(job: Object) -> bool:
    return bool(job["spec"].get("completionMode") == "Indexed")


def failed(job: Object, pod: Object) -> bool:
    """The pod counts as a failure; one that is being deleted does so before it has ended, unless the Job waits."""
    if phase(pod) == "Failed":
        return True
    waits = job["spec"].get("podReplacementPolicy") == "Failed"
    return bool(not waits and is_ending(pod) and phase(pod) != "Succeeded")


def parse_indexes(text: str) -> set[int]:
    """``1,3-5`` as a set."""
    found: set[int] = set()
    for part in text.split(",") if text else ():
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def format_indexes(indexes: Iterable[int]) -> str:
    """A set as ``1,3-5``; two neighbours are written with a comma."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    words = (str(a) if a == b else f"{a},{b}" if b == a + 1 else f"{a}-{b}" for a, b in runs)
    return ",".join(words)


class Tally:
    """The counters of one Job over one look at its pods. ``status`` is changed in place."""

    def __init__(self, job: Object, status: Object, pods: list[Object]) -> None:
        self._job, self._status, self._pods = job, status, pods
        self._uncounted: dict[str, list[str]] = {
            name: list((status.get("uncountedTerminatedPods") or {}).get(name) or ()) for name in _COUNTS
        }
        self.indexes = parse_indexes(status.get("completedIndexes") or "")
        if is_indexed(job):
            most = job["spec"].get("completions") or 0
            done = (index_of(pod) for pod in pods if phase(pod) == "Succeeded")
            self.indexes |= {index for index in done if 0 <= index < most}

    @property
    def succeeded(self) -> int:
        """Successes counted, about to be counted, and new."""
        return len(self.indexes) if is_indexed(self._job) else self._total("succeeded", self._new("succeeded"))

    @property
    def failures(self) -> int:
        return self._total("failed", self._new("failed"))

    def _total(self, name: str, new: list[str]) -> int:
        return int(self._status.get(name, 0)) + len(self._uncounted[name]) + len(new)

    def _new(self, name: str, finished: bool = False) -> list[str]:
        """Uids of pods that this counter does not know yet."""
        known = set(self._uncounted[name])
        return [
            pod["metadata"]["uid"]
            for pod in self._pods
            if tracked(pod) and pod["metadata"]["uid"] not in known and self._counts(pod, name, finished)
        ]

    def _counts(self, pod: Object, name: str, finished: bool) -> bool:
        if name == "succeeded":
            return phase(pod) == "Succeeded"
        if phase(pod) == "Succeeded" or not (finished or failed(self._job, pod)):
            return False
        return job_failures.counts(self._job, pod)

    def note(self, *, finished: bool) -> None:
        """Writes new uids into the status; once the Job has ``finished`` badly, whatever is left counts as failed."""
        for name in _COUNTS:
            if name == "succeeded" and is_indexed(self._job):
                continue  # the index itself says it
            self._uncounted[name] += self._new(name, finished)
        if is_indexed(self._job):
            self._status["succeeded"] = len(self.indexes)
            if self.indexes:
                self._status["completedIndexes"] = format_indexes(self.indexes)
        self._tell()

    def releasable(self, *, over: bool) -> list[Object]:
        """Pods whose finalizer may go: all once the Job is ``over``."""
        return [
            pod for pod in self._pods if tracked(pod) and (over or phase(pod) == "Succeeded" or failed(self._job, pod))
        ]

    def settle(self, gone: Iterable[Object]) -> bool:
        """Raises the counters by pods that have lost their finalizer; True when nothing is left uncounted."""
        released = {pod["metadata"]["uid"] for pod in gone}
        held = {pod["metadata"]["uid"] for pod in self._pods if tracked(pod)} - released
        for name in _COUNTS:
            left = [uid for uid in self._uncounted[name] if uid in held]
            done = len(self._uncounted[name]) - len(left)
            if done:
                self._status[name] = int(self._status.get(name, 0)) + done
            self._uncounted[name] = left
        self._tell()
        return not any(self._uncounted.values())

    def _tell(self) -> None:
        lists: dict[str, Any] = {name: uids for name, uids in self._uncounted.items() if uids}
        self._status["uncountedTerminatedPods"] = lists
