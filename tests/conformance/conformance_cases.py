"""A case of the table, and the two ways to write one: a row (one exchange) and a function (a story)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from conformance_api import JSON, NS, PODS, Api
from conformance_target import Facts

# ``since`` of a behaviour that older servers were seen not to have, while the version that brought it is not known: the
# oldest version that Lazarus supports.
SUPPORTED = 25

Story = Callable[[Api], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """``since`` is the minor version that began to behave so; ``needs`` what must run besides the API server."""

    name: str
    run: Story
    needs: frozenset[str] = frozenset()
    since: int = 0
    namespaced: bool = True

    def unfit(self, facts: Facts) -> str:
        """Why it does not apply to a cluster; "" when it does."""
        lacks = sorted(self.needs - facts.has)
        return f"since 1.{self.since}" if self.since > facts.minor else f"needs {', '.join(lacks)}" if lacks else ""


class Table:
    """Collects the cases of one area; names are ``area/what``."""

    def __init__(self, area: str) -> None:
        self.area = area
        self.cases: list[Case] = []

    def story(self, *needs: str, since: int = 0, namespaced: bool = True) -> Callable[[Story], Story]:
        """The function's name, in words, is the case's name."""

        def keep(run: Story) -> Story:
            self._add(run.__name__.replace("_", "-"), run, frozenset(needs), since, namespaced)
            return run

        return keep

    def row(
        self,
        name: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        status: int,
        reason: str = "",
        text: str = "",
        given: tuple[tuple[str, Mapping[str, Any]], ...] = (),
        since: int = 0,
        type: str = JSON,
        query: Mapping[str, str] | None = None,
        accept: str = JSON,
    ) -> None:
        """One exchange after ``given`` objects were made; without a ``reason`` only the status is told."""

        async def run(api: Api) -> None:
            if path == PODS:
                await api.account()
            for where, obj in given:
                await api.make(where, obj)
            answer = await api(method, path, body, type=type, accept=accept, **(query or {}))
            if reason:
                answer.is_refused(status, reason, text)
            else:
                assert answer.status == status, answer.raw
                assert text in answer.raw.decode()

        self._add(name, run, frozenset(), since, NS in path or bool(given))

    def _add(self, name: str, run: Story, needs: frozenset[str], since: int, namespaced: bool) -> None:
        self.cases.append(Case(f"{self.area}/{name}", run, needs, since, namespaced))
