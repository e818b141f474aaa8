"""How long pods stand still for a cut, and that they never stay so."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time

import pytest

from lazarus_tui.model.resources import CLAIMS
from lazarus_tui.sandbox.clock import VirtualClock
from lazarus_tui.sandbox.dataplane.copy import CopyStopped
from lazarus_tui.sandbox.snapshots.driver import DirectoryDriver, DriverFault
from lazarus_tui.sandbox.snapshots.names import FROZEN_MILLISECONDS, SNAPSHOTS


class Watched:
    """A kubelet that writes down who stands still when."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.said, self.still, self._fault = [], False, fault

    @contextlib.asynccontextmanager
    async def frozen(self, claims):
        self.said.append(sorted(claims))
        if self._fault:
            raise self._fault
        self.still = True
        try:
            yield []
        finally:
            self.still = False


async def driver_of(site, freezer, **options):
    await site.filled()
    return DirectoryDriver(site.api, site.clock, site.volumes, freezer=freezer, **options), site.folder("data").name


async def test_the_pods_of_the_claim_stand_still_while_it_is_copied(site, monkeypatch):
    freezer = Watched()
    driver, handle = await driver_of(site, freezer)
    seen, whole = [], driver.storage.copy

    def copy(*args, live):
        seen.append((freezer.still, live))
        whole(*args, live=live)

    monkeypatch.setattr(driver.storage, "copy", copy)
    stored = await driver.cut("snapshot-1", handle, {})
    assert freezer.said == [[("shop", "data")]]
    assert seen == [(True, False)]
    assert not freezer.still
    assert stored.frozen_milliseconds >= 0


async def test_a_group_freezes_all_its_members_at_once(site):
    freezer = Watched()
    driver, first = await driver_of(site, freezer)
    await site.filled("more")
    await driver.cut_group("group-1", [first, site.folder("more").name], {})
    assert freezer.said == [[("shop", "data"), ("shop", "more")]]


@pytest.mark.parametrize("how", ["parameter", "fault"])
async def test_a_torn_snapshot_freezes_nobody(site, how):
    freezer = Watched()
    driver, handle = await driver_of(site, freezer)
    driver.faults.torn = how == "fault"
    stored = await driver.cut("snapshot-1", handle, {"freeze": "false"} if how == "parameter" else {})
    assert freezer.said == []
    assert stored.frozen_milliseconds == -1


async def test_the_class_torn_says_nothing_of_a_freeze(site):
    await site.filled()
    await site.ready(volumeSnapshotClassName="torn")
    assert FROZEN_MILLISECONDS not in site.content()["metadata"].get("annotations", {})


async def test_a_failed_copy_lets_the_pods_go_on(site, monkeypatch):
    freezer = Watched()
    driver, handle = await driver_of(site, freezer)

    def fails(*_, live):
        raise OSError("no space left")

    monkeypatch.setattr(driver.storage, "copy", fails)
    with pytest.raises(DriverFault, match="no space left"):
        await driver.cut("snapshot-1", handle, {})
    assert not freezer.still


async def test_a_copy_that_takes_too_long_is_given_up_and_the_pods_go_on_before_it_has_ended(site, monkeypatch):
    freezer = Watched()
    driver, handle = await driver_of(site, freezer, freeze_most=0.02)
    seen = []

    def slow(handle, source, stop, live):
        stop.wait(60)
        time.sleep(0.002)
        seen.append(freezer.still)
        raise CopyStopped

    monkeypatch.setattr(driver.storage, "copy", slow)
    with pytest.raises(DriverFault, match="for too long"):
        await driver.cut("snapshot-1", handle, {})
    assert seen == [False]
    assert list(driver.storage.handles()) == []


