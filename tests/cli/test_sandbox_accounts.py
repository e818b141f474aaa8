"""``lazarus sandbox kubeconfig --as``: what it refuses, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from lazarus_tui.cli.root import run_verb
from lazarus_tui.cli.session import Refused
from lazarus_tui.model.paths import StateRoot
from lazarus_tui.sandbox import accounts
from lazarus_tui.sandbox.process import SandboxFailed

WORDS = ["sandbox", "kubeconfig", "--as", "shop/mine"]


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAZARUS_STATE", str(tmp_path))


def test_a_file_of_somebody_else_has_no_path(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb([*WORDS, "--path"]) == 64
    assert "there is no file to name" in capsys.readouterr().err


def test_before_the_first_start_there_is_nobody() -> None:
    with pytest.raises(Refused) as caught:
        run_verb(WORDS)
    assert (caught.value.fault.code, caught.value.fault.hint) == ("not-found", "lazarus sandbox up")


@pytest.mark.parametrize(
    ("error", "code", "hint"),
    [
        (LookupError("there is no service account mine"), "not-found", "kubectl get serviceaccounts -A"),
        (SandboxFailed("the sandbox does not answer"), "unreachable", "lazarus sandbox up"),
    ],
)
def test_what_stands_in_the_way_is_told_with_the_next_step(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: str, hint: str
) -> None:
    def refuse(root: Path, account: str) -> str:
        assert (root, account) == (StateRoot(sandbox=True).cluster, "shop/mine")
        raise error

    monkeypatch.setattr(accounts, "kubeconfig_as", refuse)
    with pytest.raises(Refused, match=str(error)) as caught:
        run_verb(WORDS)
    assert (caught.value.fault.code, caught.value.fault.hint) == (code, hint)


def test_the_kubeconfig_is_the_whole_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(accounts, "kubeconfig_as", lambda root, account: f"of: {account}\n")
    assert run_verb(WORDS) == 0
    assert capsys.readouterr().out == "of: shop/mine\n"
