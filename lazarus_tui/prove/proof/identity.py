"""S9: a restored volume is never one that somebody lives on.

Facts: ``prove.identity`` {same, compared, unbound, anew}.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lazarus_tui.model.counting import how_many
from lazarus_tui.model.resources import CLAIMS, VOLUMES
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Observation, Reader, Seen, StepContext
from lazarus_tui.prove.places import identity, same
from lazarus_tui.prove.proof import halting, inline
from lazarus_tui.prove.quarantine import storage

IDENTITY = "prove.identity"


class Identity(BaseStep):
    """What the quarantine's volumes point at on storage, against what the plan and the cluster know as live.

    A claim that binds only when a pod uses it gets a volume that is made for it: there is nothing to compare yet. The
    same look is taken again when the proof is captured.
    """

    name, title, mutates = "prove.identity", "See that no volume is a live one", True
    poll, limit = 1.0, 300.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params, self.quarantine = params, str(params["quarantine"])
        self._stopping = halting.Stopping(self.quarantine)

    async def observe(self, context: StepContext) -> Observation:
        found = context.facts.get(IDENTITY)
        if found is None:
            return Observation(Seen.ABSENT)
        if found["same"]:
            if (seen := await self._stopping.look(context)) is not None:
                return replace(seen, detail=f"a volume is a live one: {seen.detail}")
            hint = "the point holds no data of this volume: its own storage would be used; back it up with its data"
            return Observation(Seen.FAILED, f"S9: {'; '.join(found['same'])}{self._stopping.left}", hint=hint)
        later = f", {len(found['unbound'])} bind when they are used" if found["unbound"] else ""
        return Observation(Seen.DONE, f"{how_many(found['compared'], 'volume')} of their own{later}")

    async def act(self, context: StepContext) -> None:
        found = context.facts.get(IDENTITY)
        if found is None:
            found = await compared(context.reader, self.quarantine, self.params.get("handles") or ())
            await context.remember(**{IDENTITY: found})
        if found["same"]:
            await halting.stop(context, self.quarantine)


async def compared(reader: Reader, quarantine: str, planned: Any) -> dict[str, Any]:
    """Volumes of the quarantine against ``planned`` identities and those of all other volumes and pods."""
    volumes = await reader.list(VOLUMES, type=dict)
    claims = {claim["metadata"]["name"]: claim for claim in await reader.list(CLAIMS, quarantine, type=dict)}
    held = {claim["metadata"]["uid"]: claim for claim in claims.values()}
    ours: list[tuple[str, str, bool]] = []
    live = {str(one): "the plan's live volumes" for one in planned}
    for volume in volumes:
        spec, name = volume.get("spec") or {}, str(volume["metadata"]["name"])
        bound = spec.get("claimRef") or {}
        what = identity(spec)
        if bound.get("namespace") == quarantine:
            claim = held.get(bound.get("uid"))
            ours.append((str(bound.get("name")), what, claim is not None and storage.made_for(volume, claim)))
        elif what:
            live[what] = f"volume {name} of {bound.get('namespace') or 'nobody'}/{bound.get('name') or '-'}"
    live = {**await inline.live(reader, quarantine), **live}
    anew = sorted(name for name, claim in claims.items() if _made_anew(claim))
    found = [(claim, what, one) for claim, what, made in sorted(ours) if (one := same(what, live, made=made))]
    alike = [f"claim {claim} is {what}, {_whose(what, one, live[one])}" for claim, what, one in found]
    unbound = sorted(claims.keys() - {claim for claim, _, _ in ours})
    return {"same": alike, "compared": len(ours), "unbound": unbound, "anew": anew}


def _whose(what: str, live: str, words: str) -> str:
    """One directory in another is said to be that."""
    nested = what.rpartition(":")[2] != live.rpartition(":")[2]
    return f"in or around {live}, {words}" if nested else words


def _made_anew(claim: Mapping[str, Any]) -> bool:
    """Whether its volume was provisioned for it from nothing: provisioners name such a volume after the claim's uid.

    A restored disk keeps the name it had; a snapshot is named as the claim's source.
    """
    spec = claim.get("spec") or {}
    from_nothing = not spec.get("dataSource") and not spec.get("dataSourceRef")
    return from_nothing and spec.get("volumeName") == f"pvc-{claim['metadata']['uid']}"
