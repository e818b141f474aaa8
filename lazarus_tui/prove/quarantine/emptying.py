"""Taking what one run of a restore made out of a quarantine that stays: closed, with its probes and policies."""

from __future__ import annotations

from collections.abc import Iterable

from lazarus_tui.model.labels import RESTORE_NAME_LABEL, label_value
from lazarus_tui.model.resources import CLAIMS, PODS, Resource
from lazarus_tui.model.steps import StepContext
from lazarus_tui.prove.quarantine import census
from lazarus_tui.prove.quarantine.names import Quarantine, label
from lazarus_tui.prove.quarantine.sweep import CLAIMS_GO, REST_GOES, Sweep, Things


async def emptied(context: StepContext, wanted: Quarantine, restore: str, kinds: Iterable[Resource]) -> list[str]:
    """Removes what ``restore`` made of ``kinds``, all pods and claims, and the storage of these; sentences for what
    stays. Raises ``StepStopped`` for a missing right."""
    return await Emptying(context, wanted, restore, kinds).run()


class Emptying(Sweep):
    """In the order of a sweep: who starts pods, pods, storage made to stay or go as it must, claims, all the rest."""

    def __init__(self, context: StepContext, wanted: Quarantine, restore: str, kinds: Iterable[Resource]) -> None:
        super().__init__(context, wanted)
        self._value, self._kinds = label_value(restore), [kind for kind in kinds if kind not in (PODS, CLAIMS)]

    async def run(self) -> list[str]:
        await self._gone(self._running, await self._patience())
        if await self._secured() and await self._let_go(space=True):
            await self._gone(self._claims, CLAIMS_GO)
            await self._gone(self._snapshots, REST_GOES)
            await self._gone(self._rest, REST_GOES)
        return self.notes

    async def _running(self) -> Things:
        """Everything that runs or starts something, but for the probes."""
        return [(kind, one) for kind, one in await self._workloads() if not self.wanted.owns(one)]

    async def _rest(self) -> Things:
        """What carries the restore's name and has nobody who would take it along."""
        selector = f"{RESTORE_NAME_LABEL}={self._value}"
        found = [
            (kind, one) for kind in self._kinds
            for one in await census.listed(self.reader, kind, self.wanted.name, selector)
        ]  # fmt: skip
        return [(kind, one) for kind, one in found if label(one, RESTORE_NAME_LABEL) == self._value]
