"""Which incident a notice belongs to: two engines never end each other's; what an older Lazarus told is ended too."""

from __future__ import annotations

import msgspec
import pytest

from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.model.proofs import RUNGS, Ladder, ProofRecord, Rung
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.notify import outbox
from lazarus_tui.notify.notice import Action, Notice, Told
from lazarus_tui.notify.pagerduty import dedup_key
from tests.engine.world import fast_folder
from tests.notify.office import DELIVERED, LATER, Office, notice, operation, sink

LATE = {"context": "c", "policy": "nightly", "subject": "nightly", "due": "", "why": "it did not begin"}
ENDED = {"state": "done", "message": "", "exit_code": 2}
OLD = "proof/c/shop"  # as keys were before they named a cluster


def incident(one: Notice) -> str:
    return dedup_key(one.key, one.incident)


async def happens(office: Office, kind: str) -> None:
    await office.journal.append("", (kind, LATE))
    office.desk.wake()
    await office.settle()


async def test_what_two_engines_tell_of_one_policy_are_two_incidents_and_each_ends_its_own(office: Office) -> None:
    """One runs the policy, is late and dies; the other one takes over and is late as well; the first comes back."""
    with fast_folder() as folder:
        other = Office(folder)
        await office.boot()
        await other.boot()
        await happens(office, "run.overdue")
        await other.pass_(60.0)
        await happens(other, "run.overdue")
        await office.kill()
        await office.boot()
        await happens(office, "run.caught-up")
        first, over = office.post.notices
        [second] = other.post.notices
        await other.close()
    assert (over.action, {one.key for one in (first, over, second)}) == (Action.RESOLVE, {"overdue/c/nightly"})
    assert incident(over) == incident(first) != incident(second)


async def test_all_that_is_told_until_it_is_over_is_one_incident_and_what_comes_after_that_another(
    office: Office,
) -> None:
    await office.boot()
    for kind in ("run.overdue", "run.overdue", "run.caught-up", "run.overdue"):
        await office.pass_(60.0)
        await happens(office, kind)
    one, again, over, new = office.post.notices
    assert one.incident == again.incident == over.incident == one.id
    assert new.incident == new.id != one.id
    assert incident(one) == f"lazarus/overdue/c/nightly/{one.id}"


async def test_a_beat_belongs_to_what_it_repeats(office: Office) -> None:
    await office.boot()
    await office.desk.tell([notice()])
    await office.settle()
    await office.desk.beat(notice())
    assert [one.incident for one in office.post.notices] == [notice().id] * 2


def proof(n: int, verdict: Verdict, day: int, **fields: str) -> Operation:
    ladder = Ladder("shop", tuple(Rung(name, verdict) for name in RUNGS[:5]))
    record = ProofRecord(
        operation=f"{n:016x}", source="velero", point=f"b{day}", namespace="shop", verdict=verdict, ladders=(ladder,),
        point_start=f"2025-12-{day:02}T01:00:00Z", **fields,
    )  # fmt: skip
    facts = {"prove.record": msgspec.to_builtins(record)}
    return operation(n, OpState.DONE, verdict=verdict, facts=facts, ended="2026-01-01T00:01:00Z")


async def told_by_an_older_one(office: Office, *proofs: tuple[Operation, str], key: str = OLD) -> None:
    """Proofs (with the clusters they were made on) that ended before this desk read the journal, and what was told."""
    office.sinks = ()
    await office.boot()
    for done, cluster in proofs:
        plan = Plan(
            kind=done.kind, context="c", cluster_uid=cluster, target="shop", title=done.title, danger=Danger.SAFE,
            params={}, steps=(),
        )  # fmt: skip
        await office.journal.begin(msgspec.structs.replace(done, plan_digest=plan.digest()), plan, ("op.ended", ENDED))
    await office.close()
    office.sinks = (sink(),)
    await office.boot()
    for done, _ in proofs:
        alarm = notice(key, id=f"old-{done.id}", operation=done.id, point="")
        record = msgspec.to_builtins(alarm)
        await office.journal.append(
            "", (outbox.QUEUED, {"upto": office.journal.newest, "sinks": ["siem"], "notice": record})
        )
    await office.close()
    await office.boot()
    office.post.notices.clear()


async def test_a_proof_that_answers_what_an_older_lazarus_told_ends_that_under_its_own_key(office: Office) -> None:
    await told_by_an_older_one(office, (proof(1, Verdict.FAILED, 3), "u"), (proof(2, Verdict.FAILED, 2), "u"))
    assert [stands.told.incident for stands in office.desk.outbox.standing.values()] == [""]
    await office.happens(proof(3, Verdict.PASSED, 2), "op.ended", ENDED)
    assert office.post.notices == [], "that an older point is good ends nothing"
    await office.happens(proof(4, Verdict.PASSED, 3), "op.ended", ENDED)
    [over] = office.post.notices
    assert (over.told, over.action, incident(over)) == (Told.PROOF_PASSED, Action.RESOLVE, f"lazarus/{OLD}")
    assert office.desk.outbox.standing == {}
    await office.happens(proof(5, Verdict.PASSED, 4), "op.ended", ENDED)
    await office.kill()
    await office.boot()
    assert (len(office.post.notices), office.desk.outbox.standing) == (1, {})


async def test_one_of_another_cluster_or_that_nobody_can_look_up_is_left_to_a_person(office: Office) -> None:
    await told_by_an_older_one(office, (proof(1, Verdict.FAILED, 2), "another"), (proof(2, Verdict.FAILED, 1), "u"))
    await office.happens(proof(3, Verdict.PASSED, 9), "op.ended", ENDED)
    assert (office.post.notices, list(office.desk.outbox.standing)) == ([], [OLD])


async def test_a_control_that_is_noticed_ends_what_was_told_before_kinds_were_told_apart(office: Office) -> None:
    failed = proof(1, Verdict.FAILED, 2, control="withhold")
    await told_by_an_older_one(office, (failed, "u"), key="control/c@u/shop")
    await office.happens(proof(2, Verdict.PASSED, 3, control="flip"), "op.ended", ENDED)
    assert office.post.notices == [], "that checks notice another thing ends nothing"
    await office.happens(proof(3, Verdict.PASSED, 3, control="withhold"), "op.ended", ENDED)
    assert [one.key for one in office.post.notices] == ["control/c@u/shop"]


async def test_ids_are_remembered_of_the_newest_and_of_all_that_waits(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "KNOWN", 3)
    office.post.script["siem"] = [LATER]
    await office.boot()
    await office.desk.tell([notice("waits")])
    await office.settle()
    office.post.script["siem"] = [DELIVERED]
    for n in range(9):
        await office.desk.tell([notice(f"k{n}")])
        await office.settle()
    await office.desk.tell([notice("waits"), notice("k8")])
    await office.settle()
    assert len(office.post.handed) == 10, "neither is told twice"
    assert [one.notice.id for one in office.desk.outbox.waiting] == [notice("waits").id]
    assert len(office.desk.outbox._known) == 3
    await office.kill()
    await office.boot()
    await office.desk.tell([notice("k8")])
    await office.settle()
    assert [id for _, id in office.post.handed[10:]] == [notice("waits").id]
    assert len(office.desk.outbox._known) == 3
