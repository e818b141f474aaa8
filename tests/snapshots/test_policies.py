"""Policy files mean what they say, or one sentence says what is wrong and where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.model import cron
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.policies import SnapshotPolicy, keeps_less, owed
from lazarus_tui.snapshots.policies import RestoreWish, read, words
from tests.snapshots import policy_files as files


def policy(text: str) -> SnapshotPolicy:
    found = read(text.encode())
    assert isinstance(found, SnapshotPolicy)
    return found


def wish(text: str) -> RestoreWish:
    found = read(text.encode())
    assert isinstance(found, RestoreWish)
    return found


CHECKPOINT = ["psql", "-U", "postgres", "-c", "CHECKPOINT"]


@pytest.mark.parametrize(
    ("name", "target", "schedule", "keeps", "pre", "post"),
    [
        ("basic", "default/postgresql", "", 3, None, None),
        ("hooked", "production/postgresql", "0 2 * * *", 7, CHECKPOINT, ["echo", "Backup completed"]),
        ("postgres", "databases/postgres", "0 */6 * * *", 8, CHECKPOINT, None),
        (
            "mongodb", "databases/mongodb", "0 3 * * *", 7, ["mongosh", "--eval", "db.fsyncLock()"],
            ["mongosh", "--eval", "db.fsyncUnlock()"],
        ),
        ("redis", "cache/redis", "*/30 * * * *", 12, ["redis-cli", "BGSAVE"], None),
    ],
)  # fmt: skip
def test_every_backup_of_the_manual_is_read_as_it_stands(
    name: str, target: str, schedule: str, keeps: int, pre: Any, post: Any
) -> None:
    found = policy(files.BACKUPS[name])
    assert (found.target, found.schedule, found.retention) == (target, schedule, {"keep_last": keeps})
    assert found.create.pop("class") == "csi-hostpath-snapclass"
    assert (found.create.get("pre"), found.create.get("post")) == (pre, post)
    assert f"keepLast {keeps} counts complete sets here, not snapshots per claim" in found.notes
    assert not found.allowed


def test_what_its_words_promise_elsewhere_is_noted() -> None:
    assert any("BGSAVE returns before" in note for note in policy(files.REDIS).notes)
    assert any("fsyncLock outlives" in note for note in policy(files.MONGODB).notes)
    assert any("not simply in its first one" in note for note in policy(files.POSTGRES).notes)


def test_both_restores_of_the_manual_are_read_as_they_stand() -> None:
    named, latest = wish(files.RESTORE), wish(files.LATEST)
    assert (named.namespace, named.statefulset, named.backup) == (
        "production", "postgresql", "postgres-scheduled-backup",
    )  # fmt: skip
    assert (latest.latest, latest.backup, named.notes, latest.notes) == (True, "", (), ())


def test_the_fields_of_the_newer_operator_are_read() -> None:
    found = policy(files.NEWER_BACKUP)
    assert found.create == {"class": "fast", "pre": ["sync"], "hook_container": "main", "hook_timeout": 45}
    assert (found.namespace, found.retention) == ("prod", {"keep_within": "336h"})
    restore = wish(files.NEWER_RESTORE)
    assert restore.snapshots == ("nightly-1-data-db-0", "nightly-1-data-db-1")
    assert [note.split()[0] for note in restore.notes] == ["scaleDown:", "pvcDeletionTimeoutSeconds"]


def test_a_policy_of_our_own_says_what_it_does() -> None:
    found = policy(files.OWN)
    assert found.retention == {"keep_last": 2, "keep_daily": 7, "timezone": "Europe/Berlin"}
    assert found.jitter == 300
    assert words(found) == [
        "takes a set of prod/db: 02:30 every day (Europe/Berlin)",
        "runs missed while nothing ran are made up for, at most three",
        "may write on its own (writes: schedules)",
        "afterwards keeps of its own sets: keep last 2, keep daily 7",
    ]


def test_the_example_of_the_documents_is_read() -> None:
    page = (Path(__file__).parents[2] / "docs" / "snapshots.md").read_text(encoding="utf-8")
    found = policy(page.partition("```yaml\n")[2].partition("```")[0])
    assert (found.target, found.create["recipe"], found.allowed) == ("shop/orders", "postgresql", True)


WRONG = [
    (files.POST_ONLY, "without a pre hook", "line 10, spec.postBackupHook", ""),
    (files.BASIC.replace("keepLast", "keepLst"), "no field keepLst", "line 11, spec.retentionPolicy.keepLst",
     "did you mean keepLast?"),
    (files.BASIC.replace("keepLast: 3", "keepLast: three"), "keepLast must be a whole number", "line 11", ""),
    (files.BASIC.replace("keepLast: 3", "keepLast: 0"), "should be greater than or equal to 1", "line 11", ""),
    (files.BASIC.replace("kind: StatefulSetBackup", "kind: StatefulsetBackups"), "no kind Lazarus reads", "line 2",
     "did you mean StatefulSetBackup?"),
    (files.BASIC.replace("v1alpha1", "v1"), "'backup.sts-backup.io/v1' is not read", "line 1", "v1alpha1"),
    (files.BASIC.replace("    name: postgresql\n", ""), "name is missing", "line 7, spec.statefulSetRef.name", ""),
    (files.HOOKED.replace("0 2 * * *", "0 26 * * *"), "outside 0-23", "line 10, spec.schedule", ""),
    (files.HOOKED.replace('"0 2 * * *"', "0 0 31 2 *"), "never comes", "line 10, spec.schedule", ""),
    (files.RESTORE.replace("scaleDown: true", "scaleDown: yes"), "must be true or false", "line 11", ""),
    (files.LATEST.replace("useLatestBackup: true", "useLatestBackup: false"), "does not say which backup", "line 6",
     "backupName"),
    (files.OWN.replace("Europe/Berlin", "Europe/Bonn"), "unknown time zone Europe/Bonn", "line 6, timeZone", ""),
    (files.OWN.replace("5m", "'5'"), "no unit", "line 8, jitter", ""),
    (files.OWN.replace("catchUp: runAll", "catchUp: run_all"), "'skip', 'runOnce' or 'runAll'", "line 7, catchUp", ""),
    (files.OWN + "name: again\n", "name is given twice", "line 11, name", ""),
    (files.OWN.replace("name: nightly", "name: &a nightly"), "anchors", "line 3", ""),
    (files.OWN.replace("name: nightly", "name: !!python/name:os.system x"), "tag", "line 3", ""),
    (files.OWN + "---\n" + files.OWN, "second document", "line 11", "one policy a file"),
    ("a: " + "[" * 40 + "]" * 40, "nested too deeply", "line 1", ""),
    ("a: [" + "1," * 20_001 + "]", "too many values", "line 1", ""),
    ("a: " + "x" * 300_000, "at most 262144", "line 1", ""),
    ("kind: [", "not YAML", "line", ""),
    ("- 1\n", "a mapping of names", "line 1", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "what", "where", "hint"), WRONG, ids=lambda one: str(one)[:24].strip())
def test_one_clear_error_with_line_field_and_the_nearest_word(text: str, what: str, where: str, hint: str) -> None:
    with pytest.raises(PlanRefused) as refused:
        read(text.encode())
    assert what in refused.value.what
    assert refused.value.where.startswith(where)
    assert hint in refused.value.hint


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days(since: str, until: str, **fields: Any) -> list[str]:
    """The nominal times of daily 02:30 in Berlin that are run when somebody looks every minute."""
    found = SnapshotPolicy(
        name="n", namespace="prod", statefulset="db", schedule="30 2 * * *", time_zone="Europe/Berlin", **fields
    )
    moment, now, ran = at(since), at(since), []
    while now < at(until):
        now += timedelta(minutes=1)
        for run in owed(found, moment, now).runs:
            ran.append(f"{run:%m-%dT%H:%M}")
            moment = run
    return ran


def test_the_night_without_half_past_two_has_its_run_after_the_gap() -> None:
    assert days("2026-03-27T12:00", "2026-03-30T12:00") == ["03-28T01:30", "03-29T01:00", "03-30T00:30"]


def test_the_night_with_two_half_past_twos_has_one_run() -> None:
    assert days("2026-10-23T12:00", "2026-10-26T12:00") == ["10-24T00:30", "10-25T00:30", "10-26T01:30"]


@pytest.mark.parametrize(
    ("catch_up", "runs", "missed"),
    [("skip", [], 5), ("run_once", ["01-06"], 4), ("run_all", ["01-04", "01-05", "01-06"], 2)],
)
def test_after_five_days_asleep(catch_up: str, runs: list[str], missed: int) -> None:
    found = SnapshotPolicy(name="n", namespace="p", statefulset="d", schedule="0 2 * * *", catch_up=catch_up)
    result = owed(found, at("2026-01-01T02:00"), at("2026-01-06T09:00"))
    assert [f"{run:%m-%d}" for run in result.runs] == runs
    assert (result.missed, result.newest) == (missed, at("2026-01-06T02:00"))


def test_a_clock_that_jumps_ahead_by_years_costs_one_run_and_little_time() -> None:
    found = SnapshotPolicy(name="n", namespace="p", statefulset="d", schedule="*/5 * * * *")
    result = owed(found, at("2026-01-01T02:00"), at("2031-06-01T09:03"))
    assert (result.runs, result.missed) == ((at("2031-06-01T09:00"),), 1000)


def test_a_clock_that_went_back_owes_nothing() -> None:
    found = SnapshotPolicy(name="n", namespace="p", statefulset="d", schedule="*/5 * * * *")
    assert owed(found, at("2026-01-01T02:00"), at("2026-01-01T01:00")).runs == ()


def test_jitter_is_the_same_for_every_run_and_differs_between_policies() -> None:
    offsets = {SnapshotPolicy(name=f"n{n}", namespace="p", statefulset="d", jitter=600).offset for n in range(20)}
    assert len(offsets) > 15
    assert max(offsets) < timedelta(seconds=600)
    one = SnapshotPolicy(name="n1", namespace="p", statefulset="d", jitter=600, schedule="0 2 * * *")
    early = owed(one, at("2026-01-01T02:00"), at("2026-01-02T02:00") + one.offset - timedelta(seconds=1))
    assert early.runs == ()
    assert owed(one, at("2026-01-01T02:00"), at("2026-01-02T02:00") + one.offset).runs == (at("2026-01-02T02:00"),)


def test_every_ninety_minutes_counts_from_the_last_nominal_time() -> None:
    found = SnapshotPolicy(name="n", namespace="p", statefulset="d", schedule="@every 1h30m")
    result = owed(found, at("2026-01-01T02:00"), at("2026-01-01T06:45"))
    assert (result.runs, result.missed) == ((at("2026-01-01T06:30"),), 2)


@pytest.mark.parametrize(
    ("new", "old", "less"),
    [
        ({"keep_last": 3}, None, True),
        ({"keep_last": 3}, {"keep_last": 3}, False),
        ({"keep_last": 4}, {"keep_last": 3}, False),
        ({"keep_last": 2}, {"keep_last": 3}, True),
        ({"keep_last": 9}, {"keep_last": 3, "keep_daily": 1}, True),
        ({"keep_last": 3, "keep_within": "24h"}, {"keep_last": 3, "keep_within": "48h"}, True),
    ],
)
def test_a_shortened_retention_is_known(new: dict[str, Any], old: dict[str, Any] | None, less: bool) -> None:
    assert keeps_less(new, old) is less


@pytest.mark.parametrize("text", ["*/5 * * * *", "30 2 * * *", "0 0 29 2 *", "15 2 1 * 1", "@every 7h"])
@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_the_firings_between_two_moments_are_those_that_come_one_by_one(text: str, zone: str) -> None:
    line = cron.parse(text, "lazarus", zone=zone)
    after, until = at("2026-10-24T01:00"), at("2026-10-26T04:15")
    found = tuple(line.between(after, until))
    assert found == tuple(moment for moment in line.upcoming(after, len(found) + 1) if moment <= until)
