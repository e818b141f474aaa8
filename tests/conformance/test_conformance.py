"""The table, case by case; and what guards the clusters that it may run on."""

from __future__ import annotations

from pathlib import Path

import pytest
from conformance_api import Api
from conformance_cases import Case
from conformance_table import ALL
from conformance_target import CONFIRM, VARIABLE, chosen
from known import KNOWN

from lazarus_tui.sandbox.api.kubeconfig import NAME, kubeconfig


@pytest.mark.asyncio(loop_scope="session")
async def test_the_server_behaves_as_kubernetes(case: Case, api: Api) -> None:
    if case.name in KNOWN and api.cluster.context == NAME:
        with pytest.raises(AssertionError):
            await case.run(api)
    else:
        await case.run(api)


def test_the_table_is_long_and_every_case_has_its_own_name() -> None:
    names = [case.name for case in ALL]
    assert len(names) >= 150
    assert len(set(names)) == len(names)


def test_known_differences_are_few_reasoned_and_of_cases_that_exist() -> None:
    assert len(KNOWN) <= 10
    assert set(KNOWN) <= {case.name for case in ALL}
    assert all(len(reason.split()) >= 5 for reason in KNOWN.values())


@pytest.fixture
def far(tmp_path: Path) -> str:
    """A kubeconfig of a server somewhere else."""
    file = tmp_path / "far"
    file.touch(mode=0o600)
    file.write_text(kubeconfig("https://cluster.example.com:6443", b"", "t"))
    return str(file)


def test_without_a_named_kubeconfig_it_is_the_sandbox_whatever_kubectl_would_take(far: str) -> None:
    assert chosen({"KUBECONFIG": far}) is None
    assert chosen({VARIABLE: "", "KUBECONFIG": far, CONFIRM: NAME}) is None


@pytest.mark.parametrize("answer", ["", "yes", "lazarus"])
def test_a_server_elsewhere_is_not_touched_without_the_name_of_its_context(far: str, answer: str) -> None:
    with pytest.raises(ValueError, match=f"{CONFIRM}={NAME}"):
        chosen({VARIABLE: far, CONFIRM: answer})


def test_a_server_elsewhere_is_taken_once_its_context_is_confirmed(far: str) -> None:
    context = chosen({VARIABLE: far, CONFIRM: NAME})
    assert context is not None
    assert context.cluster.server == "https://cluster.example.com:6443"


def test_a_kubeconfig_that_is_not_there_is_an_error_and_never_the_sandbox(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file"):
        chosen({VARIABLE: str(tmp_path / "none")})
