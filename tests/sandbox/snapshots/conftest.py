"""Clusters with a snapshot controller and a CSI driver, without processes and on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.snapshots.site import Site

MakeSite = Callable[..., Awaitable[Site]]


@pytest.fixture
async def make_site(tmp_path: Path) -> AsyncIterator[MakeSite]:
    made: list[Site] = []

    async def make(**options: Any) -> Site:
        site = Site(tmp_path / str(len(made)), **options)
        made.append(site)
        await site.start()
        return site

    yield make
    for site in made:
        await site.loop.stop()
    await asyncio.sleep(0)


@pytest.fixture
async def site(make_site: MakeSite) -> Site:
    return await make_site()
