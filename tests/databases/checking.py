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

from .house import SPACE


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


async def verdict(reader: Cluster, *, within: float | None = None, **check: Any) -> CheckResult:
    """What one check says, once; ``within``: the seconds that it gets, if not those of its own limit."""
    wanted = written(checks=[check])
    (one,) = wanted.checks
    context: Any = Context(reader)
    whole = one if within is None else structs.replace(one, timeout=within)
    return await judged(whole, context.clock, look_of(context, one, wanted))
