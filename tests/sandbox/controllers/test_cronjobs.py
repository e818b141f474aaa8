"""CronJobs: what starts when, what does not, and what is kept."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lazarus_tui.model import cron
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import CRONJOBS, EVENTS, JOBS, PODS
from lazarus_tui.sandbox.controllers.cronjob_moments import most_recent


def cronjob(rig, schedule="*/5 * * * *", args=("exit", "0"), **spec):
    container = {"name": "main", "image": "lazarus.dev/task:1", "args": list(args)}
    job = {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}, "backoffLimit": 0}
    template = {"metadata": {"labels": {"app": "report"}}, "spec": job}
    body = {"metadata": {"name": "report"}, "spec": {"schedule": schedule, "jobTemplate": template} | spec}
    return rig.api.create(CRONJOBS, body, "shop")


def forever(rig, **spec):
    """One whose Jobs do not end."""
    pause = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "lazarus.dev/pause:1"}]}}
    body = {"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": pause}}} | spec
    return rig.api.create(CRONJOBS, {"metadata": {"name": "report"}, "spec": body}, "shop")


def reasons(rig):
    return [one["reason"] for one in rig.api.list(EVENTS, "shop") if one["involvedObject"]["kind"] == "CronJob"]


def minute(moment):
    """The number of a Job of the moment ``2026-01-01T00:05`` and the like."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp()) // 60


