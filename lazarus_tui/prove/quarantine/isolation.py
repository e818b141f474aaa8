"""The step that shows a quarantine to be closed: before the data comes, and again when it is there (S1, S2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.resources import NAMESPACES, NETWORKPOLICIES
from lazarus_tui.model.stepping import BaseStep
from lazarus_tui.model.steps import Observation, Seen, StepContext
from lazarus_tui.prove import overrides
from lazarus_tui.prove.quarantine import bodies, names, probing
from lazarus_tui.prove.quarantine.targets import opened_by, targets

# Seconds a CNI gets to put policies into effect, and between two rounds of probes.
SETTLES, PAUSE = 30.0, 2.0
BEFORE, AFTER = "prove.isolation", "prove.isolation_after"


class Isolation(BaseStep):
    """Facts: ``prove.isolation`` {closed: bool | null, words, rounds, probes: [{kind, what, target, expected, seen,
    seconds, answers, words, protocol, family}], policies: [what policies of the whole cluster open, in words]}; with
    ``again`` it is ``prove.isolation_after``. Anything but closed ends the step."""

    name, title = "isolation", "Show that the quarantine is closed"
    poll, limit = 1.0, 300.0

    def __init__(self, params: Mapping[str, Any], *, again: bool = False) -> None:
        self.wanted, self.key, self.again = names.quarantine(params), BEFORE, again
        if again:
            self.name, self.title, self.key = "isolation-again", "Show that it is still closed", AFTER

    async def observe(self, context: StepContext) -> Observation:
        found = context.facts.get(self.key)
        if found is None:
            return Observation(Seen.ABSENT)
        if found["closed"]:
            return Observation(Seen.DONE, found["words"])
        hint = "use a CNI that enforces NetworkPolicies, or see which policy opens it: kubectl get networkpolicies -A"
        if found["closed"] is None and found["words"].startswith(probing.UNSHOWN):
            hint = 'change the policy, or let it stand: --allow "S2:PLURAL.GROUP/NAME:UNTIL:REASON"'
        elif found["closed"] is None:
            hint = f"kubectl -n {self.wanted.name} exec {names.DIALER} -- nc -z -w 3 ADDRESS PORT"
        return Observation(Seen.FAILED, f"isolation not enforced: {found['words']}", hint=hint)

    async def act(self, context: StepContext) -> None:
        await context.remember(**{self.key: await self.look(context)})

    async def look(self, context: StepContext) -> dict[str, Any]:
        """Rounds until one shows it closed, or the time is up: policies take effect some time after they are made.

        The last round begins when the time is up, so that an engine that was held up in one does not judge by it.
        With ``again`` they have been in effect before: a way that is open then is open, and is not tried anew.
        """
        clock, rounds, wanted = context.clock, 0, self.wanted
        end = clock.monotonic() + SETTLES
        space = await self._space(context)
        wide = await overrides.openings(context.reader, space)
        unshown = wide.unshown(wanted.beside)
        more = opened_by(wide.found, wanted.beside)
        ways = await targets(context, wanted, await probing.environment(context.reader, wanted), more)
        while True:
            rounds, late = rounds + 1, clock.monotonic() >= end
            found = await probing.tried(context.reader, clock, wanted, ways)
            over = found.closed or (self.again and found.closed is False)
            own = await overrides.inside(context.reader, space) if found.closed else overrides.Openings(())
            opening = [*await self._opening(context), *own.names(wanted.beside)] if found.closed else []
            if opening:
                found, over = probing.opened(found, opening), self.again
            elif found.closed and (why := [*unshown, *own.unseen(wanted.beside)]):
                found = probing.unshown(found, why)
            if over or late:
                return {**probing.record(found, rounds), "policies": [one.words for one in wide.found]}
            await clock.sleep(PAUSE)

    async def _space(self, context: StepContext) -> overrides.Space:
        """By the labels that the namespace really has: a webhook may have added some."""
        found = await context.reader.get(NAMESPACES, self.wanted.name, type=dict)
        labels = {
            "kubernetes.io/metadata.name": self.wanted.name,
            **((found or {}).get("metadata") or {}).get("labels", {}),
        }
        return overrides.Space(self.wanted.name, labels, dns=self.wanted.dns)

    async def _opening(self, context: StepContext) -> list[str]:
        """Policies of others that let something through: for pods that the probes are none of, perhaps."""
        own = {body["metadata"]["name"] for body in bodies.policies(self.wanted)}
        found = await context.reader.list(NETWORKPOLICIES, self.wanted.name, type=dict)
        others = [one for one in found if one["metadata"]["name"] not in own]
        return [one["metadata"]["name"] for one in others if _leads_out(one["spec"], dns=self.wanted.dns)]


def _leads_out(spec: Mapping[str, Any], *, dns: bool) -> bool:
    """Whether a policy lets anything go elsewhere than to pods beside it; to name servers where the plan does, too."""
    for way in spec.get("egress") or ():
        outside = any(set(peer) != {"podSelector"} for peer in way.get("to") or [{}])
        ports = way.get("ports") or ()
        names_only = dns and ports and all(one.get("port") == 53 == one.get("endPort", 53) for one in ports)
        if outside and not names_only:
            return True
    return False
