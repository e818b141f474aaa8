"""Every liar there is."""

from __future__ import annotations

import asyncio

from tests.prove.liars import copies, restoring, stored
from tests.prove.liars.liar import Liar, Told, told

LEAST = 40
LIARS: tuple[Liar, ...] = (*stored.LIARS, *restoring.LIARS, *copies.LIARS)


def of(number: int) -> Told:
    """What came of one, in a process of a pool."""
    return asyncio.run(told(LIARS[number]))
