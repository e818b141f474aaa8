"""Verdicts: what a check, a proof or a rehearsal may say. Nothing else, and never a silent green."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    PASSED = "PASSED"
    FAILED = "FAILED"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_TESTED = "NOT TESTED"


_WORST_FIRST = (Verdict.FAILED, Verdict.INCONCLUSIVE, Verdict.NOT_TESTED, Verdict.PASSED)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a whole from the verdicts of its parts; a whole without parts was not tested."""
    found = set(verdicts)
    return next((verdict for verdict in _WORST_FIRST if verdict in found), Verdict.NOT_TESTED)
