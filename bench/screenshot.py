"""Pictures of the console for the documents, from a real sandbox after a real rehearsal and real proofs.

``python -m bench.screenshot [FOLDER]`` writes them, to ``docs`` unless told otherwise; it takes about two minutes.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from bench.servers import LAZARUS, sandbox
from lazarus_tui.model.paths import StateRoot

PICTURES = {"overview": ((104, 30), ()), "operation": ((104, 30), ("5", "enter"))}
PROOFS = {"proofs": ((104, 30), ("7", "enter"))}
# Proofs of the shop's newest usable point, and last a control of it.
RUNS = ((), (), (), ("--control", "withhold"))
_SHOP = ("--workload", "shop/StatefulSet/orders")


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
        root = StateRoot(sandbox=True)
        subprocess.run([*LAZARUS, "rehearse", "-o", "name"], check=True)
        _draw(folder, root, PICTURES)
        for words in RUNS:
            subprocess.run([*LAZARUS, "--sandbox", "prove", "run", *_SHOP, *words, "-o", "name"], check=True)
        _draw(folder, root, PROOFS)


def _draw(folder: Path, root: StateRoot, pictures: Mapping[str, tuple[tuple[int, int], tuple[str, ...]]]) -> None:
    for name, (size, keys) in pictures.items():
        kubeconfig = str(root.cluster / "kubeconfig")
        drawn = asyncio.run(picture(root.socket, kubeconfig, size, keys))
        (folder / f"{name}.svg").write_text(drawn, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
