"""Objects of a snapshot proof: read live when they are made, put under the same rules, created in the quarantine.

The plan names them and holds none of them: a Secret never gets into a plan or the journal. Facts: ``prove.dressed``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.resources import CONFIGMAPS, SECRETS, SERVICEACCOUNTS, SERVICES, STATEFULSETS, Resource
from lazarus_tui.model.stepping import BaseStep, carry_out
from lazarus_tui.model.steps import Observation, Seen, StepContext, StepStopped, Write
from lazarus_tui.model.volumes import Held
from lazarus_tui.prove import companions
from lazarus_tui.prove.points import Contents, Item, PointVolume
from lazarus_tui.prove.quarantine.names import quarantine
from lazarus_tui.prove.rules import Options, judge, wishes
from lazarus_tui.prove.rules.options import allowed_before
from lazarus_tui.prove.rules.placement import nodes

KINDS: Mapping[str, Resource] = {
    one.group_resource: one for one in (SERVICEACCOUNTS, CONFIGMAPS, SECRETS, SERVICES, STATEFULSETS)
}
DRESSED = "prove.dressed"


def listed(contents: Contents, created: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """What has to be made beside the volumes, in order: ``plan.params["dressing"]``."""
    return [
        {"resource": item.resource, "name": item.name}
        for item in contents.items
        if item.resource in KINDS and item.name in created.get(item.resource, ())
    ]


class Dress(BaseStep):
    name, title, mutates = "prove.dress", "Make the objects under the rules", True
    poll, limit = 1.0, 300.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params, self.wanted = params, quarantine(params)
        self.objects = [(KINDS[str(one["resource"])], str(one["name"])) for one in params.get("dressing") or ()]

    async def observe(self, context: StepContext) -> Observation:
        for resource, name in self.objects:
            found = await context.reader.get(resource, name, self.wanted.name, type=dict)
            if found is None:
                return Observation(Seen.ABSENT, f"{resource.kind} {name} is not there yet")
            if not self.wanted.owns(found):
                return Observation(Seen.DIVERGED, f"{resource.kind} {name} is there, and this proof did not make it")
        names = [f"{resource.kind}/{name}" for resource, name in self.objects]
        return Observation(Seen.DONE, how_many(len(names), "object"), facts={DRESSED: names})

    async def act(self, context: StepContext) -> None:
        bodies = [(resource, await self._live(context, resource, name)) for resource, name in self.objects]
        contents, options = self._contents(bodies), self._options()
        if unmet := wishes.unmet(contents, options.placeholders):
            raise StepStopped(f"no Secret that is copied has {', '.join(unmet)}", hint="see which keys they have")
        ruling = judge(contents, options)
        for resource, body in bodies:
            name = str(body["metadata"]["name"])
            if await context.reader.get(resource, name, self.wanted.name, type=dict) is not None:
                continue
            made = ruling.apply(body)
            if made is None:
                raise StepStopped(f"{resource.kind} {name} is not what was planned with: the rules leave it out now")
            fresh = companions.fresh(made, self.wanted.name)
            fresh["metadata"]["labels"] = {**(fresh["metadata"].get("labels") or {}), **self.wanted.labels}
            write = Write("create", resource, self.wanted.name, name, fresh, expect="it is in the quarantine")
            await carry_out(context, write)

    async def _live(self, context: StepContext, resource: Resource, name: str) -> dict[str, Any]:
        source = str(self.params["namespace"])
        if resource == SECRETS:
            found = await context.reader.secret(source, name)
        else:
            found = await context.reader.get(resource, name, source, type=dict)
        if found is None:
            raise StepStopped(f"{resource.kind} {source}/{name} is gone since the plan was made", hint="plan it again")
        return companions.whole(resource, found)

    def _contents(self, bodies: Sequence[tuple[Resource, Mapping[str, Any]]]) -> Contents:
        source = str(self.params["namespace"])
        items = tuple(Item(one.group_resource, source, str(body["metadata"]["name"]), body) for one, body in bodies)
        volumes = tuple(
            PointVolume(str(one["claim"]), Held(str(one["held"])), method=str(one["method"]))
            for one in self.params.get("volumes") or ()
        )
        return Contents(str(self.params["source"]), str(self.params["point"]), source, items, volumes=volumes)

    def _options(self) -> Options:
        return Options(
            target=self.wanted.name,
            workload=str(self.params.get("workload") or ""),
            allow=allowed_before(self.params.get("allow")),
            placeholders=tuple(self.params.get("placeholders") or ()),
            priority=str((self.params.get("priority") or {}).get("name") or ""),
            nodes=nodes(self.params),
        )
