"""What a check needs of an operation: the sandbox's cluster, and a gate that writes down what is announced."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.clock import SystemClock
from lazarus_tui.model.operation import CheckResult
from lazarus_tui.model.steps import Outcome, Write
from lazarus_tui.prove.checks.looking import look_of
from lazarus_tui.prove.checks.outcome import judged
from lazarus_tui.prove.definitions import Checks, parse

from .house import PATIENCE, SPACE


class Context:
    op = "0123456789abcdef"

    def __init__(self, reader: Cluster) -> None:
        self.reader, self.clock = reader, SystemClock()
        self.gate = self
        self.facts: dict[str, Any] = {}
        self.announced: list[Write] = []
        self.checks: list[CheckResult] = []

    async def announce(self, write: Write) -> int:
        self.announced.append(write)
        return len(self.announced)

    async def settled(self, intent: int, outcome: Outcome, reason: str = "") -> None: ...

    async def checked(self, *results: CheckResult) -> None:
        self.checks = [one for one in self.checks if one.name not in {result.name for result in results}] + [*results]


def written(**checks: Any) -> Checks:
    return parse({"sources": {SPACE: SPACE}, "checks": checks}, "sandbox")


async def verdict(reader: Cluster, **check: Any) -> CheckResult:
    """What one check says, once. Its own limit is the server's and the driver's alone: how long it takes to reach a
    server on a busy machine decides nothing."""
    wanted = written(checks=[check])
    (one,) = wanted.checks
    context: Any = Context(reader)
    return await judged(structs.replace(one, timeout=PATIENCE), context.clock, look_of(context, one, wanted))
