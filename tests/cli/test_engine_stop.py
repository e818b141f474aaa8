"""``lazarus engine stop`` says that the engine has ended when its process is gone, and not before."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from lazarus_tui.cli import spawn
from lazarus_tui.cli.main import main
from lazarus_tui.model import processes

PID = 4711


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], tuple[int, int]]:
    """Run the command against an engine that is there for so many looks after its answer."""

    def run(looks: int) -> tuple[int, int]:
        left, passed, asked = [looks], [0.0], list[str]()

        def there(pid: int) -> bool:
            assert (pid, asked) == (PID, ["stats", "engine.stop"])
            left[0] -= 1
            return left[0] >= 0

        def call(method: str, *given: object, **more: object) -> dict[str, Any]:
            asked.append(method)
            return {"pid": PID} if method == "stats" else {}

        def sleep(seconds: float) -> None:
            passed[0] += seconds

        engine = SimpleNamespace(call=call, close=lambda: None)
        monkeypatch.setattr(spawn, "running_engine", lambda root: engine)
        monkeypatch.setattr(processes, "there", there)
        monkeypatch.setattr(time, "sleep", sleep)
        monkeypatch.setattr(time, "monotonic", lambda: passed[0])
        return main(["engine", "stop"]), left[0]

    return run


def test_it_is_waited_for(stopped: Callable[[int], tuple[int, int]], capsys: pytest.CaptureFixture[str]) -> None:
    assert stopped(40) == (0, -1)
    assert "the engine has ended" in "".join(capsys.readouterr())


def test_one_that_stays_is_not_said_to_have_ended(
    stopped: Callable[[int], tuple[int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = stopped(1_000_000)
    said = "".join(capsys.readouterr())
    assert (code, "has ended" in said) == (1, False), said
    assert f"the engine (process {PID}) was told to end, and is still there after 60 s" in said
