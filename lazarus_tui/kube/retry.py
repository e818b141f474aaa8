"""Which reads are sent again, and when. Writes are never sent again here: the gate decides those."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from lazarus_tui.kube.errors import Ambiguous, KubeError, NotSent, NotTrusted, Pushback
from lazarus_tui.model.clock import Clock

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ReadPolicy:
    """Seconds and counts of reliability §3 A1, A3 and A9."""

    tries: int = 5
    first: float = 0.5
    longest: float = 8.0

    def wait(self, error: KubeError, failures: int, rng: Callable[[], float]) -> float | None:
        """Seconds before the next try after ``failures`` ≥ 1 failures, or None to give up."""
        if failures >= self.tries or isinstance(error, NotTrusted):
            return None
        if isinstance(error, Pushback):
            return error.retry_after * (1 + 0.2 * rng())
        if isinstance(error, NotSent | Ambiguous):
            return rng() * min(self.longest, self.first * 2.0 ** (failures - 1))
        return None


# Told why a read is sent again once that has gone on for ``TOLD_AFTER`` seconds, and None when it has an answer.
OnRetry = Callable[[KubeError | None], None]
TOLD_AFTER = 3.0

READ = ReadPolicy()
ONCE = ReadPolicy(tries=1)


async def with_retry(
    call: Callable[[], Awaitable[T]],
    clock: Clock,
    policy: ReadPolicy = READ,
    rng: Callable[[], float] = random.random,
    on_retry: OnRetry = lambda error: None,
) -> T:
    """Run a read until it answers, or the policy gives up with the last error."""
    failures, began, told = 0, clock.monotonic(), False
    while True:
        try:
            answer = await call()
            if told:
                on_retry(None)
            return answer
        except KubeError as error:
            failures += 1
            wait = policy.wait(error, failures, rng)
            if wait is None:
                raise
            if clock.monotonic() - began + wait > TOLD_AFTER:
                told = True
                on_retry(error)
        await clock.sleep(wait)
