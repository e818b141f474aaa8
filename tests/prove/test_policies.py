"""Files of proof policies and restore tests: what they mean, and what is wrong with one, told with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.policies import Blackout
from lazarus_tui.model.proof_policies import ProofPolicy, Selector, Subject
from lazarus_tui.prove.policies import ProofWish, read, read_object, repaired, shipped, words
from lazarus_tui.prove.policies.shipped import NAMES
from lazarus_tui.prove.policies.written import HealthChecks, PolicyFile, ProofSpec

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "deploy" / "policies").glob("*.yaml"))
# Word for word from the source document, with its misspelt kind.
SOURCE = b"""apiVersion: lazarus.io/v1alpha1
kind: LaziusRestoreTest
metadata:
  name: my-first-test
  namespace: lazarus-system
spec:
  backupName: my-app-backup-20251231
  healthChecks:
    enabled: true
    http:
      enabled: true
      endpoints:
        - name: app-health
          url: http://my-app:8080/health
          expectedStatus: 200
"""
POLICY = """apiVersion: lazarus.io/v1alpha1
kind: ProofPolicy
name: shop
workloads:
  - namespace: shop
points: [on-completion]
"""
FULL = """schedules: [hourly]
schedule: "0 3 * * *"
timeZone: Europe/Berlin
catchUp: runAll
jitter: 10m
blackout: [{begins: "0 8 * * 1-5", lasts: 10h}]
windows: [{begins: "0 1 * * *", lasts: 5h}]
atOnce: 3
notAgainWithin: 168h
overdueAfter: 2h
checks:
  checks: [{kind: tcp, service: db, port: 5432}]
