"""The hooks of a container's life: after its start, and before its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from lazarus_tui.model.clock import Clock
from lazarus_tui.sandbox.dataplane.probes import Dial, RunCommand, act

Object = dict[str, Any]

# A hook that takes up all the grace leaves the container this much of it (minimumGracePeriodInSeconds).
_LEAST_GRACE = 2.0


class Hooks:
    """Runs the hooks of one pod's containers; ``dial`` and ``commands`` reach into a container, ``happened`` tells."""

    def __init__(
        self,
        clock: Clock,
        dial: Callable[[Object], Dial],
        commands: Callable[[Object], RunCommand],
        happened: Callable[[str, str, str], None],
    ) -> None:
        self._clock, self._dial, self._commands, self._happened = clock, dial, commands, happened

    async def after_start(self, container: Object) -> bool:
        """False when the hook failed: the container is to be killed."""
        hook = (container.get("lifecycle") or {}).get("postStart")
        return not hook or await self._run(container, hook, "PostStart")

    async def before_end(self, containers: Iterable[Object], grace: float) -> float:
        """Runs all hooks side by side for at most ``grace`` seconds; what of it is left."""
        hooks = [(one, hook) for one in containers if (hook := (one.get("lifecycle") or {}).get("preStop"))]
        if not hooks or grace <= 0:
            return grace
        began = self._clock.monotonic()
        runs = {asyncio.create_task(self._run(one, hook, "PreStop")) for one, hook in hooks}
        limit = asyncio.create_task(self._clock.sleep(grace))
        try:
            left: set[asyncio.Task[Any]] = set(runs)
            while left and not limit.done():
                _, left = await asyncio.wait({*left, limit}, return_when=asyncio.FIRST_COMPLETED)
                left = {one for one in left if one is not limit}
        finally:
            for task in (*runs, limit):
                task.cancel()
            await asyncio.gather(*runs, limit, return_exceptions=True)
        return max(_LEAST_GRACE, grace - (self._clock.monotonic() - began))

    async def _run(self, container: Object, hook: Object, kind: str) -> bool:
        try:
            if "sleep" in hook:
                await self._clock.sleep(float(hook["sleep"].get("seconds") or 0))
                return True
            wrong = await act(hook, self._dial(container), self._commands(container))
        except (OSError, ValueError, asyncio.IncompleteReadError) as fault:
            wrong = str(fault) or type(fault).__name__
        if wrong:
            self._happened("Warning", f"Failed{kind}Hook", f"{kind}Hook failed: {wrong}")
        return not wrong
