"""What a connected context gets: its mirror, its volume lists, the look for forgotten operations, and its janitor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from lazarus_tui.engine import adoption, subjects
from lazarus_tui.engine.artefacts import Artefacts
from lazarus_tui.engine.contexts import Connection, Contexts
from lazarus_tui.engine.hub import Hub
from lazarus_tui.engine.mirror import Mirror
from lazarus_tui.engine.place import Place
from lazarus_tui.engine.runner import Runner
from lazarus_tui.engine.supervisor import Supervisor, Work
from lazarus_tui.engine.sweeping import Sweeping
from lazarus_tui.engine.volumelists import VolumeLists
from lazarus_tui.kube.watch import follow
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import BACKUPS

Told = Callable[[str], Sequence[Any]]


class Following:
    """``mirror`` is asked for by every connection that stands. ``told_of``: operations and proofs of a context.
    ``words(name, reason, hint)``: why one does not answer, and what to do."""

    def __init__(
        self, hub: Hub, clock: Clock, contexts: Contexts, runner: Runner, artefacts: Artefacts, sweeping: Sweeping,
        supervisor: Supervisor, *, told_of: Told, words: Callable[[str, str, str], tuple[str, str]],
    ) -> None:  # fmt: skip
        self._hub, self._clock, self._contexts, self._runner = hub, clock, contexts, runner
        self._artefacts, self._sweeping, self._supervisor, self._told_of = artefacts, sweeping, supervisor, told_of
        self._words = words
        self.mirrors: dict[str, Mirror] = {}

    def touch(self, name: str) -> None:
        """Something that the Overview of a context shows has changed outside its cluster."""
        if name in self.mirrors:
            self.mirrors[name].touch()

    def mirror(self, connection: Connection) -> Mirror:
        assert connection.cluster is not None
        assert connection.identity is not None
        name = connection.context.name
        lists = self._volume_lists(name)
        self.mirrors[name] = Mirror(
            self._hub,
            self._clock,
            connection.cluster,
            name,
            rule=connection.identity.cron_rule,
            velero=connection.identity.velero_namespace,
            several=connection.identity.velero if len(connection.identity.velero) > 1 else (),
            follow=follow,
            overview=lambda sight: partial(
                subjects.overview,
                sight,
                self._told_of(name),
                subjects.Held(lists.infos(), lists.failures(), lists.unread),
            ),
            shown=lambda rows: lists.want(subjects.lists_worth_reading(rows)),
            beside=partial(self._beside, connection, lists),
            heard=lambda reason, hint: self._contexts.heard(connection, reason=reason, hint=hint),
            words=partial(self._words, name),
        )
        return self.mirrors[name]

    async def _beside(self, connection: Connection, lists: VolumeLists) -> None:
        """Its forgotten operations, its volume lists and its janitor: none of them takes the others along."""
        assert connection.cluster is not None
        cluster, name = connection.cluster, connection.context.name
        work: tuple[Work, ...] = (
            partial(adoption.keep_looking, cluster, name, self._runner, self._clock),
            lists.run,
            partial(self._sweeping.run, cluster, name),
        )
        async with asyncio.TaskGroup() as all:
            for part, one in zip(_parts(name), work, strict=True):
                all.create_task(self._supervisor.keep(part, one))

    def could_run(self) -> set[str]:
        """The parts that run, and those of contexts that are known and not in use now."""
        return {*self._supervisor.parts, *(part for name in self._contexts.names for part in _parts(name))}

    def _volume_lists(self, name: str) -> VolumeLists:
        async def fetch(backup: str) -> bytes:
            return await self._artefacts.raw(Place(self._contexts, name), "BackupVolumeInfos", backup)

        def uid(backup: str) -> str:
            found = self.mirrors[name].records(BACKUPS).get(backup)
            return found.metadata.uid if found is not None else ""

        return VolumeLists(
            self._clock, fetch=fetch, uid=uid, writable=lambda: self._contexts.writable(name),
            changed=lambda: self.mirrors[name].touch(),
        )  # fmt: skip


def _parts(context: str) -> tuple[str, str, str]:
    """What works beside the mirror of a context is called so."""
    return (
        f"the look for operations of others in {context}",
        f"the reading of volume lists of {context}",
        f"the janitor of {context}",
    )