require: [healthy]
targets: {rto: 15m, rpo: 4h}
limits: {cpu: "2"}
stabilise: 30s
keep: 10m
network: {dns: true}
control: {kind: flip, every: 48h}
notify: [ops]
writes: schedules
"""


def policy(text: str = POLICY) -> ProofPolicy:
    found = read(text.encode())
    assert isinstance(found, ProofPolicy)
    return found


def wish(text: bytes) -> ProofWish:
    found = read(text)
    assert isinstance(found, ProofWish)
    return found


def test_everything_a_policy_says_is_what_it_means() -> None:
    found = policy(POLICY.replace("[on-completion]", '[on-completion, latest, "random:30d"]') + FULL)
    assert found.workloads == (Selector(namespace="shop"),)
    assert (found.on_completion, found.by_clock) == (True, ("latest", "random:30d"))
    assert (found.jitter, found.at_once, found.again_seconds, found.late_seconds) == (600, 3, 604800, 7200)
    assert found.blackout == (Blackout("0 8 * * 1-5", 36000),)
    assert found.windows == (Blackout("0 1 * * *", 18000),)
    assert (found.control, found.control_seconds, found.catch_up) == ("flip", 172800, "run_all")
    wanted = found.wants(Subject("shop", "StatefulSet/db"), "nightly", "flip")
    assert len(wanted.pop("policy_hash")) == 64
    assert wanted == {
        "checks": {"checks": [{"kind": "tcp", "service": "db", "port": 5432}]}, "require": ["healthy"],
        "targets": {"rto_seconds": 900.0, "rpo_seconds": 14400.0}, "limits": {"cpu": "2"}, "stabilise_seconds": 30.0,
        "keep_minutes": 10.0, "network": {"dns": True}, "namespace": "shop", "workload": "StatefulSet/db",
        "point": "nightly", "control": "flip", "policy": "shop",
    }  # fmt: skip
    assert found.allowed
    assert msgspec.convert(msgspec.to_builtins(found), ProofPolicy) == found
    said = "; ".join(words(found))
    parts = (
        "each backup of the schedules hourly that holds it, as soon as it completes", "at most 3 at once",
        "latest, random:30d: 03:00 every day (Europe/Berlin)", "broken on purpose (flip)", "only from 01:00 every day",
    )  # fmt: skip
    for part in parts:
        assert part in said


WRONG = [
    ("kind: ProofPolicy", "kind: ProofPolcy", "line 2", "did you mean ProofPolicy?"),
    ("kind: ProofPolicy", "kind: SnapshotPolicy", "line 2", "lazarus snapshot apply -f FILE"),
    ("v1alpha1", "v1", "line 1", "write lazarus.io/v1alpha1"),
    ("workloads:", "workload:", "line 4", "did you mean workloads?"),
    ("name: shop", "name: Shop", "line 3", "see docs/proof.md"),
    ("name: shop", "name: shop\nname: shop", "line 4", ""),
    ("name: shop", "name: [shop", "line", ""),
    ("  - namespace: shop", "  []", "line 4", ""),
    ("  - namespace: shop", "  - workload: StatefulSet/db", "line 5", "namespace: shop"),
    ("  - namespace: shop", "  - {namespace: shop, workload: Statefulset/db}", "line 5", "did you mean StatefulSet?"),
    ("  - namespace: shop", "  - {namespace: shop, workload: db}", "line 5", "write StatefulSet/orders"),
    ("  - namespace: shop", "  - {namespace: shop, label: {a: b}}", "line 5", "did you mean labels?"),
    ("  - namespace: shop", "  - {namespace: shop, workload: StatefulSet/db, labels: {a: b}}", "line 5", ""),
    ("[on-completion]", "[on-completed]", "line 6", "did you mean on-completion?"),
    ("[on-completion]", "[latest]", "line 6", 'schedule: "0 3 * * *"'),
    ("[on-completion]", "[random:soon]", "line 6", ""),
    ("[on-completion]", '["random:0d"]\nschedule: "0 3 * * *"', "line 6", ""),
    ("[on-completion]", "[on-completion, on-completion]", "line 6", ""),
    ("[on-completion]", '[on-completion]\nschedule: "0 3 * * *"', "line 7", "add latest to points"),
    ("[on-completion]", '[latest]\nschedule: "0 3 30 2 *"', "line 7", ""),
    ("[on-completion]", '[latest]\nschedule: "61 3 * * *"', "line 7", ""),
    ("[on-completion]", '[latest]\nschedule: "0 3 * * *"\ntimeZone: Europe/Berln', "line 8", ""),
    ("[on-completion]", "[on-completion]\nsource: snapshots", "line 6", "write latest"),
    ("[on-completion]", '[latest]\nschedule: "0 3 * * *"\nschedules: [a]', "line 8", "add on-completion to points"),
    ("[on-completion]", "[on-completion]\natOnce: 0", "line 7", ""),
    ("[on-completion]", "[on-completion]\ncatchUp: runonce", "line 7", ""),
    ("[on-completion]", "[on-completion]\noverdueAfter: 2d", "line 7", ""),
    ("[on-completion]", "[on-completion]\nwindows: [{begins: '0 1 * * *', lasts: 200h}]", "line 7", ""),
    ("[on-completion]", "[on-completion]\nblackout: [{begins: noon, lasts: 1h}]", "line 7", ""),
    ("[on-completion]", "[on-completion]\ncontrol: {kind: burn}", "line 7", ""),
    ("[on-completion]", "[on-completion]\ncontrol: {every: 5m}", "line 7", ""),
    ("[on-completion]", "[on-completion]\nrequire: [healty]", "line 7", "did you mean healthy?"),
    ("[on-completion]", "[on-completion]\nlimits: {cpus: '2'}", "line 7", "one of cpu, memory, storage, pods"),
    ("[on-completion]", "[on-completion]\nnetwork: {dsn: true}", "line 7", "one of dns, inside"),
    ("[on-completion]", "[on-completion]\nchecks: {checks: [{kind: htp}]}", "line 7", "did you mean http?"),
    ("[on-completion]", "[on-completion]\nchecks: {checks: [{kind: http, url: 'http://169.254.169.254/'}]}", "line 7",
     "checks reach services of what is checked, nothing else"),
    ("[on-completion]", "[on-completion]\ntargets: {rto: soon}", "line 7", ""),
    ("[on-completion]", "[on-completion]\nwrites: always", "line 7", ""),
    ("[on-completion]", "[on-completion]\n---\nkind: ProofPolicy", "line 7", "write one policy a file"),
    ("[on-completion]", "&a [on-completion]", "line 6", "write the value out"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "where", "hint"), WRONG)
def test_what_is_wrong_is_told_with_its_line_and_the_nearest_right_word(
    old: str, new: str, where: str, hint: str
) -> None:
    with pytest.raises(PlanRefused) as refused:
        read(POLICY.replace(old, new, 1).encode())
    assert where in refused.value.where, (refused.value.what, refused.value.where)
    assert hint in refused.value.hint, refused.value.hint
    assert refused.value.code == "usage"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_that_is_shipped_is_read(path: Path) -> None:
    assert read(path.read_bytes()).name
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize("name", NAMES)
def test_a_policy_that_comes_along_does_nothing_until_it_is_enabled(name: str) -> None:
    found = policy(shipped(name).decode())
    assert (found.name, found.allowed) == (name, False)
    with pytest.raises(PlanRefused) as refused:
        shipped("shpo")
    assert refused.value.hint == "did you mean shop?"


# --- LazarusRestoreTest


def test_the_source_document_is_read_once_its_kind_is_put_right() -> None:
    with pytest.raises(PlanRefused) as refused:
        read(SOURCE)
    assert refused.value.hint.startswith("did you mean LazarusRestoreTest?")
    assert "line 2" in refused.value.where
    right = repaired(SOURCE)
    assert right == SOURCE.replace(b"LaziusRestoreTest", b"LazarusRestoreTest")
    found = wish(right or b"")
    assert (found.name, found.home, found.backup) == ("my-first-test", "lazarus-system", "my-app-backup-20251231")
    assert found.wants("my-app") == {
        "namespace": "my-app", "point": "my-app-backup-20251231",
        "checks": {"checks": [
            {"kind": "http", "name": "app-health", "url": "http://my-app:8080/health", "status": 200}
        ]},
    }  # fmt: skip
    assert repaired(right or b"") is None


def test_only_the_kind_is_put_right_wherever_the_word_stands() -> None:
    text = b"# LaziusRestoreTest\nkind: 'LaziusRestoreTest'  # LaziusRestoreTest\nnote: LaziusRestoreTest\n"
    assert repaired(text) == text.replace(b"kind: 'Lazius", b"kind: 'Lazarus")


RIGHT = SOURCE.replace(b"LaziusRestoreTest", b"LazarusRestoreTest").decode()


def test_databases_and_pods_become_checks_and_what_is_switched_off_is_told() -> None:
    more = """    databases:
      checks:
        - {name: pg, type: postgresql, service: db, secretName: login, tables: [t], query: select 1, expected: 1}
        - {name: cache, type: redis, service: cache}
    custom:
      enabled: false
      pods: [{name: own, image: busybox}]
  require: [healthy]
  targets: {rto: 10m}
  ttl: 30m
  workload: StatefulSet/db
