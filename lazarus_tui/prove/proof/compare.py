"""The result against the plan, read fresh, before anything that was held is released.

Velero's modifiers fail open: an object whose patch did not apply is restored without it. So what the plan expects is
looked up in what came back. Facts: ``prove.compared`` {missing, unexpected, violated, unread}, ``prove.workloads``
[{kind, name, claims}].
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.labels import label_value
from lazarus_tui.model.objects import Workload, record
from lazarus_tui.model.resources import SECRETS, Resource
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Observation, Reader, Seen, StepContext
from lazarus_tui.prove.proof import halting, stillness
from lazarus_tui.prove.proof.kinds import Kinds, kinds
from lazarus_tui.prove.rules import resolve

COMPARED, WORKLOADS = "prove.compared", "prove.workloads"
# Of clusters' own kinds those through which a copy could act on everybody (S12).
_CLUSTER_WIDE = (
    ("rbac.authorization.k8s.io", "clusterroles"),
    ("rbac.authorization.k8s.io", "clusterrolebindings"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"),
    ("apiregistration.k8s.io", "apiservices"),
    ("apiextensions.k8s.io", "customresourcedefinitions"),
    ("scheduling.k8s.io", "priorityclasses"),
)
# Kinds that are listed at the same time.
_AT_ONCE = 6
_RESTORE_LABEL = "velero.io/restore-name"
Object = dict[str, Any]


class Compare(BaseStep):
    """Everything the plan expects holds, nothing it forbids exists, and what the point lists has come back.

    A violation stops the proof: what runs is taken to zero, what was held stays there. Missing objects do not stop it:
    the checks show what they mean.
    """

    name, title, mutates = "prove.compare", "Compare the result with the plan", True
    poll, limit = 1.0, 600.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params, self.quarantine = params, str(params["quarantine"])
        self._stopping = halting.Stopping(self.quarantine)

    async def observe(self, context: StepContext) -> Observation:
        found = context.facts.get(COMPARED)
        if found is None:
            return Observation(Seen.ABSENT)
        wrong = [*found["violated"], *found["unexpected"]]
        if wrong and (seen := await self._stopping.look(context)) is not None:
            return replace(seen, detail=f"not as planned: {seen.detail}")
        if wrong:
            hint = (
                "the copy was not started; look at the restore's errors, and whether a webhook or a policy changed it"
            )
            return Observation(Seen.FAILED, "; ".join(wrong[:5]) + self._stopping.left, hint=hint)
        missing = found["missing"]
        many = how_many(len(missing), "object")
        words = f"{many} did not come back: {', '.join(missing[:5])}" if missing else "as planned"
        return Observation(Seen.DONE, words)

    async def act(self, context: StepContext) -> None:
        found = context.facts.get(COMPARED)
        if found is None:
            seen = await compared(self.params, context)
            found = {**seen, "at": rfc3339(context.clock.now(), micro=True)}
            there = await _workloads(context.reader, self.quarantine, self.params)
            await context.remember(**{COMPARED: found, WORKLOADS: there})
        if found["violated"] or found["unexpected"]:
            await halting.stop(context, self.quarantine)


async def compared(params: Mapping[str, Any], context: StepContext) -> dict[str, list[str]]:
    """{violated, unexpected, missing, unread}, read fresh. Raises ``KubeError``."""
    look = _Look(context.reader, await kinds(context.reader), str(params["quarantine"]))
    return await look.compared(params, context)


class _Look:
    """One reading of the quarantine: each kind is listed once."""

    def __init__(self, reader: Reader, served: Kinds, quarantine: str) -> None:
        self._reader, self._served, self._quarantine = reader, served, quarantine
        self._listed: dict[Resource, dict[str, Object]] = {}
        self._restore = ""
        self.unread: list[str] = [f"the kinds of {group} (their server does not answer)" for group in served.silent]

    async def compared(self, params: Mapping[str, Any], context: StepContext) -> dict[str, list[str]]:
        self._restore = str(context.facts.get("restore.name") or "")
        await self._list(params)
        violated = [words for one in params.get("expected") or () if (words := await self._violation(one))]
        unexpected = [words for one in params.get("forbidden") or () if (words := await self._forbidden(one))]
        unexpected += await self._cluster_wide(self._restore)
        missing = [ref for ref in params.get("inventory") or () if not await self._there(str(ref))]
        return {"violated": violated, "unexpected": unexpected, "missing": missing, "unread": self.unread}

    async def _list(self, params: Mapping[str, Any]) -> None:
        """Every kind the plan speaks of, some at once."""
        named = [*(params.get("expected") or ()), *(params.get("forbidden") or ())]
        found = {self._served.plural(str(one.get("group") or ""), str(one["resource"])) for one in named}
        found |= {self._kind(str(ref))[0] for ref in params.get("inventory") or ()}
        turn = asyncio.Semaphore(_AT_ONCE)

        async def one(kind: Resource) -> None:
            async with turn:
                await self._objects(kind)

        kinds = sorted((kind for kind in found if kind and kind.namespaced), key=lambda kind: kind.group_resource)
        await asyncio.gather(*map(one, kinds))

    async def _objects(self, kind: Resource, selector: str = "") -> dict[str, Object]:
        if kind in self._listed and not selector:
            return self._listed[kind]
        where = self._quarantine if kind.namespaced else None
        try:
            listed = await self._reader.list(kind, where, type=dict, label_selector=selector)
        except (Forbidden, NotFound) as error:
            self.unread.append(f"{kind.group_resource}: {error}")
            listed = []
        found = {str(one["metadata"]["name"]): one for one in listed}
        if not selector:
            self._listed[kind] = found
        return found

    async def _violation(self, wanted: Mapping[str, Any]) -> str:
        kind = self._served.plural(str(wanted.get("group") or ""), str(wanted["resource"]))
        if kind is None:
            return ""
        found = (await self._objects(kind)).get(str(wanted["name"]))
        if found is None or not (kind.namespaced or _made_by(found, self._restore)):
            return ""  # what is not there harms nobody; whether it should be there is the inventory's question
        if kind == SECRETS and str(wanted["pointer"]).startswith("/data/"):
            return await self._secret(wanted)
        value = resolve(found, str(wanted["pointer"]))
        if holds(value, wanted.get("value")):
            return ""
        should = "absent" if wanted.get("value") is None else f"{wanted['value']!r}"
        where = f"{wanted['resource']}/{wanted['name']}"
        return f"{wanted['rule']}: {where} has {wanted['pointer']} {_short(value)}, not {should}"

    async def _secret(self, wanted: Mapping[str, Any]) -> str:
        """A placeholder in a Secret: of Secrets only metadata is listed, and what it holds instead is not told."""
        name, key = str(wanted["name"]), str(wanted["pointer"]).removeprefix("/data/")
        value = await self._reader.credential(self._quarantine, name, key.replace("~1", "/").replace("~0", "~"))
        if value is not None and value == base64.b64decode(str(wanted["value"])).decode():
            return ""
        return f"{wanted['rule']}: secrets/{name} has something else than a placeholder under {key}"

    async def _forbidden(self, wanted: Mapping[str, Any]) -> str:
        kind = self._served.plural(str(wanted.get("group") or ""), str(wanted["resource"]))
        if kind is None or not kind.namespaced:
            return ""  # what is new in the cluster's scope carries the restore's name
        there = await self._objects(kind)
        name = str(wanted.get("name") or "")
        if not (name in there if name else there):
            return ""
        return f"{wanted['rule']}: {wanted['resource']}/{name or next(iter(there))} was restored"

    async def _cluster_wide(self, restore: str) -> list[str]:
        """Objects of the whole cluster that this restore made; a name that a label cannot hold finds nothing."""
        if not restore or len(restore) > 63:
            return []
        found = []
        for group, plural in _CLUSTER_WIDE:
            kind = self._served.plural(group, plural)
            if kind is not None:
                there = await self._objects(kind, f"{_RESTORE_LABEL}={restore}")
                found += [f"S12: {plural}/{name} was restored" for name in sorted(there)]
        return found

    async def _there(self, ref: str) -> bool:
        kind, name = self._kind(ref)
        return kind is not None and name in await self._objects(kind)

    def _kind(self, ref: str) -> tuple[Resource | None, str]:
        """Kind and name of "apps/v1/StatefulSet/orders"; None where the server has no such kind."""
        api_version, _, rest = _split(ref)
        kind_name, _, name = rest.partition("/")
        return self._served.kind(api_version, kind_name), name


def _made_by(found: Object, restore: str) -> bool:
    """Of the whole cluster the original may be there under the same name."""
    return bool(restore) and ((found["metadata"].get("labels") or {}).get(_RESTORE_LABEL)) == label_value(restore)


def _split(ref: str) -> tuple[str, str, str]:
    """apiVersion, "/", "Kind/name" of a reference; the core group has no slash in its version."""
    parts = ref.split("/")
    count = 1 if len(parts) == 3 else 2
    return "/".join(parts[:count]), "/", "/".join(parts[count:])


def holds(value: Any, wanted: Any) -> bool:
    """None wants it absent, null, false or empty."""
    if wanted is None:
        return not value
    return bool(value == wanted)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


async def _workloads(reader: Reader, namespace: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The restored workloads with their claims; one that is held counts with the replicas it will get."""
    held = {(one["kind"], one["name"]): int(one["replicas"]) for one in params.get("held") or ()}
    found = []
    for kind, raw in await stillness.workloads(reader, namespace):
        workload = record(raw, Workload)
        wanted = held.get((kind.kind, workload.metadata.name), workload.desired)
        spec = msgspec.structs.replace(workload.spec, replicas=wanted)
        claims = msgspec.structs.replace(workload, spec=spec).claims()
        found.append({"kind": kind.kind, "name": workload.metadata.name, "claims": list(claims), "replicas": wanted})
    return sorted(found, key=lambda one: (one["kind"], one["name"]))
