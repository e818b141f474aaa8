"""Pictures of the console for the README, from a real sandbox after a real rehearsal.

``python -m bench.screenshot [FOLDER]`` writes them, to ``docs`` unless told otherwise; it takes about a minute.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from bench.servers import LAZARUS, sandbox

PICTURES = {"overview": ((104, 30), ()), "operation": ((104, 30), ("5", "enter"))}


async def picture(socket: Path, kubeconfig: str, size: tuple[int, int], keys: tuple[str, ...]) -> str:
    """The SVG of a console on the engine at ``socket`` after ``keys``."""
    from lazarus_tui.app import Console
    from lazarus_tui.launch import linked

    app = Console(linked(socket, kubeconfig, None))
    async with app.run_test(size=size) as pilot:
        await pilot.pause(4.0)
        await pilot.press(*keys)
        await pilot.pause(2.0)
        # Some renderers trim a text's leading blanks, which are the columns here.
        return app.export_screenshot(title="lazarus").replace("<text ", '<text xml:space="preserve" ')


def main(folder: Path) -> None:
    with sandbox() as env:
        os.environ.update(env, TEXTUAL_ANIMATIONS="none")
        from lazarus_tui.model.paths import StateRoot

        root = StateRoot(sandbox=True)
        subprocess.run([*LAZARUS, "rehearse", "-o", "name"], check=True)
        for name, (size, keys) in PICTURES.items():
            kubeconfig = str(root.cluster / "kubeconfig")
            drawn = asyncio.run(picture(root.socket, kubeconfig, size, keys))
            (folder / f"{name}.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
