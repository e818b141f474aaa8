"""Which recovery points are late, failed or never were. Pure: what was seen goes in, what is lacking comes out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from lazarus_tui.model.arrivals import Arrivals, arrivals, moment
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.labels import SCHEDULE_LABEL
from lazarus_tui.model.objects import Backup, BackupSpec, BackupStatus, Meta, Schedule, ScheduleSpec
from lazarus_tui.model.proof_policies import Entry, ProofPolicy, Selector, State, Subject
from lazarus_tui.model.retrying import made_up_for
from lazarus_tui.model.verdict import Verdict

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SHOP, MAIL = Subject("shop"), Subject("mail")


def policy(**fields: Any) -> ProofPolicy:
    given: dict[str, Any] = {"workloads": (Selector(namespace="shop"),), "points": ("on-completion",), **fields}
    return ProofPolicy(name="p", **given)


def backup(name: str, hours: float, phase: str = "Completed", schedule: str = "", space: str = "shop") -> Backup:
    at = rfc3339(NOW - timedelta(hours=hours))
    return Backup(
        metadata=Meta(name=name, labels={SCHEDULE_LABEL: schedule} if schedule else None),
        spec=BackupSpec(included_namespaces=[space]),
        status=BackupStatus(phase=phase, start_timestamp=at, completion_timestamp=at),
    )


def schedule(name: str, line: str = "0 0 * * *", space: str = "shop") -> Schedule:
    made = rfc3339(NOW - timedelta(days=90))
    spec = ScheduleSpec(schedule=line, template=BackupSpec(included_namespaces=[space]))
    return Schedule(metadata=Meta(name=name, creation_timestamp=made), spec=spec)


def keys(*backups: Backup, schedules: Any = (), of: ProofPolicy | None = None, subjects: Any = (SHOP,)) -> list[str]:
    found = arrivals(of or policy(), subjects, backups, schedules, NOW - timedelta(days=30), NOW)
    return [one.key for one in found.lacks]


def test_a_failure_by_hand_is_made_up_for_by_any_later_one_and_that_of_a_schedule_by_its_own_alone() -> None:
    nights = (schedule("nights"),)
    good, later = backup("good", 30, schedule="nights"), backup("later", 1)
    assert keys(backup("hand", 2, "Failed"), good, schedules=nights) == ["backup/by hand", "point/nights"]
    assert keys(backup("hand", 2, "Failed"), later, good, schedules=nights) == ["point/nights"]
    assert keys(backup("night", 2, "Failed", "nights"), later, good, schedules=nights) == [
        "backup/nights", "point/nights",
    ]  # fmt: skip
    gone = backup("old", 2, "PartiallyFailed", "gone")
    assert keys(gone, schedules=()) == ["backup/gone"]
    assert keys(gone, later, schedules=()) == [], "a schedule that is gone makes no more of them"


def test_what_one_schedule_makes_is_not_expected_of_a_workload_that_it_does_not_take() -> None:
    both = policy(workloads=(Selector(namespace="shop"), Selector(namespace="mail")), arrive_seconds=3600.0)
    seen = [backup("a", 11, schedule="nights"), backup("b", 48, space="mail")]
    assert keys(*seen, schedules=(schedule("nights"),), of=both, subjects=(SHOP, MAIL)) == ["point/namespace mail"]
    everything = (schedule("nights"), schedule("mails", space="mail", line="0 0 1 * *"))
    assert keys(*seen, schedules=everything, of=both, subjects=(SHOP, MAIL)) == ["point/mails"]


def test_a_first_backup_that_is_under_way_is_something() -> None:
    assert keys() == ["nothing/shop"]
    assert keys(backup("first", 1, "InProgress")) == []
    assert keys(backup("first", 1, "Deleting")) == ["nothing/shop"]


def test_a_policy_that_proves_old_points_by_the_clock_waits_for_no_new_ones() -> None:
    oldest = policy(points=("oldest",), schedule="0 3 * * *", arrive_seconds=60.0)
    assert keys(backup("a", 400, schedule="nights"), schedules=(schedule("nights"),), of=oldest) == []
    latest = policy(points=("latest",), schedule="0 3 * * *")
    assert keys(backup("a", 400, schedule="nights"), schedules=(schedule("nights"),), of=latest) == ["point/nights"]


@pytest.mark.parametrize("odd", ["garbage", "2026-05-31T12:00:00", "0001-01-01T00:00:00+05:00", ""])
def test_a_backup_whose_times_are_none_keeps_nothing_else_from_being_looked_at(odd: str) -> None:
    one = backup("odd", 1, schedule="nights")
    one = msgspec.structs.replace(
        one, status=BackupStatus(phase="Completed", start_timestamp=odd, completion_timestamp=odd)
    )
    assert moment(one) == ""
    assert keys(one, backup("old", 60, schedule="nights"), schedules=(schedule("nights"),)) == ["point/nights"]


def test_only_a_later_proof_makes_up_for_one_that_would_be_tried_again() -> None:
    def entry(id: str, queued: int, verdict: Verdict, **fields: Any) -> Entry:
        return Entry(
            id=id, context="c", policy="p", subject=SHOP, point=id, params={"point": id}, why="", state=State.DONE,
            queued=rfc3339(NOW + timedelta(minutes=queued)), verdict=verdict, **fields,
        )  # fmt: skip

    one = entry("one", 5, Verdict.INCONCLUSIVE)
    assert not made_up_for(policy(), [entry("before", 1, Verdict.PASSED), one], one)
    assert made_up_for(policy(), [one, entry("after", 9, Verdict.FAILED)], one)
    assert not made_up_for(policy(), [one, entry("after", 9, Verdict.INCONCLUSIVE)], one)
    other = msgspec.structs.replace(entry("after", 9, Verdict.PASSED), subject=MAIL)
    assert not made_up_for(policy(), [one, other], one)
    assert not made_up_for(policy(), [one, entry("again", 9, Verdict.PASSED, first="one")], one)


def kept(ttl: str, made: float, **fields: Any) -> Schedule:
    """A nightly Schedule that made its last backup so many hours ago, and keeps them for ``ttl``."""
    one = schedule("nights", **fields)
    spec = msgspec.structs.replace(one.spec, template=msgspec.structs.replace(one.spec.template, ttl=ttl))
    status = msgspec.structs.replace(one.status, last_backup=rfc3339(NOW - timedelta(hours=made)))
    return msgspec.structs.replace(one, spec=spec, status=status)


def seen(one: Schedule, *backups: Backup, days: int = 30) -> Arrivals:
    return arrivals(policy(), (SHOP,), backups, (one,), NOW - timedelta(days=days), NOW)


def test_a_point_that_is_kept_for_less_than_passes_until_the_next_one_came_all_the_same() -> None:
    found = seen(kept("6h0m0s", 12))
    said = "the last one, of 2026-06-01T00:00Z, was kept for 6h and is gone"
    assert found.lacks == ()
    assert found.expects == (f"by 2026-06-02 01:00 UTC a point of schedule nights; {said}",)
    [lack] = seen(kept("6h0m0s", 36)).lacks
    said = "the last one, of 2026-05-31T00:00Z, was kept for 6h and is gone"
    assert (lack.key, lack.due) == ("point/nights", "2026-06-01T00:00:00Z"), "last night's did not come"
    assert lack.why == f"no new point came by schedule nights; {said}"


@pytest.mark.parametrize("ttl", ["720h0m0s", "0s", "", "a day"])
def test_one_that_cannot_have_expired_yet_is_missed(ttl: str) -> None:
    assert [one.key for one in seen(kept(ttl, 12)).lacks] == ["point/nights"]


def test_velero_keeps_for_thirty_days_what_says_nothing_else() -> None:
    quarterly = kept("", 61 * 24 + 12, line="0 0 1 */3 *")
    assert seen(quarterly, days=80).lacks == ()


def test_a_failure_of_which_nothing_is_left_is_no_all_clear_and_one_that_is_there_is_told() -> None:
    failed = backup("b", 12, "Failed", "nights")
    assert [one.key for one in seen(kept("6h", 12), failed).lacks] == ["backup/nights", "point/nights"]
    gone = seen(kept("6h", 12))
    assert not gone.over("backup/nights")
    assert not gone.over("point/nights")
    assert gone.over("nothing/shop")
    good = seen(kept("6h", 12), backup("c", 11, schedule="nights"))
    assert good.over("backup/nights")
    assert good.over("point/nights")
