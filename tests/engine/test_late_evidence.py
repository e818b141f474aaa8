"""Evidence that is written later changes what a proof says only where it had come to its end."""

from __future__ import annotations

import msgspec
import pytest

from lazarus_tui.engine import late_evidence
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.verdict import Verdict
from tests.notify.office import operation


@pytest.mark.parametrize(
    ("state", "stands"),
    [
        (OpState.DONE, (Verdict.PASSED, 0, "")),
        (OpState.LEFT_CHANGED, (Verdict.INCONCLUSIVE, 3, "closed by hand by me; may be left behind: Namespace q")),
        (OpState.FAILED, (Verdict.INCONCLUSIVE, 3, "closed by hand by me; may be left behind: Namespace q")),
    ],
)
def test_evidence_brings_nothing_to_its_end_that_was_broken_off(
    state: OpState, stands: tuple[Verdict, int, str]
) -> None:
    words = "closed by hand by me; may be left behind: Namespace q"
    judged = operation(1, state, verdict=Verdict.PASSED, exit_code=3, message=words)
    found = msgspec.structs.replace(judged, **late_evidence._stands(judged))
    assert (found.verdict, found.exit_code, found.message) == stands
