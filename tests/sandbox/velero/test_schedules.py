"""Schedules by the minute of the clock: due, paused, skipped, blocked, and wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.model.resources import BACKUPS, SCHEDULES
from lazarus_tui.sandbox.velero.installation import phase

TEMPLATE = {"includedNamespaces": ["shop"], "includedResources": ["configmaps"], "ttl": "2h"}


@pytest.fixture
async def quiet(make_lab: Any) -> Any:
    """A Velero without the shop's own schedules; it is 09:10:47."""
    return await make_lab(shop=False)


def schedule(lab: Any, name: str, cron: str, **spec: Any) -> None:
    lab.create(SCHEDULES, name, {"schedule": cron, "template": TEMPLATE} | spec, labels={"tier": "x"})


def made(lab: Any, name: str) -> list[dict[str, Any]]:
    found = lab.api.list(BACKUPS, "velero", labels={"velero.io/schedule-name": name})
    return sorted(found, key=lambda backup: backup["metadata"]["name"])


async def test_a_due_run_makes_one_backup_named_by_its_moment(quiet: Any) -> None:
    schedule(quiet, "often", "*/15 * * * *")
    await quiet.pass_(10)
    assert quiet.phase(SCHEDULES, "often") == "Enabled"
    assert made(quiet, "often") == []

    await quiet.pass_(5 * 60)  # past 09:15
    (backup,) = made(quiet, "often")
    stamp = backup["status"]["startTimestamp"].translate(str.maketrans("", "", "-T:Z"))
    assert backup["metadata"]["name"] == f"often-{stamp}"
    assert backup["metadata"]["labels"]["tier"] == "x"
    assert backup["spec"]["ttl"] == "2h0m0s"
    assert quiet.get(SCHEDULES, "often")["status"]["lastBackup"] == backup["status"]["startTimestamp"]

    await quiet.pass_(15 * 60)
    assert len(made(quiet, "often")) == 2


async def test_missed_ticks_make_one_run_not_many(quiet: Any) -> None:
    schedule(quiet, "hourly", "0 * * * *", paused=True)
    await quiet.pass_(5 * 3600)
    assert made(quiet, "hourly") == []
    assert phase(quiet.get(SCHEDULES, "hourly")) == ""  # a paused schedule is not even looked at

    quiet.api.patch(SCHEDULES, "hourly", {"spec": {"paused": False}}, "velero")
    await quiet.pass_(61)
    assert len(made(quiet, "hourly")) == 1


async def test_skip_immediately_forgets_the_missed_run_once(quiet: Any) -> None:
    schedule(quiet, "hourly", "0 * * * *", paused=True)
    await quiet.pass_(2 * 3600)
    unpause = {"spec": {"paused": False, "skipImmediately": True}}
    quiet.api.patch(SCHEDULES, "hourly", unpause, "velero")
    await quiet.pass_(120)

    found = quiet.get(SCHEDULES, "hourly")
    assert made(quiet, "hourly") == []
    assert found["spec"]["skipImmediately"] is False
    assert found["status"]["lastSkipped"].startswith("2026-03-04T11:10")
    await quiet.pass_(3600)
    assert len(made(quiet, "hourly")) == 1


@pytest.mark.parametrize(
    ("cron", "message"),
    [("", "Schedule must be a non-empty valid Cron expression"), ("61 * * * *", "invalid schedule:"), ("x", "invalid")],
)
async def test_a_bad_line_is_told_and_can_be_mended(quiet: Any, cron: str, message: str) -> None:
    schedule(quiet, "bad", cron)
    await quiet.pass_(1)
    status = quiet.get(SCHEDULES, "bad")["status"]
    assert status["phase"] == "FailedValidation"
    assert message in status["validationErrors"][0]

    quiet.api.patch(SCHEDULES, "bad", {"spec": {"schedule": "0 * * * *"}}, "velero")
    await quiet.pass_(1)
    status = quiet.get(SCHEDULES, "bad")["status"]
    assert status["phase"] == "Enabled"
    assert "validationErrors" not in status


async def test_a_running_backup_of_the_schedule_blocks_the_next(quiet: Any) -> None:
    schedule(quiet, "often", "*/5 * * * *")
    await quiet.pass_(1)
    body = {"metadata": {"name": "by-hand", "labels": {"velero.io/schedule-name": "often"}}, "spec": {}}
    quiet.api.create(BACKUPS, body | {"status": {"phase": "InProgress"}}, "velero")
    await quiet.pass_(11 * 60)
    assert [backup["metadata"]["name"] for backup in made(quiet, "often")] == ["by-hand"]

    quiet.api.patch(BACKUPS, "by-hand", {"status": {"phase": "Failed"}}, "velero")
    await quiet.pass_(61)
    assert len(made(quiet, "often")) == 2


async def test_owner_references_only_when_asked_for(quiet: Any) -> None:
    schedule(quiet, "owning", "*/5 * * * *", useOwnerReferencesInBackup=True)
    schedule(quiet, "plain", "*/5 * * * *")
    await quiet.pass_(6 * 60)

    assert made(quiet, "owning")[0]["metadata"]["ownerReferences"][0]["kind"] == "Schedule"
    assert "ownerReferences" not in made(quiet, "plain")[0]["metadata"]
    quiet.api.delete(SCHEDULES, "plain", "velero")
    await quiet.pass_(1)
    assert len(made(quiet, "plain")) == 1


async def test_a_template_that_cannot_work_fails_the_backup_not_the_schedule(quiet: Any) -> None:
    schedule(quiet, "lost", "*/5 * * * *", template={**TEMPLATE, "storageLocation": "nowhere"})
    await quiet.pass_(6 * 60)

    assert quiet.phase(SCHEDULES, "lost") == "Enabled"
    assert made(quiet, "lost")[0]["status"]["phase"] == "FailedValidation"