async def test_a_job_has_the_name_the_owner_and_the_time_of_its_moment(rig):
    made = cronjob(rig)
    await rig.advance(301)
    (name,) = rig.names(JOBS)
    assert name == f"report-{minute('2026-01-01T00:05')}"
    meta = rig.get(JOBS, name)["metadata"]
    assert meta["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"] == "2026-01-01T00:05:00Z"
    assert meta["labels"]["app"] == "report"
    (owner,) = meta["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("CronJob", made["metadata"]["uid"], True)
    status = rig.get(CRONJOBS, "report")["status"]
    assert status["lastScheduleTime"] == "2026-01-01T00:05:00Z"
    assert status["lastSuccessfulTime"].startswith("2026-01-01T00:05:")
    assert "active" not in status
    assert {"SuccessfulCreate", "SawCompletedJob"} <= set(reasons(rig))


async def test_it_lists_what_runs(rig):
    forever(rig)
    await rig.advance(601)
    active = rig.get(CRONJOBS, "report")["status"]["active"]
    assert [one["name"] for one in active] == rig.names(JOBS)
    assert [one["uid"] for one in active] == [rig.get(JOBS, name)["metadata"]["uid"] for name in rig.names(JOBS)]
    rig.api.delete(JOBS, rig.names(JOBS)[0], "shop")
    await rig.settle()
    assert len(rig.get(CRONJOBS, "report")["status"]["active"]) == 1
    assert "MissingJob" in reasons(rig)


async def test_forbid_waits_and_replace_does_not(rig):
    forever(rig, concurrencyPolicy="Forbid")
    await rig.advance(601)
    assert rig.names(JOBS) == [f"report-{minute('2026-01-01T00:05')}"]
    assert "JobAlreadyActive" in reasons(rig)
    rig.api.patch(CRONJOBS, "report", {"spec": {"concurrencyPolicy": "Replace"}}, "shop")
    await rig.advance(300)
    assert rig.names(JOBS) == [f"report-{minute('2026-01-01T00:15')}"]
    assert [pod.rsplit("-", 1)[0] for pod in rig.names(PODS)] == rig.names(JOBS)


async def test_a_suspended_one_starts_nothing_and_makes_up_for_one_run_only(rig):
    cronjob(rig, suspend=True)
    await rig.advance(1000)
    assert rig.names(JOBS) == []
    rig.api.patch(CRONJOBS, "report", {"spec": {"suspend": False}}, "shop")
    await rig.settle()
    assert rig.names(JOBS) == [f"report-{minute('2026-01-01T00:15')}"]


async def test_a_run_that_is_later_than_its_deadline_is_left_out(rig):
    cronjob(rig, suspend=True, startingDeadlineSeconds=60)
    await rig.advance(400)
    rig.api.patch(CRONJOBS, "report", {"spec": {"suspend": False}}, "shop")
    await rig.settle()
    assert rig.names(JOBS) == []
    await rig.advance(201)
    assert rig.names(JOBS) == [f"report-{minute('2026-01-01T00:10')}"]


async def test_many_missed_runs_are_complained_about_and_the_last_one_starts(rig):
    cronjob(rig, "* * * * *", suspend=True)
    await rig.advance(120 * 60 + 30)
    rig.api.patch(CRONJOBS, "report", {"spec": {"suspend": False}}, "shop")
    await rig.settle()
    assert rig.names(JOBS) == [f"report-{minute('2026-01-01T02:00')}"]
    assert "TooManyMissedTimes" in reasons(rig)


async def test_only_the_newest_finished_jobs_are_kept(rig):
    cronjob(rig, "* * * * *")
    await rig.advance(60 * 6 + 1)
    assert rig.names(JOBS) == [f"report-{minute(f'2026-01-01T00:0{n}')}" for n in (4, 5, 6)]
    rig.api.patch(CRONJOBS, "report", {"spec": {"successfulJobsHistoryLimit": 0}}, "shop")
    await rig.settle()
    assert rig.names(JOBS) == []
    assert rig.names(PODS) == []


async def test_failed_jobs_have_a_limit_of_their_own(rig):
    cronjob(rig, "* * * * *", args=("exit", "3"))
    await rig.advance(60 * 3 + 1)
    (name,) = rig.names(JOBS)
    assert name.endswith(str(minute("2026-01-01T00:03")))
    assert "lastSuccessfulTime" not in rig.get(CRONJOBS, "report")["status"]


async def test_a_job_made_by_hand_is_noticed_and_counts_as_a_success(rig):
    made = cronjob(rig, "0 0 1 6 *")
    owner = {"apiVersion": "batch/v1", "kind": "CronJob", "name": "report", "uid": made["metadata"]["uid"]}
    meta = {"name": "by-hand", "annotations": {"cronjob.kubernetes.io/instantiate": "manual"}}
    spec = made["spec"]["jobTemplate"]["spec"]
    rig.api.create(JOBS, {"metadata": meta | {"ownerReferences": [owner | {"controller": True}]}, "spec": spec}, "shop")
    await rig.settle()
    assert "UnexpectedJob" in reasons(rig)
    assert rig.get(CRONJOBS, "report")["status"]["lastSuccessfulTime"]


async def test_with_the_cron_job_go_its_jobs(rig):
    forever(rig)
    await rig.advance(301)
    assert len(rig.names(PODS)) == 1
    rig.api.delete(CRONJOBS, "report", "shop")
    await rig.settle()
    assert (rig.names(JOBS), rig.names(PODS)) == ([], [])


async def test_a_crash_between_the_job_and_the_status_makes_no_second_job(rig):
    forever(rig)
    await rig.advance(301)
    rig.api.patch(
        CRONJOBS, "report", {"status": {"active": None, "lastScheduleTime": None}}, "shop", subresource="status"
    )
    await rig.settle()
    assert len(rig.names(JOBS)) == 1
    assert [one["name"] for one in rig.get(CRONJOBS, "report")["status"]["active"]] == rig.names(JOBS)


@pytest.mark.parametrize(
    ("day", "ran"),
    [
        ("2026-03-28", ["2026-03-28T01:30:00Z"]),
        ("2026-03-29", []),  # 02:30 does not exist in Berlin
        ("2026-10-25", ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]),  # 02:30 comes twice
    ],
)
def test_clock_changes_skip_a_run_or_double_it(day, ran):
    line = cron.parse("30 2 * * *", "kubernetes", zone="Europe/Berlin")
    earliest, found = datetime.fromisoformat(f"{day}T00:00:00+00:00"), []
    for hour in range(1, 12):
        now = datetime.fromisoformat(f"{day}T{hour:02}:00:00+00:00")
        due, _ = most_recent(line, earliest, now, None)
        if due is not None:
            found.append(rfc3339(due))
            earliest = due
    assert found == ran


async def test_the_time_zone_decides_and_an_unknown_one_is_told(rig):
    cronjob(rig, "30 9 * * *", timeZone="Asia/Tokyo")
    await rig.advance(1801)
    (name,) = rig.names(JOBS)
    stamp = rig.get(JOBS, name)["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"]
    assert stamp == "2026-01-01T09:30:00+09:00"


def test_a_deadline_bounds_the_look_back():
    line = cron.parse("0 * * * *", "kubernetes")
    now = datetime(2026, 1, 1, 10, 30, tzinfo=UTC)
    earliest = datetime(2026, 1, 1, tzinfo=UTC)
    assert most_recent(line, earliest, now, None)[0] == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert most_recent(line, earliest, now, 60)[0] is None
    assert most_recent(line, earliest, now, 1800)[0] is None, "a firing at the bound is behind it"
    assert most_recent(line, earliest, now, 1801)[0] == datetime(2026, 1, 1, 10, tzinfo=UTC)
