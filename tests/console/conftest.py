from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ["TEXTUAL_FPS"] = "240"

from lazarus_tui.app import Console
from tests.console import worlds
from tests.console.driving import Hands
from tests.console.fake_link import FakeLink


@pytest.fixture
def link() -> FakeLink:
    return worlds.fill(FakeLink(), running=False)


@pytest.fixture
def opened(link: FakeLink) -> Callable[..., AbstractAsyncContextManager[Hands]]:
    @asynccontextmanager
    async def open_console(size: tuple[int, int] = (80, 24), **more: Any) -> AsyncIterator[Hands]:
        app = Console(link, now=lambda: worlds.NOW, **more)
        async with app.run_test(size=size) as pilot:
            hands = Hands(app, pilot, link)
            await hands.settle()
            yield hands

    return open_console
