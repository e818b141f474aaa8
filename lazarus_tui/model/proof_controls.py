"""Which proof of a policy is due to be broken on purpose, so that its checks are shown to notice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.proof_policies import Entry, ProofPolicy, Subject
from lazarus_tui.model.verdict import Verdict


def newest_passed(entries: Iterable[Entry], subject: Subject) -> Entry | None:
    """The proof of a workload that passed last."""
    of = (one for one in entries if one.subject == subject and one.judged and not one.control)
    return max((one for one in of if one.verdict is Verdict.PASSED), key=attrgetter("ended"), default=None)


def control_due(policy: ProofPolicy, subject: Subject, entries: Sequence[Entry], now: datetime) -> Entry | None:
    """The proof whose point a control should break now: the newest that passed, when none of it was broken since the
    last control went red less than a period ago."""
    of = [one for one in entries if one.policy == policy.name and one.subject == subject]
    newest = newest_passed(of, subject)
    if not policy.control or newest is None or any(one.control and one.state.open for one in of):
        return None
    last = max((one for one in of if one.control and not one.state.open), key=attrgetter("ended"), default=None)
    if last is None:
        return newest
    if last.verdict is Verdict.PASSED:
        period = timedelta(seconds=policy.control_seconds)
        return newest if now - parse_rfc3339(last.ended) >= period else None
    return newest if newest.ended > last.ended else None  # tried again with the next proof that passes
