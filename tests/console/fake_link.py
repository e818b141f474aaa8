"""A scripted engine for the console: topics are set, calls are answered from a table and remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from lazarus_tui.app import Console
from lazarus_tui.link.protocol import Fault
from lazarus_tui.view.source import LinkFault, LinkLost, LinkState, TopicState

T = TypeVar("T")
AS_OF = "2026-11-20T10:41:58Z"


class FakeLink:
    """The shape of ``link.client.Topics``. Answers are values, exceptions, or functions of the parameters."""

    def __init__(self) -> None:
        self.states: dict[str, TopicState] = {}
        self.answers: dict[str, Any] = {}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.wanted: frozenset[str] = frozenset()
        self.console: Console | None = None

    def __call__(self, console: Console) -> FakeLink:
        self.console = console
        return self

    def put(self, topic: str, records: Mapping[str, Any] | None = None, state: str = "ready", **more: str) -> None:
        """Publish a topic; without records those it has stay."""
        before = self.states.get(topic, TopicState())
        kept = dict(before.records if records is None else records)
        self.states[topic] = TopicState(before.version + 1, state, records=kept, **({"as_of": AS_OF} | more))
        if self.console is not None:
            self.console.changed(frozenset({topic}))

    def lose(self, reason: str = "connection closed") -> None:
        assert self.console is not None
        self.console.linked(LinkState.LOST, reason)

    def find(self) -> None:
        assert self.console is not None
        self.console.linked(LinkState.CONNECTED, "")

    def state(self, topic: str) -> TopicState:
        return self.states.get(topic, TopicState())

    def want(self, topics: Iterable[str]) -> None:
        self.wanted = frozenset(topics)

    async def call(self, method: str, params: dict[str, Any], type: type[T], *, timeout: float = 60.0) -> T:
        self.calls.append((method, params))
        answer = self.answers.get(method)
        if isinstance(answer, Callable):
            answer = answer(params)
        if isinstance(answer, BaseException):
            raise answer
        if answer is None:
            raise LinkLost(f"nothing answers {method}")
        return msgspec.convert(msgspec.to_builtins(answer), type)

    async def run(self) -> None:
        assert self.console is not None
        self.console.linked(LinkState.CONNECTED, "")
        await asyncio.Event().wait()


def refused(what: str, hint: str = "", details: tuple[str, ...] = ()) -> LinkFault:
    return LinkFault(Fault("refused", what, "", hint, details))
