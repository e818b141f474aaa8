"""The step that makes the quarantine: closed before anything is in it, and read back before anything relies on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.model.quantities import QuantityError, parse
from lazarus_tui.model.resources import NAMESPACES, NETWORKPOLICIES, PODS, QUOTAS, SERVICEACCOUNTS, Resource
from lazarus_tui.model.stepping import BaseStep, carry_out
from lazarus_tui.model.steps import Observation, Seen, StepContext, Write
from lazarus_tui.prove.quarantine import bodies, names
from lazarus_tui.prove.quarantine.sweep import sweep
from lazarus_tui.prove.quarantine.targets import addresses

Object = dict[str, Any]
_FATAL = ("InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError")


class Space(BaseStep):
    """Facts: ``prove.space`` {uid, listeners, dialers}: the namespace's uid and every address of the probes."""

    name, title, mutates = "quarantine", "Make the quarantine", True
    poll, limit = 1.0, 300.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.wanted = names.quarantine(params)

    async def observe(self, context: StepContext) -> Observation:
        wanted, reader = self.wanted, context.reader
        found = await reader.get(NAMESPACES, wanted.name, type=dict)
        if found is None:
            return Observation(Seen.ABSENT)
        if trouble := self._foreign(found, context):
            return trouble
        for resource, body in bodies.closed(wanted):
            one = await reader.get(resource, body["metadata"]["name"], wanted.name, type=dict)
            if one is None:
                return Observation(Seen.ABSENT)
            if where := differs(resource, one, body):
                return _changed(resource, body, where)
        if missing := await self._awaited(context):
            return Observation(Seen.WAITING, missing)
        pods = [
            await reader.get(PODS, body["metadata"]["name"], wanted.name, type=dict) for body in bodies.probes(wanted)
        ]
        if None in pods:
            return Observation(Seen.ABSENT)
        return self._probes(found, [pod for pod in pods if pod is not None])

    async def _awaited(self, context: StepContext) -> str:
        """What others still have to make before a pod may be in it; "" when all is there.

        The API server applies a quota by its ``status.hard``, which a controller writes: until then it limits nothing.
        """
        name = self.wanted.name
        if await context.reader.get(SERVICEACCOUNTS, "default", name, type=dict) is None:
            return "its service account is not there yet"
        quota = await context.reader.get(QUOTAS, names.QUOTA, name, type=dict)
        if quota is None or not _in_force(quota):
            return "its quota limits nothing yet: the quota controller has not counted"
        return ""

    def _foreign(self, found: Object, context: StepContext) -> Observation | None:
        """Why this namespace is not the one to restore into."""
        wanted, meta = self.wanted, found["metadata"]
        if not wanted.owns(found):
            what = f"a namespace {wanted.name} exists that this proof did not make"
            return Observation(Seen.DIVERGED, what, hint="make the plan again: it chooses another name")
        if meta.get("deletionTimestamp"):
            return Observation(Seen.FAILED, f"namespace {wanted.name} is being deleted", hint="make the plan again")
        known = (context.facts.get("prove.space") or {}).get("uid")
        if known and known != meta["uid"]:
            return Observation(Seen.DIVERGED, f"namespace {wanted.name} was replaced by another one of the same name")
        body = bodies.namespace(wanted, context.clock.now())
        del body["metadata"]["labels"][names.EXPIRES]
        if where := differs(NAMESPACES, found, body):
            return _changed(NAMESPACES, body, where)
        return None

    def _probes(self, found: Object, pods: Sequence[Object]) -> Observation:
        hint = "the settings name the image: prove.probe_image"
        for pod in pods:
            name, spec, status = pod["metadata"]["name"], pod["spec"], pod.get("status") or {}
            added = [one["name"] for one in spec["containers"] if one["name"] != names.CONTAINER]
            if added:
                what = f"a webhook put {', '.join(added)} into pod {name}: what is shown would not be the network's"
                return Observation(Seen.FAILED, what, hint="keep it away from namespaces with lazarus.io/quarantine")
            if status.get("phase") in ("Failed", "Succeeded"):
                return Observation(
                    Seen.FAILED, f"pod {name} ended: {status.get('reason') or status['phase']}", hint=hint
                )
            why = _why_not_ready(status)
            if why.partition(":")[0] in _FATAL:
                return Observation(Seen.FAILED, f"pod {name} cannot run: {why}", hint=hint)
            if why:
                return Observation(Seen.WAITING, f"pod {name}: {why}", hint=hint)
        listeners, dialers = (addresses(pod) for pod in pods)
        facts = {"prove.space": {"uid": found["metadata"]["uid"], "listeners": listeners, "dialers": dialers}}
        return Observation(Seen.DONE, self.wanted.name, facts=facts)

    async def act(self, context: StepContext) -> None:
        wanted, reader = self.wanted, context.reader
        if await reader.get(NAMESPACES, wanted.name, type=dict) is None:
            body = bodies.namespace(wanted, context.clock.now())
            await carry_out(
                context, Write("create", NAMESPACES, None, wanted.name, body, expect="the quarantine is there")
            )
        found = await reader.get(NAMESPACES, wanted.name, type=dict)
        if found is None or self._foreign(found, context):
            return  # the next look says it
        for resource, body in bodies.closed(wanted):
            await self._make(context, resource, body)
        if not await self._awaited(context):
            for body in bodies.probes(wanted):
                await self._make(context, PODS, body)

    async def _make(self, context: StepContext, resource: Resource, body: Object) -> None:
        name = body["metadata"]["name"]
        if await context.reader.get(resource, name, self.wanted.name, type=dict) is None:
            await carry_out(
                context, Write("create", resource, self.wanted.name, name, body, expect="in the quarantine")
            )

    async def undo(self, context: StepContext) -> str | None:
        left = await sweep(context, self.wanted)
        return "; ".join(left) or None


