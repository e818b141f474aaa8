"""Pods that are not healthy, with what their status, events and last log lines say; redacted, and short."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.redact import redact, redact_text
from lazarus_tui.model.resources import CLAIMS
from lazarus_tui.model.steps import Reader
from lazarus_tui.prove.proof.causes import explain

Object = dict[str, Any]
# Of how many objects something is said, and how much of a log.
_MOST, _LINES, _TAIL, _SECONDS = 10, 12, 400, 10.0


async def look(
    reader: Reader, namespace: str, pods: Sequence[Object], happened: Sequence[Object]
) -> list[dict[str, str]]:
    """One entry per object that is not as it should be: {where, seen, cause, advice}. ``happened``: its events."""
    events = _warnings(happened)
    found = []
    for pod in pods:
        why = _state(pod)
        if why:
            name = str(pod["metadata"]["name"])
            log = await _log(reader, namespace, pod)
            found.append(_trouble(f"pod {name}", [why, *events.pop(("Pod", name), ()), *log]))
    for claim in await reader.list(CLAIMS, namespace, type=dict):
        phase, name = (claim.get("status") or {}).get("phase"), str(claim["metadata"]["name"])
        if phase != "Bound":
            said = events.pop(("PersistentVolumeClaim", name), ())
            found.append(_trouble(f"claim {name}", [f"it is {phase or 'new'}", *said]))
    for (kind, name), said in events.items():
        if kind in ("StatefulSet", "ReplicaSet", "Deployment", "Job", "DaemonSet"):
            found.append(_trouble(f"{kind} {name}", said))
    return found[:_MOST]


def _trouble(where: str, said: Sequence[str]) -> dict[str, str]:
    """What is most telling of all that was seen gives the cause."""
    cause, advice = explain("\n".join(said))
    return {"where": where, "seen": redact("; ".join(dict.fromkeys(said)), 600), "cause": cause, "advice": advice}


def _warnings(events: Sequence[Object]) -> dict[tuple[str, str], list[str]]:
    """Messages of warning events by (kind, name) of what they are about, the newest last."""
    found: dict[tuple[str, str], list[str]] = {}
    for event in events:
        about = event.get("involvedObject") or {}
        if event.get("type") == "Warning":
            key = (str(about.get("kind")), str(about.get("name")))
            found.setdefault(key, []).append(f"{event.get('reason')}: {event.get('message')}")
    return {key: texts[-3:] for key, texts in found.items()}


def _state(pod: Mapping[str, Any]) -> str:
    """Why a pod is not healthy, in words; "" when it is, or has done its work."""
    status = pod.get("status") or {}
    if status.get("phase") == "Succeeded":
        return ""
    said = [words for one in _containers(status) if (words := _container(one))]
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            said.append(f"{condition.get('reason')}: {condition.get('message')}")
    if said:
        return "; ".join(said)
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in status.get("conditions") or ())
    return "" if ready else f"it is {status.get('phase') or 'new'} and not ready"


def _containers(status: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from status.get("initContainerStatuses") or ()
    yield from status.get("containerStatuses") or ()


def _container(one: Mapping[str, Any]) -> str:
    state, name = one.get("state") or {}, one.get("name")
    waiting, ended = state.get("waiting"), state.get("terminated") or {}
    before = (one.get("lastState") or {}).get("terminated") or {}
    if waiting and waiting.get("reason") not in ("ContainerCreating", "PodInitializing"):
        last = f", before that {_end(before)}" if before else ""
        return f"{name} {waiting.get('reason')}: {waiting.get('message') or ''}{last}"
    if ended and ended.get("exitCode"):
        return f"{name} {_end(ended)}"
    if before and before.get("exitCode") and not one.get("ready"):
        return f"{name} restarted {how_many(int(one.get('restartCount') or 0), 'time')}, {_end(before)}"
    return ""


def _end(ended: Mapping[str, Any]) -> str:
    return f"{ended.get('reason') or 'ended'} (exit code {ended.get('exitCode')})"


async def _log(reader: Reader, namespace: str, pod: Mapping[str, Any]) -> list[str]:
    """The last lines of the first container that is not ready, of the run before when it was restarted."""
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    bad = next((one for one in statuses if not one.get("ready")), None)
    if bad is None:
        return []
    again = bool((bad.get("lastState") or {}).get("terminated"))
    lines: list[bytes] = []
    try:
        async with asyncio.timeout(_SECONDS):
            source = reader.logs(namespace, pod["metadata"]["name"], str(bad["name"]), tail=_LINES, previous=again)
            async for line in source:
                lines.append(line)
    except (KubeError, OSError, TimeoutError):
        return []
    text = " | ".join(line.decode(errors="replace").strip() for line in lines[-_LINES:])
    # Cut after it was redacted: a cut may take the name away from a secret and leave its value.
    plain = " ".join(redact_text(text[-_TAIL * 64 :]).split())
    return [f"its log ends: {plain[-_TAIL:]}"] if plain else []
