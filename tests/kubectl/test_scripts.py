"""The scripts: what an operator types, with the exit code and the words that must come back."""

from __future__ import annotations

import re

import pytest

from .kubectl_run import Kubectl, Script
from .scripts_access import SCRIPTS as ACCESS
from .scripts_objects import SCRIPTS as OBJECTS
from .scripts_reading import SCRIPTS as READING
from .scripts_storage import SCRIPTS as STORAGE
from .scripts_workloads import SCRIPTS as WORKLOADS

ALL: tuple[Script, ...] = (*OBJECTS, *READING, *WORKLOADS, *STORAGE, *ACCESS)
# Oldest kubectl whose exec, attach and port-forward are WebSockets.
OLDEST = (1, 31)


def test_kubectl_is_new_enough(kubectl: Kubectl) -> None:
    answer = kubectl.run("version -o json")
    found = re.search(r'"clientVersion": \{[^}]*"major": "(\d+)",\s*"minor": "(\d+)', answer.out)
    assert found, answer
    assert (int(found[1]), int(found[2])) >= OLDEST
    assert '"serverVersion"' in answer.out


def test_the_scripts_are_long_enough_to_mean_something() -> None:
    assert sum(len(script.commands) for script in ALL) >= 130
    assert len({script.name for script in ALL}) == len(ALL)
    for command in (command for script in ALL for command in script.commands):
        assert command.says or command.errs or command.lacks or command.exact is not None, command.line


@pytest.mark.parametrize("script", ALL, ids=[script.name for script in ALL])
def test_script(there: Kubectl, script: Script) -> None:
    complaints = script.run(there)
    assert not complaints, "\n".join(["", *complaints])
