"""What arrives while a place opens: it may be painted only when the place stands."""

from __future__ import annotations

import asyncio

from screens.operation import OperationScreen
from tests.console import worlds


async def test_news_between_opening_and_standing_end_nothing(opened, link):
    running = worlds.running_operation()
    link.put("operations", {running.id: running})
    async with opened() as hands:
        hands.app.push_screen(OperationScreen(running.id))
        for _ in range(100):
            hands.app._renew()
            await asyncio.sleep(0)
        await hands.settle()
        assert running.steps[0].title in hands.text
