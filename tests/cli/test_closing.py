"""Closing and taking back from the shell: the name is sent, and never guessed."""

from typing import Any

import msgspec
import pytest

from lazarus_tui.link.client import LinkFault
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model.operation import OpState
from tests.cli.test_commands import an_operation


@pytest.mark.parametrize(("state", "code"), [(OpState.LEFT_CHANGED, 3), (OpState.FAILED, 2)])
def test_close_sends_name_and_reason_and_ends_with_the_operations_code(lazarus: Any, state: OpState, code: int) -> None:
    answers = {"operation.get": an_operation(OpState.PARKED), "operation.close": an_operation(state, code)}
    result, client = lazarus(answers, "operation", "close", "op", "--confirm", "nightly-1", "--reason", "rebuilt")
    assert (result.exit_code, client.calls[-1]) == (
        code,
        ("operation.close", {"id": "op1", "confirm": "nightly-1", "reason": "rebuilt"}),
    )
    assert state.upper() in result.stdout


def test_without_a_terminal_close_guesses_no_name(lazarus: Any) -> None:
    no = LinkFault(Fault("refused", "closing it needs the name 'nightly-1'", "", "--confirm nightly-1"))
    answers = {"operation.get": an_operation(OpState.PARKED), "operation.close": no}
    result, client = lazarus(answers, "operation", "close", "op1")
    assert result.exit_code == 5
    assert client.calls[-1][1]["confirm"] == ""
    assert "--confirm nightly-1" in result.stderr


@pytest.mark.parametrize("state", [OpState.PARKED, OpState.LEFT_CHANGED, OpState.DONE])
def test_undo_of_what_stands_still_asks_for_the_name(
    lazarus: Any, monkeypatch: pytest.MonkeyPatch, state: OpState
) -> None:
    found = msgspec.structs.replace(an_operation(state), can_undo=True, undo="the backup \x1b[2J comes back")
    monkeypatch.setattr("lazarus_tui.cli.operation.at_terminal", lambda: True)
    answers = {"operation.get": found, "operation.undo": LinkFault(Fault("refused", "no", "", ""))}
    result, client = lazarus(answers, "undo", "op1", typed="nightly-1\n")
    assert client.calls[-1] == ("operation.undo", {"id": "op1", "confirm": "nightly-1"})
    assert f"it is {state.value}; taking it back means: the backup" in result.stderr
    assert "\x1b" not in result.stderr
