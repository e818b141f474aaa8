"""When a key that failed is tried again: later and later, as the CSI sidecars and the snapshot controller do it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

from lazarus_tui.model.clock import Clock

# --retry-interval-start and --retry-interval-max of external-snapshotter and external-provisioner, in seconds.
RETRY_FIRST, RETRY_MOST = 1.0, 300.0

_K = TypeVar("_K", bound=Hashable)


class Retries(Generic[_K]):
    """Counts the failures of each key. Events do not shorten the wait: a failure's own status would cause one."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tries: dict[_K, int] = {}
        self._due: dict[_K, float] = {}

    def wait(self, key: _K) -> float:
        """Seconds until the key may be tried; 0 when it may be now."""
        return max(0.0, self._due.get(key, 0.0) - self._clock.monotonic())

    def again(self, key: _K) -> float:
        """The key failed (or is not done): seconds until its next attempt."""
        tries = self._tries[key] = self._tries.get(key, 0) + 1
        seconds = min(RETRY_FIRST * 2.0 ** (tries - 1), RETRY_MOST)
        self._due[key] = self._clock.monotonic() + seconds
        return seconds

    def forget(self, key: _K) -> None:
        self._tries.pop(key, None)
        self._due.pop(key, None)
