"""The CSI driver: cuts volumes while their pods stand still, deletes cuts, fills new volumes from them.

Parameters of its snapshot classes: ``uploadSeconds`` (time from the cut to readyToUse, by the clock) and
``freeze: "false"`` (copies under running writers, so that the copy may be torn).
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol

from lazarus_tui.model.clock import Clock, listened
from lazarus_tui.model.resources import VOLUMES
from lazarus_tui.sandbox.controllers.quantities import quantity
from lazarus_tui.sandbox.dataplane.copy import CopyStopped, tree_bytes
from lazarus_tui.sandbox.dataplane.volumes import DRIVER, NotOurVolume, VolumeStore
from lazarus_tui.sandbox.snapshots.storage import SnapshotStorage, Stored

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

Key = tuple[str, str]

# Seconds for which pods may stand still; a copy that takes longer is given up. Those for which this process is held up
# itself do not count: they stand still then, whoever gives up.
FREEZE_MOST = 10.0


class Freezer(Protocol):
    """What stops the pods of claims: the kubelet."""

    def frozen(self, claims: Iterable[Key]) -> AbstractAsyncContextManager[list[Key]]: ...


class DriverFault(Exception):
    """A CSI call failed. ``final``: nothing of it is still under way at the driver."""

    def __init__(self, code: str, text: str, *, final: bool = True) -> None:
        super().__init__(f"rpc error: code = {code} desc = {text}")
        self.final = final


@dataclass(slots=True)
class SnapshotFaults:
    """What goes wrong from now on; may be changed at any time.

    ``stuck``: snapshots are cut but never become ready. ``silent``: the driver does not answer the call that cuts.
    ``fails``, ``delete_fails``: calls that cut or delete fail with this text. ``torn``: nothing is frozen.
    ``unlisted``: the driver cannot list snapshots, so that any handle is taken for a good one.
    """

    stuck: bool = False
    silent: bool = False
    fails: str = ""
    delete_fails: str = ""
    torn: bool = False
    unlisted: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """What ListSnapshots says; a driver that cannot list knows neither ``created`` (ns) nor ``size`` (bytes)."""

    ready: bool
    created: int | None = None
    size: int | None = None
    group: str = ""


class DirectoryDriver:
    """Volumes and snapshots as directories. ``freezer`` None: there is nothing that could be frozen."""

    def __init__(
        self,
        api: LocalApi,
        clock: Clock,
        volumes: VolumeStore,
        *,
        freezer: Freezer | None = None,
        faults: SnapshotFaults | None = None,
        freeze_most: float = FREEZE_MOST,
    ) -> None:
        self._api, self._clock, self.volumes = api, clock, volumes
        self.storage = SnapshotStorage(volumes.root.parent / "snapshots")
        self.faults = faults or SnapshotFaults()
        self._freezer, self._freeze_most = freezer, freeze_most

    async def cut(self, name: str, volume: str, parameters: Mapping[str, str]) -> Stored:
        """CreateSnapshot: the same name gives the same snapshot. ``DriverFault`` when it cannot be had."""
        (stored,) = await self._cut({name: volume}, "", parameters)
        return stored

    async def cut_group(self, name: str, volumes: Sequence[str], parameters: Mapping[str, str]) -> list[Stored]:
        """CreateVolumeGroupSnapshot: all volumes at one moment, or none."""
        wanted = {f"{name}-{index}": volume for index, volume in enumerate(sorted(volumes))}
        return await self._cut(wanted, name, parameters)

    async def _cut(self, wanted: Mapping[str, str], group: str, parameters: Mapping[str, str]) -> list[Stored]:
        self._misbehave()
        known = [self.storage.find(handle) for handle in wanted]
        if all(known):
            return [one for one in known if one]
        for handle, one in zip(wanted, known, strict=True):
            if one:  # of a group that a crash left in part; its members must be of one moment
                await asyncio.to_thread(self.storage.delete, handle)
        sources = {handle: self._source(volume) for handle, volume in wanted.items()}
        sizes = {handle: self._size(volume) for handle, volume in wanted.items()}
        upload = _seconds(parameters.get("uploadSeconds", "0"))
        await asyncio.to_thread(self._check_room, *sources.values())
        created, took = await self._copy_all(sources, list(wanted.values()), _freezes(parameters, self.faults))
        made = [
            Stored(handle, volume, sizes[handle], created, created + int(upload * 1e9), group, took)
            for handle, volume in wanted.items()
        ]
        for one in made:
            self.storage.keep(one)
        return made

    def _misbehave(self) -> None:
        if self.faults.silent:
            raise DriverFault("DeadlineExceeded", "context deadline exceeded", final=False)
        if self.faults.fails:
            raise DriverFault("Internal", self.faults.fails)

    async def _copy_all(self, sources: Mapping[str, Path], volumes: Sequence[str], freeze: bool) -> tuple[int, int]:
        """The moment of the cut, and the real milliseconds for which pods stood still; -1 when they did not have to."""
        loop, stop = asyncio.get_running_loop(), Event()
        work: asyncio.Future[None] | None = None

        async def copied() -> tuple[int, int]:
            nonlocal work
            async with self._still(volumes, freeze):
                began, created = loop.time(), self._nanoseconds()
                work = loop.run_in_executor(None, self._copy_to, sources, stop, not freeze)
                await asyncio.shield(work)
                return created, int((loop.time() - began) * 1000) if freeze else -1

        try:
            return await (listened(self._freeze_most, copied()) if freeze else copied())
        except TimeoutError as fault:
            raise _not_still(volumes) from fault
        except OSError as fault:
            raise DriverFault("Internal", f"copy of {', '.join(volumes)} failed: {fault}") from fault
        finally:
            await _ended(work, stop)

    def _copy_to(self, sources: Mapping[str, Path], stop: Event, live: bool) -> None:
        try:
            for handle, source in sources.items():
                self.storage.copy(handle, source, stop, live=live)
        except BaseException:
            for handle in sources:
                self.storage.drop(handle)
            raise

    def _nanoseconds(self) -> int:
        return int(self._clock.now().timestamp() * 1_000_000) * 1000

    @contextlib.asynccontextmanager
    async def _still(self, volumes: Iterable[str], frozen: bool) -> AsyncIterator[bool]:
        """Whether there is anybody who has to stand still."""
        if not frozen or self._freezer is None:
            yield False
            return
        async with self._freezer.frozen([claim for volume in volumes for claim in self._claims(volume)]) as pods:
            yield bool(pods)

    def listed(self, handle: str) -> Listed:
        """ListSnapshots for one handle; ``DriverFault`` when the storage has none of that name."""
        if self.faults.unlisted:
            return Listed(True)
        try:
            stored = self.storage.find(handle)
        except ValueError:
            stored = None
        if stored is None:
            # The sidecar's words for an empty list; no call failed.
            raise LookupError(f"can not find snapshot for snapshotID {handle}")
        return Listed(self.is_ready(stored), stored.created, stored.size, stored.group)

    def is_ready(self, stored: Stored) -> bool:
        return not self.faults.stuck and self._nanoseconds() >= stored.ready

    async def delete(self, handles: Iterable[str]) -> None:
        """DeleteSnapshot, and DeleteVolumeGroupSnapshot with the handles of all members."""
        if self.faults.delete_fails:
            raise DriverFault("Internal", self.faults.delete_fails)
        for handle in handles:
            await asyncio.to_thread(self.storage.delete, handle)

    async def restore(self, snapshot: str, volume: str) -> None:
        """CreateVolume from a snapshot's handle."""
        try:
            source = self.storage.data(snapshot)
        except (FileNotFoundError, ValueError) as fault:
            raise DriverFault("NotFound", f"snapshot id {snapshot} does not exist in the snapshots list") from fault
        await asyncio.to_thread(self._check_room, source)
        await self._fill(lambda stop: self.volumes.populate(volume, source, stop))

    async def clone(self, source: str, volume: str) -> None:
        """CreateVolume from another volume, whose pods stand still for it, though not for longer than for a cut."""
        folder = self._source(source)
        await asyncio.to_thread(self._check_room, folder)
        try:
            async with self._still([source], True) as stopped:
                filling = self._fill(lambda stop: self.volumes.populate(volume, folder, stop))
                await (listened(self._freeze_most, filling) if stopped else filling)
        except TimeoutError as fault:
            raise _not_still([source]) from fault

    @staticmethod
    async def _fill(copy: Callable[[Event], None]) -> None:
        stop = Event()
        work = asyncio.get_running_loop().run_in_executor(None, copy, stop)
        try:
            await asyncio.shield(work)
        except OSError as fault:
            raise DriverFault("Internal", f"copy failed: {fault}") from fault
        finally:
            await _ended(work, stop)

    def _check_room(self, *sources: Path) -> None:
        """Refuses copies that would leave the machine's disk with less room than they take."""
        try:
            size = sum(tree_bytes(one) for one in sources)
        except OSError:
            return  # the copy itself will say it better
        if shutil.disk_usage(self.volumes.root).free < 2 * size:
            raise DriverFault("Internal", f"no space left on device: no room for a copy of {size} bytes")

    def _source(self, volume: str) -> Path:
        try:
            return self.volumes.of_handle(volume)
        except NotOurVolume as fault:
            raise DriverFault("NotFound", str(fault)) from fault

    def _volumes(self, handle: str) -> list[dict[str, Any]]:
        sources = ((one, one["spec"].get("csi") or {}) for one in self._api.list(VOLUMES))
        return [one for one, csi in sources if (csi.get("driver"), csi.get("volumeHandle")) == (DRIVER, handle)]

    def _claims(self, handle: str) -> list[Key]:
        references = (one["spec"].get("claimRef") for one in self._volumes(handle))
        return [(one.get("namespace", ""), one["name"]) for one in references if one]

    def _size(self, handle: str) -> int:
        sizes = [quantity((one["spec"].get("capacity") or {}).get("storage", "0")) for one in self._volumes(handle)]
        return max(sizes, default=0)


async def _ended(work: asyncio.Future[None] | None, stop: Event) -> None:
    """Has a copy that nobody waits for any more end soon; pods run again by then."""
    if work is not None and not work.done():
        stop.set()
        with contextlib.suppress(CopyStopped, OSError):
            await asyncio.shield(work)


def _not_still(volumes: Sequence[str]) -> DriverFault:
    return DriverFault("Internal", f"the pods of {', '.join(volumes)} did not stand still, or had to for too long")


def _freezes(parameters: Mapping[str, str], faults: SnapshotFaults) -> bool:
    return parameters.get("freeze") != "false" and not faults.torn


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if seconds < 0:
        raise DriverFault("InvalidArgument", f"uploadSeconds: {text!r} is no number of seconds")
    return seconds
