"""Policy files on the command line: what they mean, what is stored, and which plan they ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.link.client import LinkFault
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model.objects import record
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.model.policies import PolicyRow, SnapshotPolicy
from lazarus_tui.model.sets import SetAbout
from lazarus_tui.model.snapshots import Content, Snapshot
from lazarus_tui.snapshots.members import member
from tests.cli.conftest import topic
from tests.snapshots import policy_files as files

POLICY = "postgres-scheduled-backup"
NIGHTLY = SnapshotPolicy(
    name="nightly", namespace="prod", statefulset="db", schedule="0 2 * * *", writes="schedules",
    retention={"keep_last": 2},
)  # fmt: skip
ROW = PolicyRow(
    name="nightly", namespace="prod", source="engine", policy=NIGHTLY, means="02:00 every day",
    next="2026-01-02T02:00:00Z", would_remove=("nightly-1",), dry_run="d" * 64, kept_by="until a person agrees",
)  # fmt: skip


def a_plan(kind: str) -> Plan:
    return Plan(kind=kind, context="prod", cluster_uid="c1", target="prod/db", title=kind, danger=Danger.SAFE,
                params={}, steps=())  # fmt: skip


def cut(name: str, claims: tuple[str, ...], *, ready: bool = True) -> tuple[dict[str, Any], dict[str, Any]]:
    """A set of the policy postgres-scheduled-backup, as the two topics hold it."""
    snapshots, contents = {}, {}
    about = SetAbout(workload="StatefulSet/postgresql", replicas=len(claims), claims=claims)
    for claim in claims:
        one = member(
            name, "production", claim, about, class_name="", role="backup", schedule="postgres-scheduled-backup"
        )
        key, uid = one["metadata"]["name"], f"u-{name}-{claim}"
        one["metadata"] |= {"uid": uid, "namespace": "production"}
        one["status"] = {
            "readyToUse": ready, "boundVolumeSnapshotContentName": f"c-{key}", "creationTime": "2026-01-01T02:00:00Z",
        }  # fmt: skip
        ref = {"name": key, "namespace": "production", "uid": uid}
        contents[f"c-{key}"] = record(
            {
                "metadata": {"name": f"c-{key}"},
                "spec": {"deletionPolicy": "Retain", "driver": "d", "volumeSnapshotRef": ref, "source": {}},
                "status": {"snapshotHandle": f"h-{key}", "readyToUse": ready},
            },
            Content,
        )
        snapshots[f"production/{key}"] = record(one, Snapshot)
    return snapshots, contents


def written(folder: Path, text: str) -> str:
    (folder / "policy.yaml").write_text(text)
    return str(folder / "policy.yaml")


def test_check_says_what_a_file_means_and_its_next_runs_and_asks_nobody(lazarus: Any, tmp_path: Path) -> None:
    result, client = lazarus({}, "snapshot", "check", "-f", written(tmp_path, files.HOOKED))
    assert result.exit_code == 0
    assert "takes a set of production/postgresql: 02:00 every day" in result.stdout
    assert "keepLast 7 counts complete sets here, not snapshots per claim" in result.stdout
    assert result.stdout.count("T02:00:00Z") == 5
    assert client.calls == []


def test_a_wrong_file_is_one_sentence_with_its_line(lazarus: Any, tmp_path: Path) -> None:
    source = written(tmp_path, files.HOOKED.replace("schedule:", "schedul:"))
    result, _ = lazarus({}, "snapshot", "apply", "-f", source)
    assert result.exit_code == 64
    assert "there is no field schedul" in result.stderr
    assert "line 10, spec.schedul" in result.stderr
    assert "did you mean schedule?" in result.stderr


def test_a_schedule_is_stored_with_the_consent_that_was_given(lazarus: Any, tmp_path: Path) -> None:
    source = written(tmp_path, files.HOOKED)
    result, client = lazarus({"policy.apply": ROW}, "snapshot", "apply", "-f", source, "--writes", "schedules")
    assert (result.exit_code, client.calls[-1][0]) == (0, "policy.apply")
    assert client.calls[-1][1] == {"context": "prod", "text": files.HOOKED, "writes": "schedules"}
    assert "next 2026-01-02T02:00:00Z" in result.stdout


def test_a_file_without_a_schedule_asks_for_one_set(lazarus: Any, tmp_path: Path) -> None:
    source = written(tmp_path, files.BASIC)
    result, client = lazarus({"plan.make": a_plan("snapshots.create")}, "snapshot", "apply", "-f", source, "--dry-run")
    assert result.exit_code == 0
    request = client.calls[-1][1]
    assert (request["kind"], request["params"]["class"]) == ("snapshots.create", "csi-hostpath-snapclass")
    assert request["params"]["schedule"] == "my-database-backup"


@pytest.mark.parametrize(
    ("text", "params"),
    [
        (files.LATEST, {}),
        (files.RESTORE, {"set": "older"}),
        (files.RESTORE.replace("backupName: postgres-scheduled-backup", "snapshotNames: [newer-data-0, newer-data-1]"),
         {"set": "newer"}),
        (files.RESTORE.replace("backupName: postgres-scheduled-backup", "snapshotNames: [older-data-1]"),
         {"set": "older", "claim": "data-1"}),
    ],
)  # fmt: skip
def test_a_restore_is_planned_from_the_set_its_file_means(
    lazarus: Any, tmp_path: Path, text: str, params: dict[str, Any]
) -> None:
    claims = ("data-0", "data-1")
    older, newer = cut("older", claims), cut("newer", claims, ready=False)

    def pull(asked: dict[str, Any]) -> Any:
        [name] = asked["known"]
        return topic(name, {**older[0], **newer[0]} if name == "snapshots/prod" else {**older[1], **newer[1]})

    answers = {"pull": pull, "plan.make": a_plan("snapshots.restore-in-place")}
    result, client = lazarus(answers, "snapshot", "apply", "-f", written(tmp_path, text), "--dry-run")
    assert result.exit_code == 0, result.stderr
    asked = client.calls[-1][1]
    assert asked["kind"] == "snapshots.restore-in-place"
    assert asked["params"] == {"namespace": "production", "statefulset": "postgresql", **params}


def test_a_backup_nobody_took_is_not_found(lazarus: Any, tmp_path: Path) -> None:
    answers = {"pull": lambda asked: topic(next(iter(asked["known"])), {})}
    result, _ = lazarus(answers, "snapshot", "apply", "-f", written(tmp_path, files.RESTORE))
    assert result.exit_code != 0
    assert "no usable set of production/postgresql" in result.stderr


def test_both_sources_are_listed_and_ours_is_the_one_that_is_meant(lazarus: Any) -> None:
    theirs = PolicyRow(name="nightly", namespace="prod", source="cluster", trouble="an object of the cluster")
    result, _ = lazarus({"policy.list": [ROW, theirs]}, "snapshot", "policy", "list")
    assert [line.split()[2] for line in result.stdout.splitlines()[1:]] == ["engine", "cluster"]
    result, client = lazarus(
        {"policy.list": [ROW, theirs], "plan.make": a_plan("snapshots.create")},
        "snapshot", "policy", "run", "nightly", "--dry-run",
    )  # fmt: skip
    assert client.calls[-1][1]["params"] == {"namespace": "prod", "statefulset": "db", "schedule": "nightly"}


def test_a_retention_is_agreed_to_by_name_and_for_what_was_seen(lazarus: Any) -> None:
    refused, client = lazarus({"policy.list": [ROW]}, "snapshot", "policy", "accept", "nightly")
    assert (refused.exit_code, client.calls[-1][0]) == (5, "policy.list")
    assert "would remove: nightly-1" in refused.stderr
    answers = {"policy.list": [ROW], "policy.accept": ROW}
    result, client = lazarus(answers, "snapshot", "policy", "accept", "nightly", "--confirm", "prod/nightly")
    assert (result.exit_code, client.calls[-1][1]["dry_run"]) == (0, "d" * 64)


def test_a_restore_that_stands_on_the_cluster_is_shown_and_is_no_policy(lazarus: Any) -> None:
    row = PolicyRow(name="back", namespace="prod", source="cluster", means="restores prod/db", last_outcome="New",
                    trouble="a person has to agree: kubectl get")  # fmt: skip
    shown, _ = lazarus({"policy.list": [row]}, "snapshot", "policy", "describe", "back")
    assert shown.stdout.splitlines()[1:] == ["  restores prod/db: New", "  ! a person has to agree: kubectl get"]
    refused, _ = lazarus({"policy.list": [row]}, "snapshot", "policy", "run", "back")
    assert (refused.exit_code, "is no policy: it restores prod/db" in refused.stderr) == (5, True)


def test_what_a_cluster_gave_is_restored_in_its_name(lazarus: Any, tmp_path: Path) -> None:
    given = files.LATEST.replace("  name: restore-latest\n", "  name: restore-latest\n  uid: u-1\n")
    answers = {"plan.make": a_plan("snapshots.restore-in-place")}
    result, client = lazarus(answers, "snapshot", "apply", "-f", written(tmp_path, given), "--dry-run")
    assert result.exit_code == 0, result.stderr
    assert client.calls[-1][1]["params"]["object"] == "u-1"


def test_a_prune_that_is_refused_says_why_each_set_stays(lazarus: Any) -> None:
    why = ("set s2: newest good point", "set s1: legal hold: audit \x1b[31m2026")
    fault = LinkFault(Fault("nothing", "nothing to remove", "snapshots.prune", "lazarus snapshot list", why))
    refused, _ = lazarus({"plan.make": fault}, "snapshot", "prune", "prod/db", "--keep-last", "1")
    assert refused.exit_code == 5
    first, second, third, hint = refused.stderr.splitlines()
    assert "nothing to remove" in first
    assert "s2: newest good point" in second
    assert "s1: legal hold: audit" in third
    assert "\x1b" not in third
    assert "lazarus snapshot list" in hint


def test_a_retention_of_a_file_that_is_applied_once_removes_nothing(lazarus: Any, tmp_path: Path) -> None:
    from tests.cli.test_commands import an_operation

    def plan(asked: dict[str, Any]) -> Any:
        if asked["kind"] == "snapshots.prune":
            return LinkFault(Fault("nothing", "nothing to remove"))
        return a_plan("snapshots.create")

    answers = {"plan.make": plan, "operation.start": an_operation(), "operation.get": an_operation()}
    result, client = lazarus(answers, "snapshot", "apply", "-f", written(tmp_path, files.BASIC))
    assert result.exit_code == 0, result.stderr
    assert client.calls[-1][1]["params"]["keep_last"] == 3
    assert [method for method, _ in client.calls].count("operation.start") == 1
