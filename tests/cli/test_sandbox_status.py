"""``lazarus sandbox status``: faults that nobody could be asked about are not known, which is not the same as none."""

from __future__ import annotations

import json

import pytest

from lazarus_tui.cli.root import run_verb
from lazarus_tui.sandbox import process
from lazarus_tui.sandbox.faults import client
from lazarus_tui.sandbox.faults.model import FaultRefused, Told
from lazarus_tui.sandbox.process import SandboxStatus


@pytest.mark.parametrize(
    ("answer", "faults", "words"),
    [
        (TimeoutError("timed out"), None, "faults: not known: it does not say"),
        (FaultRefused("the sandbox answered 500"), None, "faults: not known: it does not say"),
        (client.SandboxDown(), [], ""),
        (Told([], [], 0), [], ""),
    ],
)
def test_a_sandbox_that_does_not_say_is_not_called_free_of_faults(
    answer: Exception | Told, faults: list[str] | None, words: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def told(*_: object) -> Told:
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(process, "status", lambda root: SandboxStatus(running=True, pid=7, server="https://x"))
    monkeypatch.setattr(client, "told", told)
    assert run_verb(["sandbox", "status", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["faults"] == faults
    assert run_verb(["sandbox", "status"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if line.startswith("faults")] == ([words] if words else [])


def test_of_a_sandbox_that_has_not_said_anything_yet_nothing_is_claimed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(process, "status", lambda root: SandboxStatus(running=True, pid=7))
    assert run_verb(["sandbox", "status", "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["running"], told["faults"], told["timeFactor"]) == (True, None, None)
    assert run_verb(["sandbox", "status"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "up, and does not say yet where it listens (pid 7)",
        "network policies: not known yet",
        "faults: not known: it does not say",
    ]
