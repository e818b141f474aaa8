"""Volumes: their phases, and what becomes of them and of their data when the claim is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.resources import CLAIMS, VOLUMES, Resource
from lazarus_tui.sandbox.controllers.base import Controller, Key, Object, key_of
from lazarus_tui.sandbox.controllers.events import Recorder
from lazarus_tui.sandbox.controllers.pods import is_ending
from lazarus_tui.sandbox.dataplane.volumes import NotOurVolume, VolumeStore

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi


class VolumeController(Controller):
    """Available, Bound, Released; with the policy Delete a released volume goes, and its directory with it."""

    name = "volume"
    watches: ClassVar[Sequence[Resource]] = (VOLUMES, CLAIMS)

    def __init__(self, api: LocalApi, clock: Clock, volumes: VolumeStore) -> None:
        super().__init__(api, clock)
        self._volumes = volumes
        self._recorder = Recorder(api, clock, "persistentvolume-controller")

    async def start(self) -> None:
        await asyncio.to_thread(self._volumes.sweep)

    def keys(self, resource: Resource, obj: Object, old: Object | None) -> Iterable[Key]:
        if resource == VOLUMES:
            return (key_of(obj),)
        namespace, name = key_of(obj)
        return [
            key_of(volume)
            for volume in self.api.list(VOLUMES)
            if (reference := volume["spec"].get("claimRef"))
            and (reference.get("namespace"), reference["name"]) == (namespace, name)
        ]

    async def reconcile(self, key: Key) -> float | None:
        volume = self.api.get(VOLUMES, key[1])
        if volume is None:
            return None
        phase = self._phase(volume)
        if (volume.get("status") or {}).get("phase") != phase:
            volume = self.api.update_status(VOLUMES, {**volume, "status": {"phase": phase}})
        if phase == "Released" and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
            await self._reclaim(volume)
        return None

    def _phase(self, volume: Object) -> str:
        reference = volume["spec"].get("claimRef")
        if not reference:
            return "Available"
        claim = self.api.get(CLAIMS, reference["name"], reference.get("namespace"))
        if not reference.get("uid"):
            return "Available"
        if claim is None or claim["metadata"]["uid"] != reference["uid"]:
            return "Released"
        if claim["spec"].get("volumeName") == volume["metadata"]["name"]:
            return "Bound"
        return str((volume.get("status") or {}).get("phase") or "Pending")

    async def _reclaim(self, volume: Object) -> None:
        try:
            await asyncio.to_thread(self._volumes.delete, volume)
        except NotOurVolume as fault:
            if (volume.get("status") or {}).get("phase") != "Failed":
                self._recorder.warning(volume, "VolumeFailedDelete", str(fault))
            return
        if not is_ending(volume):
            self.api.delete(VOLUMES, volume["metadata"]["name"], uid=volume["metadata"]["uid"])
