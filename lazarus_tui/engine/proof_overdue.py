"""What a proof policy owes and did not do, read from its queue."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lazarus_tui.engine.proof_book import ProofBook, Stored
from lazarus_tui.model.clock import parse_rfc3339, rfc3339
from lazarus_tui.model.proof_policies import Entry, State, Subject, open_seconds


def overdue(stored: Stored, book: ProofBook, now: datetime) -> tuple[str, str]:
    """What a policy owes and did not do: since when (RFC 3339), and why in words; two empty texts when it keeps up."""
    entries = book.entries(stored.context, stored.policy.name)
    late = [one for one in entries if one.state is State.WAITING and _late(stored, _since(one), now)]
    if late and any(one.queued == stored.overdue_due for one in entries):
        return stored.overdue_due, stored.overdue  # one that waited was told, and what waits now is the same trouble
    if late:
        oldest = min(late, key=lambda one: one.queued)
        why = oldest.waiting or stored.waiting or "it has not begun"
        return oldest.queued, f"the proof of {oldest.subject} from {oldest.point} did not begin: {why}"
    if stored.waiting and stored.overdue:
        return stored.overdue_due, stored.overdue  # while nothing can be looked at, nothing is known to be over
    if stored.waits_since is not None and _late(stored, stored.waits_since, now):
        return rfc3339(stored.waits_since), f"nothing of it can be looked at: {stored.waiting}"
    ended = [one for one in entries if one.state in (State.DONE, State.REFUSED) and not one.control]
    last = {one.subject: one for one in sorted(ended, key=lambda one: one.ended)}
    newest = max(last.values(), key=lambda one: one.ended, default=None)
    if stored.missed_at and (newest is None or newest.ended < stored.missed_at):
        return stored.missed_at, stored.missed_why
    if newest is not None and (refused := _refusals(stored, last.values(), newest)):
        one = max(refused, key=lambda one: one.ended)
        return one.ended, f"the proof of {one.subject} from {one.point} could not be planned: {one.words}"
    return "", ""


def _since(one: Entry) -> datetime:
    """From when on it could have begun."""
    return parse_rfc3339(max(one.queued, one.after))


def _late(stored: Stored, since: datetime, now: datetime) -> bool:
    """Whether something waits for too long: times in which nothing of the policy begins do not count."""
    limit = stored.policy.late_seconds
    return (now - since).total_seconds() > limit and open_seconds(stored.policy, since, now, limit) > limit


def _refusals(stored: Stored, last: Iterable[Entry], newest: Entry) -> list[Entry]:
    """Workloads whose last proof was refused, whatever became of the others; one that labels found and that has had no
    part in what was queued since is gone."""
    named = {Subject(one.namespace, one.workload) for one in stored.policy.workloads if not one.labels}
    found = [one for one in last if one.state is State.REFUSED]
    return [one for one in found if one.subject in named or one.ended >= newest.queued]
