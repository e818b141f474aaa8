"""A command that ends with a workload at zero says so in its last line, whatever else it printed."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.operation import OpState
from tests.cli.conftest import topic
from tests.console import sets

LINE = "LAZARUS: prod/db IS AT 0 REPLICAS (wanted 3), op 9f3c12ab, step create, run: lazarus resume 9f3c12ab"


@pytest.mark.parametrize("output", ["table", "json"])
def test_a_parked_restore_ends_with_the_line_and_code_3(lazarus: Any, output: str) -> None:
    result, _ = lazarus({"operation.get": sets.restore()}, "watch", "9f3c", "-o", output)
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (3, LINE)
    assert "LAZARUS" not in result.stdout


def test_one_that_was_found_by_its_capsule_is_looked_up(lazarus: Any) -> None:
    adopted = sets.restore("", facts={"set": "db-0400", "replicas": 3})
    answers = {"operation.get": adopted, "pull": topic("overview/prod", sets.row(0, 0))}
    result, _ = lazarus(answers, "watch", "9f3c")
    assert result.stderr.splitlines()[-1] == LINE.replace(", step create", "")


def test_in_the_sandbox_the_line_names_its_engine(lazarus: Any) -> None:
    result, _ = lazarus({"operation.get": sets.restore()}, "watch", "9f3c", "--sandbox")
    assert result.stderr.splitlines()[-1].endswith("run: lazarus --sandbox resume 9f3c12ab")


def test_a_restore_that_is_done_says_nothing(lazarus: Any) -> None:
    done = sets.restore("close", OpState.DONE, exit_code=0)
    result, _ = lazarus({"operation.get": done}, "watch", "9f3c")
    assert (result.exit_code, "LAZARUS" in result.stderr) == (0, False)
