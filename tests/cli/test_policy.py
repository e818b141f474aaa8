"""``lazarus policy``, ``prove gate|wait`` and ``prove run -f``: what they ask for, print, and end with."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as Xml
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lazarus_tui.cli import prove_gate
from lazarus_tui.cli.prove_report import junit
from lazarus_tui.link.client import LinkFault, LinkLost
from lazarus_tui.link.protocol import Fault
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.operation import CheckResult, Operation
from lazarus_tui.model.proof_policies import Entry, ProofPolicy, ProofPolicyRow, QueueRow, Selector, Standing, Subject
from lazarus_tui.model.topics import ContextRow
from lazarus_tui.model.verdict import Verdict
from tests.cli.conftest import topic
from tests.posture.test_gating import BEGUN, HERE, OLDER, located_views, point, proof, workload_row
from tests.prove.test_policies import POLICY, RIGHT, SOURCE

BACKUP = {"metadata": {"name": "b", "namespace": "velero"}, "status": {"startTimestamp": BEGUN, "phase": "Completed"}}
NOW = rfc3339(datetime.now(UTC))
SHOP = ProofPolicy(name="shop", workloads=(Selector(namespace="shop"),), points=("on-completion",))
HOSTILE = "\x1b[31m\u202e"


def row(**fields: Any) -> ProofPolicyRow:
    stands = Standing(subject=Subject("shop"), verdict=Verdict.PASSED, at=NOW, point="nightly", green=True, words="ok")
    return ProofPolicyRow(policy=SHOP, means=("proves shop",), **{"standings": (stands,), "enabled": True,
                          "cluster_uid": HERE, **fields})  # fmt: skip


def recent(done: Operation) -> Operation:
    """The same, ended just now by this machine's clock."""
    import msgspec

    return msgspec.structs.replace(done, context="prod", ended=NOW)


def operations(*found: Operation, **more: Any) -> Any:
    """The proofs of a context, which are kept for longer than its operations; and its cluster and newest backup."""
    of = {
        "proofs/prod": {one.id: seen for one, seen in zip(found, located_views(*found), strict=True)},
        "contexts": {"prod": ContextRow(name="prod", state="ready", cluster_uid=HERE)},
        "overview/prod": {"db": workload_row(newest=point())},
        "backups/prod": {"velero/b": BACKUP},
        **more,
    }

    def answer(params: dict[str, Any]) -> Any:
        (name,) = params["known"]
        return topic(name, of[name])

    answer.of = of  # type: ignore[attr-defined]
    return answer


@pytest.mark.parametrize(
    ("found", "words", "code"),
    [
        ([proof()], [], 0),
        ([proof("FAILED")], [], 2),
        ([proof("INCONCLUSIVE")], [], 4),
        ([], [], 4),
        ([proof()], ["--require", "PASSED,data right"], 4),
        ([proof(required=("exists",))], [], 0),
        ([proof(required=("exists",))], ["--require", "PASSED"], 4),
        ([proof()], ["--newer-than", "1us"], 4),
        ([proof()], ["--point", "latest", "--source", "velero"], 0),
        ([proof()], ["--point", "b"], 0),
        ([proof()], ["--point", "gone"], 4),
        ([proof(**OLDER)], [], 4),
        ([proof(cluster_uid="another")], [], 4),
    ],
)
def test_the_gate_is_its_exit_code(lazarus: Any, found: list[Operation], words: list[str], code: int) -> None:
    answers = {"pull": operations(*map(recent, found))}
    done, client = lazarus(answers, "prove", "gate", "--workload", "shop", "-o", "json", *words)
    assert done.exit_code == code, done.output
    assert json.loads(done.stdout)["code"] == code
    assert "plan.make" not in [method for method, _ in client.calls], "nothing is run"


@pytest.mark.parametrize(
    "words",
    [
        ("--workload", "shop", "--policy", "shop"), (), ("--workload", "shop/db"),
        ("--workload", "shop", "--newer-than", "1d"),
        ("--policy", "shop", "--require", "data right"),
        ("--policy", "shop", "--point", "b"), ("--policy", "shop", "--source", "velero"),
        ("--workload", "shop", "--point", "latest-proven"), ("--workload", "shop", "--point", "random:30d"),
        ("--workload", "shop", "--source", "snapshots"),
        ("--workload", "shop", "--require", "healty"), ("--workload", "shop", "--newer-than", "0"),
    ],
)  # fmt: skip
def test_a_gate_that_is_asked_wrongly_is_a_mistake_in_usage(lazarus: Any, words: tuple[str, ...]) -> None:
    done, _ = lazarus({"pull": operations()}, "prove", "gate", *words)
    assert done.exit_code == 64, done.output


