"""What was there before it is removed: why something is not healthy, when pods started, whether a phase has flipped.

Facts: ``prove.troubles`` [{where, seen, cause, advice}], ``prove.ready`` {kind/name: [ready, wanted]},
``prove.t9a`` (all pods scheduled), ``prove.t9`` (all images pulled), ``prove.flipped`` (why the restore is not what it
was when it ended), ``prove.again`` (volumes that turned out to be live ones), ``prove.anew`` (claims whose volumes were
made from nothing), ``prove.restore_log`` (see ``restore_log``), of a control ``prove.unstarted`` (see ``noticing``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.resources import DATA_DOWNLOADS, EVENTS, NAMESPACES, POD_VOLUME_RESTORES, PODS, RESTORES
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Observation, Reader, Seen, StepContext
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.checks.seen import SeenPod
from lazarus_tui.prove.proof import restore_log, stillness
from lazarus_tui.prove.proof.identity import compared
from lazarus_tui.prove.proof.noticing import UNSTARTED, unstarted
from lazarus_tui.prove.proof.troubles import look

CAPTURED = "prove.captured"
_PROBE = "lazarus.io/probe"  # pods of the quarantine itself
# Seconds for which pods without a workload are waited for when everything else is ready; the workloads had theirs.
_SLOWER = 60.0
_RESTORE_UID = "velero.io/restore-uid"
Object = dict[str, Any]


class Capture(BaseStep):
    """Runs always. What cannot be read is said and leaves its figure unknown; it never keeps the cleaning waiting."""

    name, title = "prove.capture", "Keep what explains it"
    poll, limit = 1.0, 120.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params, self.quarantine = params, str(params["quarantine"])

    async def observe(self, context: StepContext) -> Observation:
        found = context.facts.get(CAPTURED)
        return Observation(Seen.ABSENT) if found is None else Observation(Seen.DONE, str(found))

    async def act(self, context: StepContext) -> None:
        if await context.reader.get(NAMESPACES, self.quarantine, type=dict) is None:
            await context.remember(**{CAPTURED: "there is no quarantine: nothing was restored"})
            return
        await self._judged(context)
        reader = context.reader
        pods = [
            pod for pod in await reader.list(PODS, self.quarantine, type=dict)
            if _PROBE not in (pod["metadata"].get("labels") or {})
        ]  # fmt: skip
        events = await _events(context, self.quarantine)
        troubles = await look(reader, self.quarantine, pods, events)
        facts = {
            "prove.troubles": troubles,
            "prove.t9a": _scheduled(pods),
            "prove.t9": _pulled(events, pods),
            CAPTURED: f"{how_many(len(troubles), 'trouble')} in " * bool(troubles) + how_many(len(pods), "pod"),
        }
        await context.remember(**facts, **await restore_log.capture(context, self.params))
        for one in troubles[:5]:
            await context.say(": ".join(filter(None, (one["where"], one["seen"], one["cause"]))))

    async def _judged(self, context: StepContext) -> None:
        """What a rung is judged by; first and by itself, so that nothing which only explains can keep it away."""
        names = self.params.get("alone") or ()
        away = await self._not_ready(context, names) if names else []  # first: what is waited for here is the end, too
        volumes = await compared(context.reader, self.quarantine, self.params.get("handles") or ())
        ready = await _ready(context.reader, self.quarantine)
        facts: dict[str, Any] = {
            "prove.ready": ready,
            "prove.flipped": await self._flipped(context),
            "prove.again": volumes["same"],
            "prove.anew": volumes["anew"],
            "prove.alone": away,
        }
        if self.params.get("control"):
            facts[UNSTARTED] = await unstarted(context.reader, self.quarantine, ready)
        await context.remember(**facts)

    async def _not_ready(self, context: StepContext, names: Collection[str]) -> list[str]:
        """Which of these pods are not ready: nothing else waits for them, so they have some time for it here."""
        end = context.clock.monotonic() + (_SLOWER if context.facts.get("checks.ready") == Verdict.PASSED else 0.0)
        while True:
            late = context.clock.monotonic() >= end
            pods = await context.reader.list(PODS, self.quarantine, type=SeenPod)
            ready = {one.metadata.name for one in pods if one.ready}
            if ready.issuperset(names) or late:
                return sorted(set(names) - ready)
            await context.clock.sleep(2.0)

    async def _flipped(self, context: StepContext) -> str:
        """A phase can change after it was terminal (reliability V2): what was judged then must hold now."""
        facts = context.facts
        uid, said = facts.get("restore.uid"), facts.get("restore.phase")
        if not uid or not said:
            return ""
        restore: Object | None = await context.reader.get(
            RESTORES, str(facts["restore.name"]), str(self.params["velero"]), type=dict
        )
        if restore is None or restore["metadata"]["uid"] != uid:
            return "the restore's record was removed or replaced while its result was checked"
        status = restore.get("status") or {}
        now = (str(status.get("phase") or ""), int(status.get("errors") or 0), int(status.get("warnings") or 0))
        then = (str(said), int(facts.get("restore.errors") or 0), int(facts.get("restore.warnings") or 0))
        if now != then:
            return f"the restore was {_phase(*then)} when it ended and is {_phase(*now)} now"
        return await self._copies(context, str(uid))

    async def _copies(self, context: StepContext, uid: str) -> str:
        for kind in (POD_VOLUME_RESTORES, DATA_DOWNLOADS):
            selector = f"{_RESTORE_UID}={uid}"
            velero = str(self.params["velero"])
            try:
                listed: list[Object] = await context.reader.list(kind, velero, type=dict, label_selector=selector)
            except (Forbidden, NotFound):
                listed = []  # a kind that this Velero does not serve; its copies were counted when they ended
            for copy in listed:
                phase = str((copy.get("status") or {}).get("phase") or "New")
                if phase != "Completed" and not context.facts.get("restore.bad_volumes"):
                    return f"{kind.kind} {copy['metadata']['name']} is {phase} now"
        return ""


def _phase(phase: str, errors: int, warnings: int) -> str:
    return f"{phase} with {how_many(errors, 'error')} and {how_many(warnings, 'warning')}"


async def _ready(reader: Reader, namespace: str) -> dict[str, list[int]]:
    """``{"StatefulSet/orders": [ready, wanted]}`` as the controllers say it."""
    return {
        f"{kind.kind}/{found['metadata']['name']}": stillness.counted(kind, found)
        for kind, found in await stillness.workloads(reader, namespace)
    }  # fmt: skip


def _scheduled(pods: list[Object]) -> str:
    """When the last pod got its node, "" unless all have one."""
    found = [
        str(one.get("lastTransitionTime") or "")
        for pod in pods
        for one in (pod.get("status") or {}).get("conditions") or ()
        if one.get("type") == "PodScheduled" and one.get("status") == "True"
    ]
    return _last(found) if pods and len(found) == len(pods) else ""


async def _events(context: StepContext, namespace: str) -> list[Object]:
    """Of the quarantine; none where they may not be read, which is said: they only explain."""
    try:
        listed: list[Object] = await context.reader.list(EVENTS, namespace, type=dict)
    except Forbidden as error:
        await context.say(f"why something is not healthy may not be known: {error}")
        return []
    return listed


def _pulled(events: list[Object], pods: list[Object]) -> str:
    """When the last image was there, by the kubelet's events; "" where they do not say it for all containers."""
    names = {pod["metadata"]["name"] for pod in pods}
    wanted = sum(len(pod["spec"].get("containers") or ()) for pod in pods)
    found = [
        str(event.get("lastTimestamp") or event.get("eventTime") or "")
        for event in events
        if event.get("reason") == "Pulled" and (event.get("involvedObject") or {}).get("name") in names
    ]
    return _last(found) if wanted and len(found) >= wanted else ""


def _last(stamps: list[str]) -> str:
    try:
        return rfc3339(max(parse_rfc3339(one) for one in stamps), micro=True)
    except ValueError:
        return ""
