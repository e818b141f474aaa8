"""Volume lists of backups for the Overview, fetched one by one where nothing else tells what a backup holds.

Fetching creates a DownloadRequest, so a read-only context fetches none, and says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from lazarus_tui.engine.errors import Refused
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.link.codec import LinkFault
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.volumes import UNREAD, VolumeInfo, VolumeInfoError, parse_volume_infos

log = logging.getLogger(__name__)

READ_ONLY = "volume list not read: read-only"
AT_ONCE = 3  # lists fetched between two looks at the Overview
KEPT = 2000  # lists kept in memory, a few hundred bytes each
AGAIN = 600.0  # seconds before a list that could not be read is tried again


@dataclass(frozen=True, slots=True)
class _List:
    """What was found for the backup ``name``; ``trouble`` until the clock says ``until``."""

    name: str
    infos: tuple[VolumeInfo, ...] = ()
    trouble: str = ""
    until: float = float("inf")


class VolumeLists:
    """``fetch(name)`` gives the document; ``uid(name)`` that of the backup as it is now, "" without one.

    ``changed()`` is called when more is known. ``run`` runs as long as the cluster is followed.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        fetch: Callable[[str], Awaitable[bytes]],
        uid: Callable[[str], str],
        writable: Callable[[], bool],
        changed: Callable[[], None],
    ) -> None:
        self._clock, self._fetch, self._uid, self._writable, self._changed = clock, fetch, uid, writable, changed
        self._found: dict[str, _List] = {}
        self._wanted: list[str] = []
        self._asked = asyncio.Event()

    @property
    def unread(self) -> str:
        """Why lists that are not known were not read."""
        return UNREAD if self._writable() else READ_ONLY

    def infos(self) -> dict[str, tuple[VolumeInfo, ...]]:
        """By backup name."""
        return {found.name: found.infos for found in self._current() if not found.trouble}

    def failures(self) -> dict[str, str]:
        """Why a list could not be read, by backup name."""
        return {found.name: found.trouble for found in self._current() if found.trouble}

    def _current(self) -> list[_List]:
        now = self._clock.monotonic()
        return [found for uid, found in self._found.items() if found.until > now and self._uid(found.name) == uid]

    def want(self, names: Sequence[str]) -> None:
        """Fetch these next, instead of what was wanted before."""
        known = {found.name for found in self._current()}
        self._wanted = [name for name in names if name not in known][:AT_ONCE]
        if self._wanted:
            self._asked.set()

    async def run(self) -> None:
        while True:
            await self._asked.wait()
            self._asked.clear()
            read = False
            for name in self._wanted:
                if self._writable() and (uid := self._uid(name)):
                    self._found[uid] = await self._read(name)
                    read = True
            while len(self._found) > KEPT:
                self._found.pop(next(iter(self._found)))
            if read:
                self._changed()

    async def _read(self, name: str) -> _List:
        try:
            return _List(name, parse_volume_infos(await self._fetch(name)))
        except Refused as error:
            why = error.what
        except LinkFault as error:
            why = error.fault.what
        except (KubeError, VolumeInfoError, OSError) as error:
            why = str(error)
        except Exception as error:
            log.exception("volume list of %s", name)
            why = f"unexpected {type(error).__name__} in the engine"
        return _List(name, trouble=f"its volume list could not be read: {why}", until=self._clock.monotonic() + AGAIN)