@pytest.mark.parametrize("how", ["cut", "clone"])
async def test_a_copy_is_not_given_up_because_the_sandbox_was_held_up_meanwhile(site, monkeypatch, how):
    class Mounted(Watched):
        @contextlib.asynccontextmanager
        async def frozen(self, claims):
            async with super().frozen(claims):
                yield [("shop", "orders-0")]

    driver, handle = await driver_of(site, Mounted())
    loop, copying, go = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    now, where = loop.time(), driver.volumes if how == "clone" else driver.storage
    name = "populate" if how == "clone" else "copy"
    whole = getattr(where, name)

    def copy(*args, **options):
        loop.call_soon_threadsafe(copying.set)
        go.wait(60)
        whole(*args, **options)

    monkeypatch.setattr(where, name, copy)
    monkeypatch.setattr(loop, "time", lambda: now)
    work = asyncio.ensure_future(driver.clone(handle, "copy") if how == "clone" else driver.cut("one", handle, {}))
    await copying.wait()
    for _ in range(3):  # it was held up three times for so long
        now += 60.0
        await asyncio.sleep(0)
    go.set()
    await work
    assert not driver._freezer.still


async def test_pods_that_do_not_stop_are_an_error_and_nothing_is_copied(site):
    driver, handle = await driver_of(site, Watched(TimeoutError("pod shop/orders-0 did not stand still")))
    with pytest.raises(DriverFault, match="did not stand still"):
        await driver.cut("snapshot-1", handle, {})
    assert list(driver.storage.handles()) == []


async def test_a_cut_that_is_cancelled_lets_the_pods_go_on_and_leaves_nothing(site, monkeypatch):
    freezer = Watched()
    driver, handle = await driver_of(site, freezer)
    begun, whole = asyncio.Event(), driver.storage.copy
    loop = asyncio.get_running_loop()

    def slow(handle, source, stop, live):
        loop.call_soon_threadsafe(begun.set)
        stop.wait(60)
        whole(handle, source, stop, live=live)

    monkeypatch.setattr(driver.storage, "copy", slow)
    cutting = asyncio.create_task(driver.cut("snapshot-1", handle, {}))
    await begun.wait()
    cutting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cutting
    assert not freezer.still
    assert list(driver.storage.root.iterdir()) == []


async def test_the_cut_is_dated_by_the_freeze(site):
    freezer = Watched()
    driver, handle = await driver_of(site, freezer)
    await site.advance(41)
    stored = await driver.cut("snapshot-1", handle, {"uploadSeconds": "3"})
    assert stored.created == int((VirtualClock().now().timestamp() + 41) * 1_000_000_000)
    assert stored.ready - stored.created == 3_000_000_000


async def test_a_clone_freezes_the_pods_of_its_source(site):
    freezer = Watched()
    site.driver._freezer = freezer
    await site.filled()
    kind = {"kind": "PersistentVolumeClaim", "name": "data"}
    site.claim("copy", dataSource=kind)
    await site.settle()
    assert site.status(CLAIMS, "copy")["phase"] == "Bound"
    assert freezer.said == [[("shop", "data")]]
    assert site.names_of(SNAPSHOTS) == []


async def test_a_clone_that_takes_too_long_is_given_up_when_pods_stand_still_for_it(site, monkeypatch):
    class Mounted(Watched):
        @contextlib.asynccontextmanager
        async def frozen(self, claims):
            async with super().frozen(claims):
                yield [("shop", "orders-0")]

    def slow(volume, source, stop):
        stop.wait(60)
        raise CopyStopped

    driver, handle = await driver_of(site, Mounted(), freeze_most=0.02)
    monkeypatch.setattr(driver.volumes, "populate", slow)
    with pytest.raises(DriverFault, match="for too long"):
        await driver.clone(handle, "copy")
    assert not driver._freezer.still


async def test_what_a_group_had_copied_before_one_copy_failed_is_removed(site, monkeypatch):
    driver, first = await driver_of(site, Watched())
    await site.filled("more")
    second, whole = site.folder("more").name, driver.storage.copy

    def fails(handle, *args, live):
        if handle.endswith("-1"):
            raise OSError("no space left")
        whole(handle, *args, live=live)

    monkeypatch.setattr(driver.storage, "copy", fails)
    with pytest.raises(DriverFault, match="no space left"):
        await driver.cut_group("group", [first, second], {})
    assert list(driver.storage.root.iterdir()) == []
