"""Real probes: is what runs in a container started, alive, and ready?"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from lazarus_tui.model.clock import listened
from lazarus_tui.sandbox.dataplane.relay import Streams

# Kubernetes' defaults for a probe, in seconds and counts.
_PERIOD, _TIMEOUT, _SUCCESSES, _FAILURES = 10.0, 1.0, 1, 3

# A container that just started is asked often for a while, whatever its period: local programs are up in 0.2 s.
_EAGER_PERIOD, _EAGER_TIMES = 0.1, 50

# Runs a command in the container; answers its exit code.
RunCommand = Callable[[list[str]], Awaitable[int]]
# Connects to a container's port, given as a number or a name.
Dial = Callable[[int | str], Awaitable[Streams]]


@dataclass(frozen=True, slots=True)
class Probe:
    """One probe as its object describes it; times in seconds."""

    action: dict[str, Any]
    delay: float
    period: float
    timeout: float
    successes: int
    failures: int

    @classmethod
    def of(cls, spec: dict[str, Any] | None) -> Probe | None:
        if not spec:
            return None
        return cls(
            action=spec,
            delay=float(spec.get("initialDelaySeconds") or 0),
            period=float(spec.get("periodSeconds") or _PERIOD),
            timeout=float(spec.get("timeoutSeconds") or _TIMEOUT),
            successes=int(spec.get("successThreshold") or _SUCCESSES),
            failures=int(spec.get("failureThreshold") or _FAILURES),
        )


class Verdict:
    """What a run of answers amounts to. ``good`` begins as False for startup and readiness, True for liveness."""

    def __init__(self, probe: Probe, good: bool) -> None:
        self._probe, self.good = probe, good
        self._streak = 0
        self.times = 0

    @property
    def exhausted(self) -> bool:
        """As many failures in a row as the probe allows."""
        return -self._streak >= self._probe.failures

    def heard(self, wrong: str) -> bool:
        """Takes one answer; True when ``good`` is different now."""
        self.times += 1
        if wrong and self.times < _EAGER_TIMES and not self.good:
            return False
        self._streak = min(self._streak, 0) - 1 if wrong else max(self._streak, 0) + 1
        before = self.good
        if self._streak >= self._probe.successes:
            self.good = True
        elif self.exhausted:
            self.good = False
        return self.good != before

    @property
    def eager(self) -> bool:
        return not self.good and self.times < _EAGER_TIMES

    @property
    def pause(self) -> float:
        """Seconds until the next attempt."""
        return min(self._probe.period, _EAGER_PERIOD) if self.eager else self._probe.period


async def ask(probe: Probe, dial: Dial, run: RunCommand) -> str:
    """One attempt; what is wrong in words, or ``""`` for success."""
    try:
        return await listened(probe.timeout, act(probe.action, dial, run))
    except TimeoutError:
        return f"no answer within {probe.timeout:g} s"
    except (OSError, ValueError, asyncio.IncompleteReadError) as fault:
        return str(fault) or type(fault).__name__


async def act(action: dict[str, Any], dial: Dial, run: RunCommand) -> str:
    """What a probe or a hook does: a request, a connection or a command; what is wrong, or ``""``."""
    if http := action.get("httpGet"):
        status = await _http_status(await dial(http["port"]), http.get("path") or "/")
        return "" if 200 <= status < 400 else f"HTTP probe failed with statuscode: {status}"
    if tcp := action.get("tcpSocket"):
        _, writer = await dial(tcp["port"])
        writer.close()
        return ""
    if command := action.get("exec"):
        code = await run(list(command.get("command") or []))
        return "" if code == 0 else f"the command ended with {code}"
    return "this kind of probe is not known here"


async def _http_status(streams: Streams, path: str) -> int:
    reader, writer = streams
    try:
        host = writer.get_extra_info("peername")[0]
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: kube-probe\r\nConnection: close\r\n\r\n".encode()
        )
        line = (await reader.readline()).split(None, 2)
        if len(line) < 2 or not line[1].isdigit():
            raise ValueError("the answer is not HTTP")
        return int(line[1])
    finally:
        writer.close()
