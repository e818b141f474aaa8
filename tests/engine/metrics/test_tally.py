"""Counters come from the journal: they go on after a restart, never fall, and never count twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from lazarus_tui.engine.metrics.tally import OTHER, Subject, Tally
from lazarus_tui.journal import Journal
from lazarus_tui.model.operation import OpState
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.sandbox.clock import VirtualClock
from tests.engine.metrics.book import begin, ended, plan, run
from tests.engine.world import fast_folder

SHOP = Subject("prod", "nightly", "shop")
PASSED, FAILED, UNKNOWN = Verdict.PASSED, Verdict.FAILED, Verdict.INCONCLUSIVE


@pytest.fixture
async def journal() -> AsyncIterator[Journal]:
    with fast_folder() as folder:
        found = await Journal.open(folder / "engine.db", clock=VirtualClock())
        yield found
        await found.close()


async def test_what_ended_before_the_engine_started_counts_and_goes_on(journal: Journal) -> None:
    await run(journal, plan("a" * 16), PASSED, "2026-03-01T01:00:00Z")
    await run(journal, plan("b" * 16), FAILED, "2026-03-02T01:00:00Z", rta=None)
    first = Tally(journal)
    await first.settle()
    third = await run(journal, plan("c" * 16), UNKNOWN, "2026-03-03T01:00:00Z", rta=None)
    for _ in range(3):
        first.changed(third)
        await first.settle()
    again = Tally(journal)
    again.changed(third)
    await again.settle()
    for tally in (first, again):
        proven = tally.proofs[SHOP]
        assert dict(proven.results) == {PASSED: 1, FAILED: 1, UNKNOWN: 1}
        assert proven.last is not None
        assert (proven.last.operation, proven.last_passed) == ("c" * 16, "2026-03-01T01:00:00Z")
        assert proven.measured is not None
        assert proven.measured.operation == "a" * 16
        assert dict(tally.checks) == {
            ("http", PASSED): 1,
            ("http", FAILED): 1,
            ("http", UNKNOWN): 1,
            ("postgresql", PASSED): 3,
        }


async def test_another_cluster_behind_the_context_begins_anew_and_counters_go_on(journal: Journal) -> None:
    tally = Tally(journal)
    tally.changed(await run(journal, plan("a" * 16, uid="one"), PASSED, "2026-03-01T01:00:00Z"))
    tally.changed(await run(journal, plan("b" * 16, uid="one", control="flip"), PASSED, "2026-03-01T02:00:00Z"))
    tally.changed(await run(journal, plan("c" * 16, uid="two"), FAILED, "2026-03-03T01:00:00Z", rta=None))
    tally.changed(await run(journal, plan("d" * 16, uid="one"), PASSED, "2026-03-02T01:00:00Z"))
    await tally.settle()
    proven = tally.proofs[SHOP]
    assert proven.last is not None
    assert (proven.cluster_uid, proven.last.operation, proven.last_passed) == ("two", "c" * 16, "")
    assert (proven.measured, proven.control, proven.control_red) == (None, {}, "")
    assert dict(proven.results) == {PASSED: 2, FAILED: 1}


async def test_an_older_point_that_passed_since_does_not_take_the_place_of_the_newest_one(journal: Journal) -> None:
    tally = Tally(journal)
    newest = await run(journal, plan("a" * 16), FAILED, "2026-03-03T01:00:00Z", start="2026-03-03T00:00:00Z")
    older = await run(journal, plan("b" * 16), PASSED, "2026-03-04T01:00:00Z", start="2026-02-01T00:00:00Z")
    for each in (newest, older):
        tally.changed(each)
    await tally.settle()
    proven = tally.proofs[SHOP]
    assert proven.last is not None
    assert (proven.last.operation, proven.last_passed) == ("a" * 16, "2026-03-04T01:00:00Z")


async def test_evidence_that_is_written_later_changes_how_it_stands_and_no_counter(journal: Journal) -> None:
    unkept = {"prove.unkept": {"why": "no room"}}
    done = await run(journal, plan("a" * 16), UNKNOWN, "2026-03-01T01:00:00Z")
    done = msgspec.structs.replace(done, facts={**done.facts, **unkept})
    await journal.save(done)
    first = Tally(journal)
    await first.settle()
    kept = msgspec.structs.replace(done, verdict=PASSED, facts={**done.facts, "prove.unkept": {}})
    await journal.save(kept)
    first.changed(kept)
    again = Tally(journal)
    for tally in (first, again):
        await tally.settle()
        proven = tally.proofs[SHOP]
        assert dict(proven.results) == {UNKNOWN: 1}, "also in the next engine"
        assert proven.last is not None
        assert (proven.last.verdict, proven.last_passed) == (PASSED, "2026-03-01T01:00:00Z")


async def test_evidence_that_is_written_later_counts_for_a_control_and_for_what_was_not_the_last_too(
    journal: Journal,
) -> None:
    first, lacking = Tally(journal), {"prove.unkept": {"why": "no room"}}
    kept = []
    for op, start, params in (("a", "2026-03-01T00:00:00Z", {}), ("b", "", {"control": "flip"})):
        done = await run(
            journal, plan(op * 16, **params), UNKNOWN, f"2026-03-0{'ab'.index(op) + 1}T01:00:00Z", start=start
        )
        await journal.save(msgspec.structs.replace(done, facts={**done.facts, **lacking}))
        later = ended(plan(op * 16, **params), PASSED, done.ended, start=start)
        kept.append(msgspec.structs.replace(later, cluster_uid="uid", facts={**later.facts, "prove.unkept": {}}))
    await run(journal, plan("c" * 16), FAILED, "2026-03-03T01:00:00Z", start="2026-03-02T00:00:00Z")
    await first.settle()
    for one in kept:
        await journal.save(one)
        first.changed(one)
    again = Tally(journal)
    for tally in (first, again):
        await tally.settle()
        proven = tally.proofs[SHOP]
        assert proven.last is not None
        assert (proven.last.verdict, proven.last_passed) == (FAILED, "2026-03-01T01:00:00Z"), "also in the next engine"
        assert (proven.control["flip"].verdict, proven.control_red) == (PASSED, "2026-03-02T01:00:00Z")


async def test_of_a_proof_that_broke_off_nothing_is_proven_when_its_evidence_comes(journal: Journal) -> None:
    found = plan("a" * 16)
    lacking = {"prove.unkept": {"why": "disk", "record": {}}}
    done = await run(journal, found, UNKNOWN, "2026-03-01T01:00:00Z")
    tally = Tally(journal)
    await tally.settle()
    late = msgspec.structs.replace(done, state=OpState.LEFT_CHANGED, verdict=PASSED, facts={**done.facts, **lacking})
    tally.changed(late)
    assert tally.proofs[SHOP].last_passed == ""


@pytest.mark.parametrize(
    ("change", "counted"),
    [
        ({}, PASSED),
        ({"facts": {"prove.record": {"written": "by a later Lazarus"}}}, UNKNOWN),
        ({"state": OpState.UNDONE}, UNKNOWN),
    ],
)
async def test_green_is_only_what_came_to_its_end_and_can_be_read(
    journal: Journal, change: dict[str, Any], counted: Verdict
) -> None:
    done = msgspec.structs.replace(await run(journal, plan("a" * 16), PASSED, "2026-03-01T01:00:00Z"), **change)
    await journal.save(done)
    tally = Tally(journal)
    await tally.settle()
    proven = tally.proofs[SHOP]
    assert proven.last is not None
    assert (proven.last.verdict, dict(proven.results), bool(proven.last_passed)) == (
        counted, {counted: 1}, counted is PASSED,
    )  # fmt: skip


async def test_scrapes_at_the_same_time_count_a_proof_once(journal: Journal) -> None:
    done = [await run(journal, plan(f"{n:016x}"), PASSED, "2026-03-01T01:00:00Z") for n in range(3)]
    tally = Tally(journal)
    for each in done:
        tally.changed(each)
    await asyncio.gather(*(tally.settle() for _ in range(4)))
    assert tally.proofs[SHOP].results[PASSED] == 3


async def test_what_ends_while_it_is_counted_is_counted_the_next_time(journal: Journal) -> None:
    found = plan("a" * 16)
    tally = Tally(journal)
    tally.changed(await begin(journal, found))
    counting = asyncio.create_task(tally.settle())
    await asyncio.sleep(0)
    done = ended(found, PASSED, "2026-03-01T01:00:00Z")
    tally.changed(done)
    await counting
    await journal.save(done)
    await tally.settle()
    assert tally.proofs[SHOP].results[PASSED] == 1


async def test_a_broken_copy_is_counted_apart(journal: Journal) -> None:
    tally = Tally(journal)
    tally.changed(await run(journal, plan("a" * 16, control="flip"), PASSED, "2026-03-01T01:00:00Z"))
    tally.changed(await run(journal, plan("b" * 16, control="flip"), FAILED, "2026-03-02T01:00:00Z"))
    await tally.settle()
    proven = tally.proofs[SHOP]
    assert (dict(proven.results), dict(proven.controls)) == ({}, {PASSED: 1, FAILED: 1})
    assert proven.last is None
    assert proven.control_red == "2026-03-01T01:00:00Z"
    assert proven.control["flip"].verdict is FAILED
    tally.changed(await run(journal, plan("c" * 16, control="flip"), Verdict.INCONCLUSIVE, "2026-03-03T01:00:00Z"))
    tally.changed(await run(journal, plan("d" * 16, control="withhold"), PASSED, "2026-03-04T01:00:00Z"))
    await tally.settle()
    assert {kind: one.verdict for kind, one in proven.control.items()} == {"flip": FAILED, "withhold": PASSED}, (
        "neither one that could not be run nor one of another kind takes it back"
    )
    tally.changed(await run(journal, plan("e" * 16, control="flip"), PASSED, "2026-03-05T01:00:00Z"))
    await tally.settle()
    assert proven.control["flip"].verdict is PASSED


async def test_a_subject_is_known_while_its_first_proof_runs(journal: Journal) -> None:
    tally = Tally(journal)
    found = plan("a" * 16, workload="StatefulSet/orders")
    tally.changed(await begin(journal, found))
    await tally.settle()
    [(subject, proven)] = tally.proofs.items()
    assert subject == Subject("prod", "nightly", "shop/StatefulSet/orders")
    assert proven.results.total() == 0
    done = ended(found, PASSED, "2026-03-01T01:00:00Z")
    await journal.save(done)
    tally.changed(done)
    await tally.settle()
    assert dict(proven.results) == {PASSED: 1}


async def test_subjects_over_the_limit_are_counted_together_and_said(journal: Journal) -> None:
    for n in range(5):
        await run(journal, plan(f"{n:016x}", namespace=f"ns{n}"), PASSED, f"2026-03-0{n + 1}T01:00:00Z")
    tally = Tally(journal, most=3)
    await tally.settle()
    assert [subject.workload for subject in tally.proofs] == ["ns0", "ns1", "ns2", OTHER.workload]
    assert tally.proofs[OTHER].results[PASSED] == 2
    assert {subject.workload for subject in tally.folded} == {"ns3", "ns4"}
