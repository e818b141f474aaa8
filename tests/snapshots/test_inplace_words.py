"""Words about a claim that waits: they explain, and nothing depends on the right to read them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lazarus_tui.kube.errors import AuthError, Forbidden
from lazarus_tui.snapshots.inplace.replace import newest_warning

CLAIM = {"metadata": {"uid": "u1", "name": "data-db-0"}}


async def told(answer: Any) -> str:
    async def events(*where: Any, field_selector: str, **more: Any) -> Any:
        assert field_selector == "involvedObject.uid=u1,type=Warning"
        if isinstance(answer, Exception):
            raise answer
        return answer

    step, context = SimpleNamespace(namespace="prod"), SimpleNamespace(reader=SimpleNamespace(list=events))
    return await newest_warning(step, context, CLAIM)  # type: ignore[arg-type]


async def test_the_newest_warning_says_why_a_claim_waits() -> None:
    old = {"lastTimestamp": "2026-01-01T00:00:00Z", "message": "old"}
    new = {"lastTimestamp": "2026-01-02T00:00:00Z", "message": "no room"}
    assert await told([new, old]) == ": no room"
    assert await told([]) == ""


@pytest.mark.parametrize("refusal", [AuthError("401"), Forbidden("403")])
async def test_without_the_right_to_read_events_it_goes_on_without_words(refusal: Exception) -> None:
    assert await told(refusal) == ""
