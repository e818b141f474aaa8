"""Which sources of a proof's record were not captured: Velero removes its own records when they expire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.counting import how_many
from lazarus_tui.prove.proof.restore_log import LOG


def not_captured(params: Mapping[str, Any], facts: Mapping[str, Any]) -> list[str]:
    """One sentence for each thing that the record should hold of its sources and does not; pure.

    The results of a restore are its phase, its counts and, where there are any, its errors and warnings in full. What
    the proof never came to is not missing from the record: there was nothing to capture.
    """
    missing = []
    if facts.get("prove.point") is None:
        missing.append("what the point said of itself: it was not read")
    if params.get("source") == "velero" and facts.get("restore.uid"):
        missing += _restore(facts)
    if facts.get("prove.space") and facts.get("prove.isolation") is None:
        missing.append("what the probes of the quarantine saw: they did not answer")
    return missing


def _restore(facts: Mapping[str, Any]) -> list[str]:
    phase = facts.get("restore.phase")
    if not phase:
        return ["Velero's results of the restore: it was not seen to end"]
    count = int(facts.get("restore.errors") or 0) + int(facts.get("restore.warnings") or 0)
    log = facts.get(LOG) or {"unread": "it was not come to"}
    missing = [f"Velero's log of the restore: {log['unread']}"] if log["unread"] else []
    if facts.get("restore.words") is None or (count and not facts.get("restore.messages")):
        listed = how_many(count, "error or warning", "errors and warnings")
        missing.append(f"Velero's list of {listed} of the restore: it could not be read")
    if facts.get("restore.unread"):
        missing.append(str(facts["restore.unread"]))
    return missing