"""
    found = wish((RIGHT + more).encode())
    assert [one["kind"] for one in found.prove["checks"]["checks"]] == ["http", "postgresql", "redis"]
    assert found.prove["checks"]["checks"][1] == {
        "kind": "postgresql", "name": "pg", "service": "db", "tables": ["t"],
        "credentials": {"secret": "login", "usernameKey": "username", "passwordKey": "password"},
        "queries": [{"sql": "select 1", "equals": 1}],
    }  # fmt: skip
    assert (found.prove["keep_minutes"], found.prove["targets"]) == (30, {"rto_seconds": 600})
    assert found.notes == ("healthChecks.custom.enabled is false: its 1 check is not run",)


def test_without_health_checks_health_is_not_claimed() -> None:
    found = wish(RIGHT.replace("  healthChecks:\n    enabled: true", "  healthChecks:\n    enabled: false").encode())
    assert found.prove == {
        "checks": {"readiness": False, "checks": []}, "require": ["exists", "complete", "intact", "restores"],
    }  # fmt: skip
    assert "NOT TESTED" in found.notes[0]


@pytest.mark.parametrize(
    ("old", "new", "where", "hint"),
    [
        ("backupName", "backup", "line 7", "did you mean backupName?"),
        ("expectedStatus: 200", "expectedStatus: fine", "line 8", "a number such as 200"),
        ("http://my-app:8080/health", "http://example.com/health", "line 8", "nothing else"),
        ("http://my-app:8080/health", "http://127.0.0.1/health", "line 8", "nothing else"),
        ("endpoints", "endpoint", "line 12", "did you mean endpoints?"),
        ("  name: my-first-test\n", "", "line 3", ""),
        ("enabled: true", "enabled: yes", "line 9", ""),
    ],
)
def test_what_is_wrong_with_a_test_is_told(old: str, new: str, where: str, hint: str) -> None:
    with pytest.raises(PlanRefused) as refused:
        read(RIGHT.replace(old, new, 1).encode())
    assert where in refused.value.where, (refused.value.what, refused.value.where)
    assert hint in refused.value.hint


def _names(model: Any) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(model)}


def test_the_definition_and_the_file_know_the_same_fields() -> None:
    definition = yaml.safe_load((ROOT / "deploy/crds/lazarus.io_lazarusrestoretests.yaml").read_text())
    spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert set(spec) == _names(ProofSpec)
    health = spec["healthChecks"]["properties"]
    assert set(health) == _names(HealthChecks)
    for part, items in (("http", "endpoints"), ("databases", "checks"), ("custom", "pods")):
        model = next(one.type for one in msgspec.structs.fields(HealthChecks) if one.name == part)
        assert set(health[part]["properties"]) == _names(model)
        inside = next(one.type for one in msgspec.structs.fields(model) if one.name == items).__args__[0]
        assert set(health[part]["properties"][items]["items"]["properties"]) == _names(inside)
    assert definition["spec"]["names"]["kind"] == "LazarusRestoreTest"


def test_an_object_is_read_as_a_file_is() -> None:
    body = yaml.safe_load(RIGHT)
    body["metadata"] |= {"uid": "u-1", "resourceVersion": "4", "managedFields": []}
    assert read_object({**body, "status": {"phase": "Pending"}}).uid == "u-1"
    with pytest.raises(PlanRefused, match="is a file, not an object"):
        read_object(yaml.safe_load(POLICY))


def test_the_document_describes_every_field_of_a_policy() -> None:
    page = (ROOT / "docs" / "proof.md").read_text()
    missing = [name for name in _names(PolicyFile) - {"apiVersion", "kind"} if f"`{name}`" not in page]
    assert missing == []
