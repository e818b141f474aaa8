"""A console on a scripted link in a terminal of its own; run by the pty tests with what should happen in it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from lazarus_tui import launch

app_class, chosen = launch.load_app(os.environ)

import msgspec  # noqa: E402

from lazarus_tui.model.operation import StageProgress  # noqa: E402
from lazarus_tui.model.topics import LogLine  # noqa: E402
from tests.console import worlds  # noqa: E402
from tests.console.fake_link import FakeLink  # noqa: E402


class Busy(FakeLink):
    """A restore that moves: progress twice a second, a log line every second; when, stands in the file ``BEATS``."""

    async def run(self) -> None:
        following = asyncio.create_task(super().run())
        try:
            for beat in range(1, 1000):
                await asyncio.sleep(0.5)
                with Path(os.environ["BEATS"]).open("a") as told:
                    told.write(f"{time.monotonic()}\n")
                self.beat(beat)
        finally:
            following.cancel()

    def beat(self, beat: int) -> None:
        operation = worlds.running_operation()
        moved = (
            StageProgress("objects", min(40, beat), 40, "items"),
            StageProgress("volumes", beat * 65536, 4194304, "bytes"),
        )
        steps = tuple(
            msgspec.structs.replace(step, progress=moved, detail=f"{beat} of 40 items") if step.progress else step
            for step in operation.steps
        )
        self.put("operations", {operation.id: msgspec.structs.replace(operation, steps=steps, log_lines=5 + beat // 2)})
        if beat % 2 == 0:
            lines = {
                str(n): LogLine(n, worlds.ago(seconds=0), f"restore is InProgress: line {n}")
                for n in range(5 + beat // 2)
            }
            self.put(f"oplog/{operation.id}", lines)


def main() -> int:
    link = worlds.fill(Busy() if "busy" in sys.argv else FakeLink(), running="busy" in sys.argv)
    app = app_class(link, theme=chosen.theme, now=lambda: worlds.NOW)
    return launch.run_app(app, chosen)


if __name__ == "__main__":
    sys.exit(main())
