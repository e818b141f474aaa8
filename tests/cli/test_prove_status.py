"""``lazarus prove status`` and ``list``: what the Proofs pane shows, for a shell."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner

from lazarus_tui.cli import prove_run, prove_status
from tests.console import proofs, worlds
from tests.console.moment import CONTEXT


class Desk:
    """A session that answers from what the console's tests see."""

    def __init__(self) -> None:
        history = [*proofs.history().values(), proofs.running()]
        self.found = {
            "overview": worlds.overview(),
            "operations": {each.id: each for each in history},
            "proofs": proofs.views(*history),
        }

    def context(self) -> str:
        return CONTEXT

    def records(self, name: str) -> dict[str, Any]:
        return self.found[name]


def printed(command: Any, *words: str) -> str:
    done = CliRunner().invoke(command, list(words), obj=Desk(), standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


def test_the_status_has_the_panes_columns_and_a_row_per_workload() -> None:
    head, *rows = printed(prove_status.status).splitlines()
    assert head.split("  ")[0] == "WORKLOAD"
    assert "PROVEN UP TO" in head
    assert [row.split()[0] for row in rows] == ["intranet/wiki", "shop/orders", "shop/web", "shop/writer"]
    assert "✓✓✓✓✗○○ restores" in rows[1]


def test_for_programs_nothing_is_claimed_that_was_not_proven() -> None:
    wiki, orders, *_ = json.loads(printed(prove_status.status, "-o", "json"))
    assert (wiki["workload"], wiki["proof"], wiki["proven_up_to"], wiki["ladder"]) == (
        "intranet/StatefulSet/wiki", None, None, {},
    )  # fmt: skip
    assert orders["running"] == "feed0123feed0123"
    assert orders["proof"]["verdict"] == "FAILED"
    assert (orders["proven_up_to"], orders["ladder"]["healthy"], orders["rta_seconds"]) == ("restores", "FAILED", None)
    assert [each["green"] for each in (wiki, orders)] == [False, False]
    assert orders["rto"] == {"seconds": 60.0, "result": "unknown"}
    assert (orders["control"]["verdict"], orders["control"]["control"]) == ("PASSED", "withhold")


def test_the_list_says_of_each_proof_and_workload_what_the_pane_says() -> None:
    rows = printed(prove_run.list_proofs).splitlines()
    (red,) = [row for row in rows if row.startswith("9c30f684e742512c")]
    assert red.split()[1] == "shop/StatefulSet/orders"
    assert "✗ FAILED" in red
    (control,) = [row for row in rows if row.startswith("c0ffee")]
    assert "control withhold" in control
    assert len([row for row in rows if row.startswith("0000000000000001")]) == 2
    assert "▶ running" in next(row for row in rows if row.startswith("feed0123"))
