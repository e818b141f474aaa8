"""Pictures of the console for the README: ``python -m bench.screenshot [FOLDER]`` writes them, to ``docs`` at first."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

os.environ["TEXTUAL_ANIMATIONS"] = "none"

from lazarus_tui.app import Console
from tests.console import worlds
from tests.console.fake_link import FakeLink

PICTURES = {"overview": ((100, 30), ("down",)), "operation": ((100, 30), ("5", "enter"))}


async def picture(size: tuple[int, int], keys: tuple[str, ...]) -> str:
    """The SVG of a console on the scripted cluster after ``keys``."""
    app = Console(worlds.fill(FakeLink()), now=lambda: worlds.NOW)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause(0.2)
        # Some renderers trim a text's leading blanks, which are the columns here.
        return app.export_screenshot(title="lazarus").replace("<text ", '<text xml:space="preserve" ')


def main(folder: Path) -> None:
    for name, (size, keys) in PICTURES.items():
        path = folder / f"{name}.svg"
        path.write_text(asyncio.run(picture(size, keys)), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
