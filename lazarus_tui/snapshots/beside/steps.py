"""The steps of a restore beside. Undo removes in the one order that works: pods, claims, snapshots, namespace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.counting import how_many
from lazarus_tui.model.resources import CLAIMS, NAMESPACES, PODS, STATEFULSETS, Resource
from lazarus_tui.model.snapshots import CONTENTS, SNAPSHOTS, Content, Snapshot, unbound
from lazarus_tui.model.stepping import OPERATION_LABEL, BaseStep, carry_out
from lazarus_tui.model.steps import Observation, Seen, StepContext, StepStopped, Write
from lazarus_tui.snapshots.beside.copies import alias_content, alias_name, alias_snapshot
from lazarus_tui.snapshots.claimspec import restored, snapshot_of
from lazarus_tui.snapshots.names import OP

Object = dict[str, Any]
T7 = "beside.t7"


class BesideStep(BaseStep):
    """A step in the namespace of the plan. What it makes carries the operation's label, and is removed by uid."""

    mutates = True
    poll, limit = 1.0, 300.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params, self.namespace = params, str(params["namespace"])
        self.parts: list[dict[str, Any]] = list(params["parts"])

    def ours(self, found: Mapping[str, Any], context: StepContext) -> bool:
        return (found["metadata"].get("labels") or {}).get(OPERATION_LABEL) == context.op[:8]

    async def remove(self, context: StepContext, what: Callable[[], Awaitable[list[tuple[Resource, Object]]]]) -> None:
        """Delete what ``what`` finds of ours, by uid, until it finds nothing."""
        began = context.clock.monotonic()
        while left := await what():
            for resource, found in left:
                meta = found["metadata"]
                if not meta.get("deletionTimestamp"):
                    where = meta.get("namespace") if resource.namespaced else None
                    await carry_out(context, Write("delete", resource, where, meta["name"], uid=meta["uid"]))
            if context.clock.monotonic() - began > self.limit:
                names = ", ".join(f"{resource.plural}/{found['metadata']['name']}" for resource, found in left)
                raise StepStopped(f"still being deleted after {self.limit:.0f} s: {names}", park=True)
            await context.clock.sleep(self.poll)

    async def mine(self, context: StepContext, resource: Resource) -> list[tuple[Resource, Object]]:
        where = self.namespace if resource.namespaced else None
        selector = f"{OP}={context.op[:8]}"
        found = await context.reader.list(resource, where, type=dict, label_selector=selector)
        return [(resource, one) for one in found]


class Space(BesideStep):
    name, title = "space", "Make the namespace"

    async def observe(self, context: StepContext) -> Observation:
        found = await context.reader.get(NAMESPACES, self.namespace, type=dict)
        if found is None:
            return Observation(Seen.ABSENT)
        if not self.params["new"]:
            return Observation(Seen.DONE, f"{self.namespace} is there already")
        if not self.ours(found, context):
            return Observation(Seen.DIVERGED, f"somebody made namespace {self.namespace} meanwhile")
        return Observation(Seen.DONE, self.namespace)

    async def act(self, context: StepContext) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
        await carry_out(
            context, Write("create", NAMESPACES, None, self.namespace, body, expect="the namespace is there")
        )

    async def undo(self, context: StepContext) -> None:
        async def what() -> list[tuple[Resource, Object]]:
            found = await context.reader.get(NAMESPACES, self.namespace, type=dict)
            return [(NAMESPACES, found)] if found is not None and self.ours(found, context) else []

        await self.remove(context, what)


class Aliases(BesideStep):
    """Contents on the same snapshots of storage, and snapshots bound to them, both ways."""

    name, title = "aliases", "Make the set known in the other namespace"

    async def observe(self, context: StepContext) -> Observation:
        for part in self.parts:
            content_name = alias_name(context.op, part["claim"])
            content = await context.reader.get(CONTENTS, content_name, type=Content)
            snapshot = await context.reader.get(SNAPSHOTS, content_name, self.namespace, type=Snapshot)
            if content is None or snapshot is None:
                return Observation(Seen.ABSENT)
            error = content.status.error or snapshot.status.error
            if error and error.message:
                return Observation(Seen.WAITING, f"{part['claim']}: {error.message}", hint="see the content's events")
            if why := unbound(snapshot, content):
                return Observation(Seen.WAITING, f"{part['claim']}: {why}")
            if not snapshot.status.ready_to_use:
                return Observation(Seen.WAITING, f"{part['claim']} is not ready yet")
        return Observation(Seen.DONE, how_many(len(self.parts), "snapshot"))

    async def act(self, context: StepContext) -> None:
        for part in self.parts:
            name = alias_name(context.op, part["claim"])
            if await context.reader.get(CONTENTS, name, type=Content) is None:
                body = alias_content(name, self.namespace, name, part["source"])
                await carry_out(context, Write("create", CONTENTS, None, name, body, expect="on the same snapshot"))
            if await context.reader.get(SNAPSHOTS, name, self.namespace, type=Snapshot) is None:
                body = alias_snapshot(name, self.namespace, name, part["claim"])
                await carry_out(context, Write("create", SNAPSHOTS, self.namespace, name, body, expect="bound to it"))

    async def undo(self, context: StepContext) -> None:
        """Snapshots first; the contents are Retain, so the storage keeps the data of the set itself."""

        async def snapshots() -> list[tuple[Resource, Object]]:
            return await self.mine(context, SNAPSHOTS)

        async def contents() -> list[tuple[Resource, Object]]:
            return await self.mine(context, CONTENTS)

        await self.remove(context, snapshots)
        await self.remove(context, contents)


