from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ["TEXTUAL_FPS"] = "240"

from lazarus_tui.app import Console
from screens.approval import Approval
from tests.console import worlds
from tests.console.driving import Hands
from tests.console.fake_link import FakeLink


@pytest.fixture
def link() -> FakeLink:
    return worlds.fill(FakeLink(), running=False)


@pytest.fixture
def unguarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of reading is over at once, and once only: ``Hands.settle`` waits for it."""
    monkeypatch.setattr(Approval, "guard", 0.001)


@pytest.fixture
def opened(link: FakeLink, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AbstractAsyncContextManager[Hands]]:
    """Cards do not grow old by the real time that a test takes."""
    monkeypatch.setattr(Approval, "lifetime", 3600.0)

    @asynccontextmanager
    async def open_console(size: tuple[int, int] = (80, 24), **more: Any) -> AsyncIterator[Hands]:
        app = Console(link, now=lambda: worlds.NOW, **more)
        async with app.run_test(size=size) as pilot:
            hands = Hands(app, pilot, link)
            await hands.settle()
            yield hands

    return open_console
