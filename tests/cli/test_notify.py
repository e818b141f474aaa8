"""``lazarus notify``: exit codes, the answers as tables, hostile text made visible."""

from __future__ import annotations

import json
from typing import Any

GOOD = {"sink": "ops", "kind": "slack", "outcome": "delivered", "words": "answered 200", "hint": ""}
BAD = {"sink": "oncall", "kind": "pagerduty", "outcome": "refused", "words": "answered 400", "hint": "look at it"}
ROW = {
    "id": "6b0c6f1f2c1d9e57", "sink": "siem", "state": "waiting", "told": "proof-failed", "action": "trigger",
    "severity": "error",
    "title": "Proof FAILED: shop\x1b[2J", "queued": "2026-01-01T00:00:00Z", "ended": "", "tries": 3,
    "next_seconds": 20.0, "why": "answered 503", "hint": "",
}  # fmt: skip


def test_a_test_that_every_sink_takes_ends_with_0(lazarus: Any) -> None:
    result, client = lazarus({"notify.test": [GOOD]}, "notify", "test", "ops")
    assert (result.exit_code, client.calls[-1]) == (0, ("notify.test", {"sink": "ops"}))
    assert "✓ delivered" in result.stdout


def test_a_test_that_one_does_not_take_ends_with_2(lazarus: Any) -> None:
    result, _ = lazarus({"notify.test": [GOOD, BAD]}, "notify", "test", "-o", "json")
    assert result.exit_code == 2
    assert json.loads(result.stdout)[1]["words"] == "answered 400"


def test_the_list_says_what_waits_and_shows_no_control_characters(lazarus: Any) -> None:
    result, _ = lazarus({"notify.list": [ROW]}, "notify", "list")
    assert result.exit_code == 0
    assert "waiting, 3 tries, next in 20 s" in result.stdout
    assert "answered 503" in result.stdout
    assert " error " in result.stdout
    result, _ = lazarus({"notify.list": [{**ROW, "action": "resolve"}]}, "notify", "list")
    assert " resolves " in result.stdout
    assert "\x1b" not in result.stdout


def test_an_empty_list_says_so(lazarus: Any) -> None:
    assert lazarus({"notify.list": []}, "notify", "list")[0].stdout == "(none)\n"
