"""A record says what it does not hold of its sources."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lazarus_tui.model.proofs import ProofRecord
from lazarus_tui.prove.proof.captured import not_captured
from lazarus_tui.prove.proof.ending import RECORD, Keep

WHOLE: dict[str, Any] = {
    "prove.point": {"name": "nightly"},
    "prove.space": {"uid": "u"},
    "prove.isolation": {"closed": True},
    "restore.uid": "r",
    "restore.phase": "PartiallyFailed",
    "restore.errors": 2,
    "restore.warnings": 1,
    "restore.words": "PartiallyFailed; 2 errors",
    "restore.messages": [["error", "no space"], ["error", "no space"], ["warning", "exists"]],
    "restore.unread": "",
    "prove.restore_log": {"restore": "r", "sha256": "0" * 64, "bytes": 9, "lines": 1, "cut": False, "unread": ""},
}


@pytest.mark.parametrize(
    ("news", "says"),
    [
        ({}, []),
        ({"prove.point": None}, ["what the point said of itself: it was not read"]),
        ({"restore.messages": []}, ["Velero's list of 3 errors and warnings of the restore: it could not be read"]),
        ({"restore.words": None}, ["Velero's list of 3 errors and warnings of the restore: it could not be read"]),
        (
            {"restore.unread": "which volumes the point holds could not be read: gone"},
            ["which volumes the point holds"],
        ),
        ({"prove.restore_log": None}, ["Velero's log of the restore: it was not come to"]),
        (
            {"prove.restore_log": {"restore": "r", "unread": "there is no RestoreLog in the bucket"}},
            ["Velero's log of the restore: there is no RestoreLog in the bucket"],
        ),
        ({"prove.isolation": None}, ["what the probes of the quarantine saw: they did not answer"]),
    ],
)
def test_what_is_missing_is_named(news: dict[str, Any], says: list[str]) -> None:
    found = not_captured({"source": "velero"}, {**WHOLE, **news})
    assert [line[: len(words)] for line, words in zip(found, says, strict=True)] == says


def test_a_clean_restore_has_no_list_to_miss_and_a_set_no_log() -> None:
    clean = {**WHOLE, "restore.phase": "Completed", "restore.errors": 0, "restore.warnings": 0, "restore.messages": []}
    assert not_captured({"source": "velero"}, clean) == []
    assert not_captured({"source": "snapshots"}, {**clean, "prove.restore_log": None}) == []


def test_what_was_never_come_to_is_not_missing() -> None:
    assert not_captured({"source": "velero"}, {"prove.point": {"name": "nightly"}}) == []
    running = {"prove.point": {"name": "nightly"}, "restore.uid": "r"}
    assert not_captured({"source": "velero"}, running) == ["Velero's results of the restore: it was not seen to end"]


class Context:
    """What the last step asks of its operation."""

    def __init__(self, facts: dict[str, Any]) -> None:
        record = ProofRecord(operation="op", source="velero", point="nightly", namespace="shop")
        self.facts = {**facts, RECORD: msgspec.to_builtins(record)}
        self.said: list[str] = []
        self.op, self.written, self.forgotten = "op", dict[str, Any](), ""

    async def say(self, text: str) -> None:
        self.said.append(text)

    async def evidence(self, record: dict[str, Any]) -> str:
        self.written = record
        return "path"

    async def kept(self, name: str) -> dict[str, Any] | None:
        return {"text": "restored"} if name == "restore-log-op" else None

    async def forget(self, name: str) -> None:
        self.forgotten = name

    async def remember(self, **facts: Any) -> None:
        self.facts |= facts


async def test_what_is_missing_is_in_the_record_and_in_the_log_of_the_operation() -> None:
    context = Context({**WHOLE, "restore.messages": []})
    await Keep({"source": "velero"}).act(context)  # type: ignore[arg-type]
    missing = "Velero's list of 3 errors and warnings of the restore: it could not be read"
    assert context.written["not_captured"] == [missing]
    assert context.said == [f"not in the evidence: {missing}"]
    assert context.facts["evidence"] == "path"
    assert context.written["restore_log"] == {
        "restore": "r", "sha256": "0" * 64, "bytes": 9, "lines": 1, "cut": False, "text": "restored",
    }  # fmt: skip
    assert context.forgotten == "restore-log-op"
