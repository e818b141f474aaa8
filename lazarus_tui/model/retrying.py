"""Whether a proof that came to no verdict is worth another try: when what kept it lies outside of its point. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.proof_policies import Entry, ProofPolicy, State, Subject, entry_id
from lazarus_tui.model.proofs import ProofRecord, Rung, record_of
from lazarus_tui.model.verdict import Verdict

# Seconds between the end of a try and the next one: what is broken for minutes is back by the first, an upgrade by the
# second; every further one waits three times as long, up to the last.
FIRST, TIMES, LONGEST = 300.0, 3.0, 4 * 3600.0
_STOPPED, _ISOLATION = "prove.stopped", "prove.isolation"


def outside(ended: Operation) -> str:
    """What kept a proof from a verdict, in words, where that was not its point; else ""."""
    if ended.state is OpState.UNDONE:
        return ""  # a person took it back
    record = record_of(ended.facts)
    if record is None:
        failed = ended.verdict in (Verdict.INCONCLUSIVE, Verdict.NOT_TESTED) and ended.state is not OpState.DONE
        return (ended.message or "it ended before it was judged") if failed else ""
    if ended.verdict is not Verdict.INCONCLUSIVE or record.not_green:
        return ""
    stopped = ended.facts.get(_STOPPED) or {}
    if stopped:
        open_ = (ended.facts.get(_ISOLATION) or {}).get("closed") is False
        return "" if open_ else f"{stopped.get('title') or stopped.get('step')}: {stopped.get('words')}"
    if record.control:
        return record.words if _asked_in_vain(ended) else ""
    doubts = [rung for rung in _doubts(record) if _is_outside(rung, ended)]
    return f"{doubts[0].name!r}: {doubts[0].why}" if doubts and len(doubts) == len(_doubts(record)) else ""


def _doubts(record: ProofRecord) -> list[Rung]:
    every = (rung for ladder in record.ladders for rung in ladder.rungs if rung.name in record.required)
    return [rung for rung in every if rung.verdict is Verdict.INCONCLUSIVE]


def _is_outside(rung: Rung, ended: Operation) -> bool:
    """What a point holds, and what its restore warns of, is the same the next time."""
    if rung.name in ("healthy", "data right"):
        return _asked_in_vain(ended) or (ended.facts.get(f"{_ISOLATION}_after") or {}).get("closed") is None
    point = ended.facts.get("prove.point") or {}
    whole = point.get("phase") in ("Completed", "ready") and not point.get("errors")
    return rung.name == "complete" and whole and bool(ended.facts.get("restore.unread"))


def _asked_in_vain(ended: Operation) -> bool:
    """Whether a check could not ask and might the next time."""
    could_not = [one for one in ended.checks if one.verdict is Verdict.INCONCLUSIVE]
    return any(not one.evidence.get("final") for one in could_not)


def spacing(attempt: int) -> timedelta:
    """Before the try of this number, from 1 on."""
    return timedelta(seconds=min(LONGEST, FIRST * TIMES ** (attempt - 1)))


def retry_id(one: Entry) -> str:
    """Of the try after this one: whoever finds the same reason finds the same."""
    return entry_id("retry", one.first or one.id, str(one.attempt + 1))


def due_again(policy: ProofPolicy, entries: Iterable[Entry], one: Entry) -> datetime | None:
    """From when on a proof may be tried again; None where it is not."""
    if (
        one.state is not State.DONE
        or not one.cause
        or one.attempt >= policy.retries
        or made_up_for(policy, entries, one)
    ):
        return None
    return parse_rfc3339(one.ended) + spacing(one.attempt + 1)


def made_up_for(policy: ProofPolicy, entries: Iterable[Entry], one: Entry) -> bool:
    """Whether a later one of the same workload and choice came to a verdict meanwhile."""
    key = _key(policy, one)
    return any(
        each.verdict in (Verdict.PASSED, Verdict.FAILED)
        for each in entries
        if each.judged
        and _key(policy, each) == key
        and (each.first or each.id) != (one.first or one.id)
        and each.queued > one.queued
    )


def _key(policy: ProofPolicy, one: Entry) -> tuple[str, Subject, bool, str]:
    return one.policy, one.subject, bool(one.control), policy.chosen_by(one)
