"""What a command says at the end: every figure with its definition, and what no check was there for."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lazarus_tui.cli.rehearse import record
from lazarus_tui.cli.running import follow, operation_text
from lazarus_tui.link.protocol import PullResult, TopicUpdate
from lazarus_tui.model.operation import Figures, Operation, OpState, StepState, StepView
from lazarus_tui.model.topics import LogLine
from lazarus_tui.model.verdict import Verdict

ENDED = Operation(
    id="0123456789abcdef", kind="velero.restore", context="lab", target="copy", title="Restore copy from b1",
    state=OpState.DONE, plan_digest="", started="2026-06-01T12:00:00Z", verdict=Verdict.PASSED,
    figures=Figures(
        rta_seconds=3.7, rta_definition="from T4 to T12", rpa_seconds=20.0, rpa_definition="from the newest data to T4",
        orders_lost=4, lost_definition="in shop, not in copy", watermark="2026-06-01T11:59:40.000Z",
    ),
    facts={"checks.untested": ["how new its data is"]},
)  # fmt: skip


def test_the_text_defines_each_figure_and_names_what_was_not_tested() -> None:
    lines = operation_text(ENDED).splitlines()
    for figure, definition in (
        ("recovery time actual", "from T4 to T12"),
        ("recovery point actual", "from the newest data to T4"),
        ("orders lost", "in shop, not in copy"),
        ("newest data restored", "2026-06-01T11:59:40.000Z"),
    ):
        assert any(line.startswith(figure) and line.endswith(definition) for line in lines), figure
    assert "  not tested: how new its data is" in lines


def test_what_could_not_be_counted_is_unknown_with_its_reason_once() -> None:
    figures = Figures(lost_definition="unknown: nobody counted")
    lines = operation_text(msgspec.structs.replace(ENDED, figures=figures)).splitlines()
    assert [line.split() for line in lines if line.startswith("orders lost")] == [
        ["orders", "lost", "unknown", "nobody", "counted"]
    ]


def test_the_record_of_a_rehearsal_defines_its_figures() -> None:
    found = record(ENDED)
    assert found["definitions"] == {
        "rta": "from T4 to T12",
        "rpa": "from the newest data to T4",
        "lost": "in shop, not in copy",
    }
    assert record(msgspec.structs.replace(ENDED, figures=None))["definitions"] == {"rta": "", "rpa": "", "lost": ""}


def test_the_record_of_a_parked_rehearsal_has_no_verdict_yet() -> None:
    assert record(ENDED)["verdict"] == Verdict.PASSED
    assert record(msgspec.structs.replace(ENDED, state=OpState.PARKED))["verdict"] is None


def test_nobody_is_told_of_orders_where_nobody_counts_them() -> None:
    figures = Figures(rta_seconds=1.0, rta_definition="from T4 to T12")
    assert "orders lost" not in operation_text(msgspec.structs.replace(ENDED, figures=figures))


class Link:
    """A session whose operation has gone on since ``before``."""

    def __init__(self, now: Operation, lines: list[LogLine]) -> None:
        self.answers: list[Any] = [msgspec.structs.replace(now, state=OpState.UNDOING), _pulled(now, lines)]

    def call(self, method: str, params: Any, type: Any) -> Any:
        return self.answers.pop(0)


def _pulled(now: Operation, lines: list[LogLine]) -> PullResult:
    encode = msgspec.json.encode
    told = [(f"oplog/{now.id}", ["1", "2"], lines), ("operations", [now.id], [now])]
    news = [(name, keys, [msgspec.Raw(encode(each)) for each in found]) for name, keys, found in told]
    return PullResult([TopicUpdate(topic=t, version=1, state="ready", keys=k, upserts=u) for t, k, u in news])


def test_what_was_told_before_is_not_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    steps = tuple(StepView(name, f"do {name}", StepState.DONE) for name in ("one", "two"))
    before = msgspec.structs.replace(ENDED, state=OpState.PARKED, steps=steps, log_lines=1)
    undone = (steps[0], msgspec.structs.replace(steps[1], state=StepState.UNDONE))
    now = msgspec.structs.replace(before, state=OpState.UNDONE, steps=undone)
    lines = [LogLine(n=n, at="2026-06-01T12:00:00Z", text=f"line {n}") for n in (1, 2)]
    assert follow(Link(now, lines), before.id, before=before).state is OpState.UNDONE  # type: ignore[arg-type]
    said = capsys.readouterr().err
    assert ("do one" in said, "line 1" in said) == (False, False)
    assert "undone do two" in said
    assert "line 2" in said
