"""The operation that removes what a proof left standing: its plan comes from the proof's own, its steps clean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lazarus_tui.model.clock import Clock, rfc3339
from lazarus_tui.model.plan import Danger, Effect, Params, Plan, PlanRefused
from lazarus_tui.model.steps import Catalog, Observation, Reader, Seen, Step, StepContext
from lazarus_tui.prove.quarantine import census, names
from lazarus_tui.prove.quarantine.clean import Clean, ShownClean

KIND = "prove.clean"
# Of a proof's parameters: what is needed to find all that it made, and to know what is not its own.
_NEEDED = ("op", "quarantine", "velero", "namespace", "restore", "modifiers", "handles", "volumes", "custom")


async def plan(reader: Reader, params: Params, clock: Clock) -> Plan:
    """``params``: proof, the parameters of the proof's plan. Raises ``PlanRefused``."""
    proof = {key: params["proof"][key] for key in _NEEDED if key in params.get("proof", {})}
    if not proof.get("op"):
        raise PlanRefused("which proof?", where="proof", hint="lazarus operation list")
    wanted = names.quarantine(proof)
    space = await census.namespace(reader, wanted)
    claims = await census.claims(reader, wanted) if space is not None else {}
    volumes, _ = await census.volumes(reader, wanted, claims, space)
    found = [f"namespace {wanted.name} with all that is in it"] if space is not None else []
    found += [f"volume {one['metadata']['name']}" for one in volumes]
    found += [f"restore {one['metadata']['name']}" for one in await census.restores(reader, wanted)]
    if not found:
        raise PlanRefused(f"nothing is left of proof {wanted.op[:8]}", where=wanted.name, code="nothing")
    frozen: dict[str, Any] = {"proof": proof, "lease_namespace": wanted.velero}
    return Plan(
        kind=KIND,
        context=reader.context,
        cluster_uid=await reader.cluster_uid(),
        target=wanted.name,
        title=f"Remove what proof {wanted.op[:8]} left",
        danger=Danger.DESTROYS,
        params=frozen,
        steps=(),
        effects=tuple(Effect("delete", what) for what in found),
        made=rfc3339(clock.now()),
    )


def steps(plan: Plan, catalog: Catalog) -> Sequence[Step]:
    proof = plan.params["proof"]
    return (Clean(proof), NothingLeft(proof))


class NothingLeft(ShownClean):
    """As at the end of a proof, but what is left is this operation's failure."""

    async def observe(self, context: StepContext) -> Observation:
        seen = await super().observe(context)
        cleaned = seen.facts.get("prove.cleaned") or {}
        if seen.seen is Seen.DONE and not cleaned["clean"]:
            await context.remember(**seen.facts)
            return Observation(Seen.FAILED, seen.detail, hint="lazarus doctor says what holds it")
        return seen