def _in_force(quota: Object) -> bool:
    status = quota.get("status") or {}
    return set(quota["spec"]["hard"]) <= set(status.get("hard") or ()) & set(status.get("used") or ())


def _changed(resource: Resource, body: Object, where: str) -> Observation:
    what = f"{resource.kind} {body['metadata']['name']} is not as it was made: {where}"
    return Observation(Seen.DIVERGED, what, hint="see who or what changes objects of this namespace")


def _why_not_ready(status: Mapping[str, Any]) -> str:
    """Why a pod is not ready, as its node says; "" when it is."""
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    if conditions.get("Ready", {}).get("status") == "True" and status.get("podIP"):
        return ""
    for one in status.get("containerStatuses") or ():
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            return ": ".join(filter(None, (waiting["reason"], waiting.get("message"))))
    scheduled = conditions.get("PodScheduled", {})
    return str(scheduled.get("message") or status.get("phase") or "not seen by a node yet")


def differs(resource: Resource, found: Object, wanted: Object) -> str:
    """Where an object says something else than it was made with, as a path; "" when it says it.

    A policy with a word more or less opens what is closed; elsewhere the API and webhooks may add.
    """
    if resource is NETWORKPOLICIES and found.get("spec") != wanted["spec"]:
        return "/spec"
    labels = {"metadata": {"labels": wanted["metadata"]["labels"]}}
    return _lacks(found, labels if resource is NETWORKPOLICIES else {**labels, "spec": wanted.get("spec", {})}, "")


def _lacks(found: Any, wanted: Any, path: str) -> str:
    if isinstance(wanted, Mapping):
        there = found if isinstance(found, Mapping) else {}
        return next(filter(None, (_lacks(there.get(key), one, f"{path}/{key}") for key, one in wanted.items())), "")
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return path
        return next(filter(None, (_lacks(found[n], one, f"{path}/{n}") for n, one in enumerate(wanted))), "")
    return "" if found == wanted or _same_quantity(found, wanted) else path


def _same_quantity(found: Any, wanted: Any) -> bool:
    """The API writes 1024Mi as 1Gi."""
    try:
        return parse(str(found)) == parse(str(wanted))
    except QuantityError:
        return False