def test_the_gate_says_which_point_it_judged_and_how_old_it_is(lazarus: Any) -> None:
    done, _ = lazarus({"pull": operations(recent(proof()))}, "prove", "gate", "--workload", "shop")
    assert (done.exit_code, "PASSED: said PASSED" in done.stdout) == (0, True), done.output
    assert "passed over" not in done.stdout
    bare = point("c", "2026-06-01T01:00:00Z", usable=False, reasons=(f"no data {HOSTILE}",))
    rows = {"db": workload_row(newest=point(), skipped=(bare,))}
    over, _ = lazarus(
        {"pull": operations(recent(proof()), **{"overview/prod": rows})}, "prove", "gate", "--workload", "shop"
    )
    assert (over.exit_code, "passed over: c: no data" in over.stdout, "\x1b" in over.stdout) == (0, True, False)
    assert re.search(rf"point b, \d+d\S* old \(begun {BEGUN}\)", done.stdout), done.stdout


@pytest.mark.parametrize("row", [{"state": "stale", "cluster_uid": HERE, "reason": "no route"}, {"state": "ready"}])
def test_while_nobody_knows_which_cluster_it_is_the_gate_is_not_open(lazarus: Any, row: dict[str, str]) -> None:
    answers = operations(recent(proof()), contexts={"prod": ContextRow(name="prod", **row)})
    done, _ = lazarus({"pull": answers}, "prove", "gate", "--workload", "shop")
    assert (done.exit_code, "which cluster prod leads to is not known now" in done.stdout) == (4, True), done.output


def test_the_gate_of_a_snapshot_set_asks_for_the_newest_one(lazarus: Any) -> None:
    words = ("prove", "gate", "--workload", "shop/StatefulSet/db", "--source", "snapshots")
    empty: dict[str, Any] = {"snapshots/prod": {}, "snapshot-contents/prod": {}}
    done, _ = lazarus({"pull": operations(recent(proof()), **empty)}, *words)
    assert (done.exit_code, "no usable snapshot set of shop/StatefulSet/db" in done.stdout) == (4, True), done.output


def test_the_gate_of_a_policy_looks_at_every_workload_and_at_its_control(lazarus: Any) -> None:
    red = Standing(subject=Subject("shop"), verdict=Verdict.PASSED, at=NOW, control="failed", words="control failed: x")
    for standings, code in (((row().standings[0],), 0), ((row().standings[0], red), 2), ((), 4)):
        answers = {"proof-policy.list": [row(standings=standings)], "pull": operations()}
        done, _ = lazarus(answers, "prove", "gate", "--policy", "shop")
        assert done.exit_code == code, done.output
    for uid, words in (("another", "is stored for another cluster"), ("", "is not known now")):
        contexts = {"prod": ContextRow(name="prod", state="ready", cluster_uid=uid)}
        answers = {"proof-policy.list": [row()], "pull": operations(contexts=contexts)}
        done, _ = lazarus(answers, "prove", "gate", "--policy", "shop")
        assert (done.exit_code, words in done.stdout) == (4, True), done.output
    done, _ = lazarus({"proof-policy.list": []}, "prove", "gate", "--policy", "shop")
    assert (done.exit_code, "no policy 'shop'" in done.output) == (5, True)


