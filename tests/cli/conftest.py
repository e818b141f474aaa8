"""A command line over a scripted engine: answers are looked up by method, calls are recorded."""

from collections.abc import Callable
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner, Result

from lazarus_tui.cli.root import root
from lazarus_tui.cli.session import Session
from lazarus_tui.link.protocol import PullResult, TopicUpdate


class ScriptedClient:
    """Stands where ``SyncClient`` does; an answer is a value, an exception, or a function of the parameters."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def call(self, method: str, params: dict[str, Any], type: Any, *, timeout: float = 60.0) -> Any:
        self.calls.append((method, params))
        answer = self.answers[method]
        if callable(answer):
            answer = answer(params)
        if isinstance(answer, Exception):
            raise answer
        return msgspec.json.decode(msgspec.json.encode(answer), type=type)

    def close(self) -> None:
        return None


def topic(name: str, records: dict[str, Any], *, state: str = "ready", reason: str = "", hint: str = "") -> PullResult:
    """A pull's answer that holds the whole of one topic."""
    raws = [msgspec.Raw(msgspec.json.encode(record)) for record in records.values()]
    update = TopicUpdate(
        topic=name,
        version=1,
        state=state,
        keys=list(records),
        upserts=raws,
        reason=reason,
        hint=hint,
        as_of="2026-01-01T00:00:00Z",
    )
    return PullResult(updates=[update])


@pytest.fixture
def lazarus(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Result, ScriptedClient]]:
    """Run one command line over scripted answers."""

    def run(answers: dict[str, Any], *words: str, typed: str = "") -> tuple[Result, ScriptedClient]:
        client = ScriptedClient({"context.use": {"name": "prod"}, **answers})
        monkeypatch.setattr(Session, "client", lambda self: client)

        @click.command(context_settings={"ignore_unknown_options": True})
        @click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
        def whole(arguments: tuple[str, ...]) -> None:
            from lazarus_tui.cli import main

            raise SystemExit(main.run(main.hoist(arguments)))

        assert root is not None
        return CliRunner().invoke(whole, ["--", *words], input=typed), client

    return run
