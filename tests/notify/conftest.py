"""A desk on a journal in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.engine.world import fast_folder
from tests.notify.office import Office


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    with fast_folder() as folder:
        found = Office(folder)
        yield found
        await found.close()