class Claims(BesideStep):
    """Claims of the original's names from the aliases. One that waits for its pod is as far as it can be.

    Fact: ``beside.t7``, when all were bound; where one waits for its pod nobody knows it here.
    """

    name, title = "claims", "Make the claims from the set"
    poll, limit = 2.0, 1800.0

    async def observe(self, context: StepContext) -> Observation:
        waiting = []
        for part in self.parts:
            claim = await context.reader.get(CLAIMS, part["claim"], self.namespace, type=dict)
            if claim is None:
                return Observation(Seen.ABSENT)
            if snapshot_of(claim) != alias_name(context.op, part["claim"]):
                return Observation(Seen.DIVERGED, f"claim {part['claim']} was made by somebody else", hint="undo")
            phase = (claim.get("status") or {}).get("phase")
            if phase != "Bound" and not part["waits"]:
                waiting.append(f"{part['claim']} is {phase or 'new'}")
        if waiting:
            return Observation(Seen.WAITING, "; ".join(waiting), hint="see the claim's events")
        late = sum(bool(part["waits"]) for part in self.parts)
        waits = f", {how_many(late, 'binds', 'bind')} when a pod uses it" if late else ""
        words = how_many(len(self.parts), "claim") + waits
        at = context.facts.get(T7) or rfc3339(context.clock.now(), micro=True)
        return Observation(Seen.DONE, words, facts={} if late else {T7: at})

    async def act(self, context: StepContext) -> None:
        for part in self.parts:
            if await context.reader.get(CLAIMS, part["claim"], self.namespace, type=dict) is not None:
                continue
            alias = alias_name(context.op, part["claim"])
            body = restored(
                part["claim"], self.namespace, part["body"], snapshot=alias, set_name=str(self.params["set"]),
                size=part["size"], op=context.op[:8],
            )  # fmt: skip
            write = Write("create", CLAIMS, self.namespace, part["claim"], body, expect="data of the set")
            result = await carry_out(context, write)
            if result.object and snapshot_of(result.object) != alias:
                raise StepStopped(f"the server dropped the source of claim {part['claim']}: it would be empty")

    async def undo(self, context: StepContext) -> None:
        async def what() -> list[tuple[Resource, Object]]:
            return await self.mine(context, CLAIMS)

        await self.remove(context, what)


class Run(BesideStep):
    """A copy of the StatefulSet without its ties; it adopts the claims by their names."""

    name, title = "run", "Start the copy"
    poll, limit = 2.0, 900.0

    async def observe(self, context: StepContext) -> Observation:
        copy = self.params["copy"]
        found = await context.reader.get(STATEFULSETS, copy["metadata"]["name"], self.namespace, type=dict)
        if found is None:
            return Observation(Seen.ABSENT)
        if not self.ours(found, context):
            return Observation(Seen.DIVERGED, "a StatefulSet of that name exists that this operation did not make")
        wanted, ready = copy["spec"]["replicas"], int((found.get("status") or {}).get("readyReplicas") or 0)
        if ready < wanted:
            return Observation(Seen.WAITING, f"{ready} of {wanted} ready", hint="see the pods' logs")
        return Observation(Seen.DONE, f"{ready} ready")

    async def act(self, context: StepContext) -> None:
        copy = self.params["copy"]
        name = copy["metadata"]["name"]
        await carry_out(context, Write("create", STATEFULSETS, self.namespace, name, copy, expect="the copy runs"))

    async def undo(self, context: StepContext) -> None:
        async def what() -> list[tuple[Resource, Object]]:
            sets = await self.mine(context, STATEFULSETS)
            uids = {found["metadata"]["uid"] for _, found in sets}
            pods = await context.reader.list(PODS, self.namespace, type=dict)
            own = [(PODS, pod) for pod in pods if _owned(pod, uids, str(self.params["copy"]["metadata"]["name"]))]
            return [*sets, *own]

        await self.remove(context, what)


def _owned(pod: Mapping[str, Any], uids: set[str], name: str) -> bool:
    owners = pod["metadata"].get("ownerReferences") or ()
    return any(
        owner.get("uid") in uids or (owner.get("kind"), owner.get("name")) == ("StatefulSet", name) for owner in owners
    )
