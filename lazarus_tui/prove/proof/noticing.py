"""Whether what was broken on purpose is why something is red. A copy that would not have come up unbroken says nothing
about its checks: that they noticed has to be seen, not taken from any red there is.

Facts: ``prove.unstarted`` (see ``unstarted``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lazarus_tui.model.resources import PODS
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.checks.hopeless import root
from lazarus_tui.prove.checks.launched import CHECK_LABEL
from lazarus_tui.prove.proof.rungs import Evidence
from lazarus_tui.prove.quarantine.names import PROBE
from lazarus_tui.prove.rules.podspecs import PARK

UNSTARTED, UNBROKEN = "prove.unstarted", "unbroken"
Object = Mapping[str, Any]
# What a kubelet says while nothing is wrong yet.
_NORMAL = ("", "ContainerCreating", "PodInitializing")


def another_reason(control: str, found: Evidence) -> str:
    """Why what is red may be so without what was broken, in words; "" where it is red for that.

    That nothing was started needs no look: the replicas say so.
    """
    if control == "no-workload":
        return ""
    before = found.params.get(UNBROKEN) or {}
    if before.get("verdict") == Verdict.FAILED:
        return f"the proof of this point that nobody broke says FAILED too ({before.get('at')})"
    if found.facts.get("checks.ready") != Verdict.FAILED:
        return ""
    if control == "drop-table":
        return "it was not ready before anything was broken"
    kept = found.facts.get(UNSTARTED)
    if kept is None:
        return "what kept it from getting ready was not looked at"
    return f"what was never started was not kept from it by that: {'; '.join(kept[:3])}" if kept else ""


async def unstarted(reader: Reader, namespace: str, ready: Mapping[str, Sequence[int]]) -> list[str]:
    """Of what is not ready in a copy: pods of which no container ever ran, and workloads without a pod, in words.
    Spoiled data keeps no container from being started; images, nodes, quotas, claims and settings do.

    ``ready``: replicas that are ready and wanted, by kind/name.
    """
    pods = [pod for pod in await reader.list(PODS, namespace, type=dict) if not _own(pod)]
    waiting = [f"pod {pod['metadata']['name']}: {why}" for pod in pods if (why := _why(pod))]
    made = {"/".join(root(pod)) for pod in pods}
    missing = [
        f"{label}: no pod of it was made"
        for label, (there, wanted) in sorted(ready.items())
        if there < wanted and label not in made
    ]
    return waiting + missing


def _own(pod: Object) -> bool:
    """Pods of the quarantine and of the checks; what the rules keep off every node; what has done its work or goes."""
    meta = pod["metadata"]
    parked = PARK in ((pod.get("spec") or {}).get("nodeSelector") or {})
    labels = meta.get("labels") or {}
    over = (pod.get("status") or {}).get("phase") == "Succeeded" or meta.get("deletionTimestamp")
    return bool(PROBE in labels or CHECK_LABEL in labels or parked or over)


def _why(pod: Object) -> str:
    """Why nothing of it ever ran, "" for what did."""
    status = pod.get("status") or {}
    statuses = list(_statuses(status))
    if any(_ran(one) for one in statuses):
        return ""
    waits = [str(((one.get("state") or {}).get("waiting") or {}).get("reason") or "") for one in statuses]
    told = [reason for reason in waits if reason not in _NORMAL] + list(_unplaced(status.get("conditions") or ()))
    return told[0] if told else f"it is {status.get('phase') or 'new'}"


def _unplaced(conditions: Iterable[Object]) -> Iterator[str]:
    for one in conditions:
        if one.get("type") == "PodScheduled" and one.get("status") == "False":
            yield str(one.get("reason") or "no node took it")


def _statuses(status: Object) -> Iterator[Object]:
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _ran(one: Object) -> bool:
    now, before = one.get("state") or {}, one.get("lastState") or {}
    return bool("running" in now or "terminated" in now or before or one.get("restartCount"))
