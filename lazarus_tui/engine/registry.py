"""What this engine can do: kinds of operations, contributed by the subject packages."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import msgspec

from lazarus_tui.engine.errors import Refused
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.plan import Params, Plan
from lazarus_tui.model.stepping import planned
from lazarus_tui.model.steps import OperationType, Reader, Step

log = logging.getLogger(__name__)


class Registry:
    """Operation types by kind; also the ``Catalog`` from which a drill takes other subjects' steps."""

    def __init__(self, types: Iterable[OperationType] = ()) -> None:
        self._types: dict[str, OperationType] = {}
        for found in types:
            self.add(found)

    def add(self, found: OperationType) -> None:
        if found.kind in self._types:
            raise ValueError(f"two operation types are called {found.kind}")
        self._types[found.kind] = found

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(sorted(self._types))

    def get(self, kind: str) -> OperationType:
        """Raises ``Refused`` for a kind nobody registered."""
        try:
            return self._types[kind]
        except KeyError:
            raise Refused(
                f"this Lazarus knows no operation {kind!r}", hint=f"known: {', '.join(self.kinds)}", code="not-found"
            ) from None

    def known(self, plan: Plan | None) -> tuple[OperationType | None, Sequence[Step] | None]:
        """The type and steps of a journalled plan, None for what this program cannot make any more."""
        if plan is None:
            return None, None
        try:
            return self.get(plan.kind), self.steps(plan.kind, plan)
        except Exception:
            log.exception("steps of %s", plan.kind)
            return None, None

    async def plan(self, kind: str, reader: Reader, params: Params, clock: Clock) -> Plan:
        """Raises ``PlanRefused`` as the planner does. The plan lists the steps its builder makes with this catalog."""
        plan = await self.get(kind).plan(reader, params, clock)
        return msgspec.structs.replace(plan, steps=planned(self.steps(plan.kind, plan)))

    def steps(self, kind: str, plan: Plan) -> Sequence[Step]:
        return self.get(kind).steps(plan, self)