def test_wait_ends_with_the_first_answer_there_is(lazarus: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds: list[float] = []
    monkeypatch.setattr(prove_gate.time, "sleep", rounds.append)
    monkeypatch.setattr(prove_gate.time, "monotonic", lambda: 0.0 if len(rounds) < 9 else 1e9)
    done, _ = lazarus(
        {"pull": lambda params: operations(*([recent(proof())] if len(rounds) > 2 else []))(params)},
        "prove", "wait", "--workload", "shop",
    )  # fmt: skip
    assert (done.exit_code, len(rounds)) == (0, 3), done.output
    rounds.clear()
    done, _ = lazarus({"pull": operations()}, "prove", "wait", "--workload", "shop", "--timeout", "1m")
    assert (done.exit_code, len(rounds)) == (4, 9)


@pytest.mark.parametrize("state", ["stale", "failed"])
@pytest.mark.parametrize(
    ("topics", "words"),
    [
        (["overview/prod"], []),
        (["backups/prod"], ["--point", "b"]),
        (["snapshots/prod", "snapshot-contents/prod"], ["--source", "snapshots", "--workload", "shop/StatefulSet/db"]),
    ],
)
def test_what_cannot_be_seen_now_opens_no_gate(lazarus: Any, state: str, topics: list[str], words: list[str]) -> None:
    """A kind that may not be listed any more leaves its last list there, though the cluster answers."""
    seen = operations(recent(proof()), **{"snapshots/prod": {}, "snapshot-contents/prod": {}})

    def answer(params: dict[str, Any]) -> Any:
        (name,) = params["known"]
        if name not in topics:
            return seen(params)
        return topic(name, seen.of[name], state=state, reason="backups.velero.io is forbidden")

    given = words if "--workload" in words else [*words, "--workload", "shop"]
    done, _ = lazarus({"pull": answer}, "prove", "gate", "-o", "json", *given)
    assert done.exit_code == 4, done.output
    said = json.loads(done.stdout)
    assert (said["code"], said["verdict"]) == (4, "NOT TESTED")
    assert "backups.velero.io is forbidden" in said["words"]


def test_wait_goes_on_when_an_engine_goes_away_and_when_a_cluster_comes_back(
    lazarus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[float] = []
    monkeypatch.setattr(prove_gate.time, "sleep", rounds.append)
    monkeypatch.setattr(prove_gate.time, "monotonic", lambda: 0.0 if len(rounds) < 9 else 1e9)
    good = operations(recent(proof()))

    def use(params: dict[str, Any]) -> Any:
        return ContextRow(name="prod", state="ready" if len(rounds) > 2 else "failed", reason="no route to host")

    def answer(params: dict[str, Any]) -> Any:
        return LinkLost("the engine closed the connection") if len(rounds) == 1 else good(params)

    done, _ = lazarus({"pull": answer, "context.use": use}, "prove", "wait", "--workload", "shop")
    assert (done.exit_code, len(rounds)) == (0, 3), done.output
    assert "no route to host" in done.stderr


def test_wait_stays_with_its_cluster_whatever_the_current_context_becomes(
    lazarus: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[float] = []
    monkeypatch.setattr(prove_gate.time, "sleep", rounds.append)
    monkeypatch.setattr(prove_gate.time, "monotonic", lambda: 0.0 if len(rounds) < 9 else 1e9)

    def use(params: dict[str, Any]) -> Any:
        current = "staging" if rounds else "prod"
        if len(rounds) == 1:
            return LinkFault(Fault("refused", "no kubeconfig was found", "/home/a/.kube/config", ""))
        return ContextRow(name=params["context"] or current, state="ready", cluster_uid="uid")

    good = operations(recent(proof()))
    answers = {"context.use": use, "pull": lambda params: (good if len(rounds) > 2 else operations())(params)}
    done, client = lazarus(answers, "prove", "wait", "--workload", "shop")
    assert (done.exit_code, len(rounds)) == (0, 3), done.output
    assert [params["context"] for method, params in client.calls if method == "context.use"][1:] == ["prod"] * 3
    done, _ = lazarus({"context.use": lambda params: LinkFault(Fault("not-found", "no context prd"))},
                      "prove", "wait", "--workload", "shop")  # fmt: skip
    assert done.exit_code == 5, "wrong from the start is not waited for"


# --- policies


def test_a_policy_is_checked_without_a_cluster_and_applied_as_it_is(lazarus: Any, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(POLICY.replace("[on-completion]", '[latest]\nschedule: "0 3 * * *"'))
    done, client = lazarus({}, "policy", "check", "-f", str(path))
    assert (done.exit_code, client.calls) == (0, [])
    assert len([line for line in done.output.splitlines() if line.strip().startswith("next ")]) == 5
    done, client = lazarus({"proof-policy.apply": row()}, "policy", "apply", "-f", str(path), "--writes", "schedules")
    assert done.exit_code == 0, done.output
    assert client.calls[-1][1] == {"context": "prod", "text": path.read_text(), "writes": "schedules"}
    path.write_text(POLICY.replace("points", "point"))
    done, client = lazarus({}, "policy", "apply", "-f", str(path))
    assert (done.exit_code, client.calls, "did you mean points?" in done.output) == (64, [], True)


def test_a_misspelt_kind_is_answered_and_a_corrected_copy_written_beside_it_once(lazarus: Any, tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    path.write_bytes(SOURCE)
    done, _ = lazarus({}, "policy", "check", "-f", str(path))
    assert (done.exit_code, "did you mean LazarusRestoreTest?" in done.output) == (64, True)
    assert [one.name for one in tmp_path.iterdir()] == ["test.yaml"]
    done, _ = lazarus({}, "policy", "check", "--fix", "-f", str(path))
    assert done.exit_code == 0, done.output
    assert (tmp_path / "test.fixed.yaml").read_text() == RIGHT
    assert path.read_bytes() == SOURCE
    (tmp_path / "test.fixed.yaml").write_text("mine")
    done, _ = lazarus({}, "policy", "check", "--fix", "-f", str(path))
    assert (done.exit_code, "is there already" in done.output) == (5, True)
    assert (tmp_path / "test.fixed.yaml").read_text() == "mine"


def test_a_restore_test_runs_as_a_proof_with_what_is_said_beside_it(lazarus: Any, tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    path.write_text(RIGHT)
    asked: list[Any] = []

    def refuse(params: Any) -> Any:
        asked.append(params["params"])
        return LinkFault(Fault("refused", "enough", "", ""))

    answers = {"proof.test": {"params": {"namespace": "my-app", "point": "b"}, "notes": [f"note {HOSTILE}"]},
               "plan.make": refuse}  # fmt: skip
    done, _ = lazarus(answers, "prove", "run", "-f", str(path), "--require", "healthy", "--keep", "5")
    assert done.exit_code == 5
    assert asked == [{"namespace": "my-app", "point": "b", "require": ["healthy"], "keep_minutes": 5.0}]
    assert "\x1b" not in done.output
    lazarus(answers, "policy", "apply", "-f", str(path))
    assert asked[1] == {"namespace": "my-app", "point": "b"}
    for words in ((), ("--workload", "shop", "-f", str(path))):
        done, _ = lazarus(answers, "prove", "run", *words)
        assert done.exit_code == 64, done.output


def test_lists_tell_what_keeps_a_policy_and_what_waits_and_trust_no_name(lazarus: Any) -> None:
    red = Standing(
        subject=Subject("shop"), verdict=Verdict.PASSED, at=NOW, control="failed", words=f"control {HOSTILE}"
    )
    done, _ = lazarus({"proof-policy.list": [row(standings=(red,), overdue="it was missed")]}, "policy", "list")
    assert (done.exit_code, "not green (control" in done.output, "it was missed" in done.output) == (0, True, True)
    waits = Entry(id="e", context="prod", subject=Subject("shop"), point=f"b{HOSTILE}", params={}, why="w", queued=NOW,
                  policy="shop", waiting="1 of this policy at once")  # fmt: skip
    queued, _ = lazarus({"proof.queue": QueueRow(entries=(waits,), waiting=1)}, "policy", "queue")
    assert (queued.exit_code, "1 of this policy at once" in queued.output) == (0, True)
    assert "\x1b" not in done.output + queued.output
    for verb, wanted in (("enable", True), ("disable", False)):
        done, client = lazarus({"proof-policy.enable": row()}, "policy", verb, "shop")
        assert client.calls[-1][1] == {"context": "prod", "name": "shop", "enabled": wanted}


def test_the_report_for_a_pipeline_counts_what_it_holds() -> None:
    root = Xml.fromstring(junit(proof("FAILED")))
    cases = list(root.iter("testcase"))
    assert int(root.attrib["tests"]) == len(cases) == sum(int(one.attrib["tests"]) for one in root)
    assert int(root.attrib["failures"]) == len(list(root.iter("failure"))) > 0
    assert {one.attrib["timestamp"] for one in root} == {proof("FAILED").started[:19]}


def test_a_check_may_have_any_name_in_the_report_for_a_pipeline() -> None:
    names = ['GET /?q=" time="soon"', "<failure ", "both ' and \"", "\x00\x1b\ud800"]
    checks = tuple(CheckResult(name, "http", Verdict.PASSED, 0.5, "") for name in names)
    told = msgspec.structs.replace(proof("FAILED"), checks=checks)
    root = Xml.fromstring(junit(told))
    [suite] = [one for one in root if one.attrib["name"] == "checks"]
    assert (suite.attrib["time"], suite.attrib["failures"]) == ("2.000", "0")
    assert [one.attrib["name"] for one in suite][:3] == names[:3]
