"""``lazarus prove run``: what it asks for, what it prints, and the exit code a pipeline goes by."""

from __future__ import annotations

import json
import xml.etree.ElementTree as Xml
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from lazarus_tui.cli import prove_run
from lazarus_tui.cli.output import as_json
from lazarus_tui.cli.prove_report import junit, proof_text
from lazarus_tui.cli.session import Refused, Session
from lazarus_tui.link.client import LinkLost
from lazarus_tui.model.operation import CheckResult, Figures, Operation, OpState, Phase
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.prove.proof.verdict import judge
from tests.prove.proof.facts import check, ended, evidence


def operation(checks: list[CheckResult] | None = None, **facts: Any) -> Operation:
    found = evidence(checks, **facts)
    figures = Figures(rta_seconds=30.0, rta_phases=(Phase("queue", 2.0, "until Velero began"),), rpa_seconds=None)
    record = judge("00000000000000aa", found, figures)
    return ended(record, found, figures)


HOSTILE = "\x1b[31m<&\"' \u202e\u2066 ü"


def test_the_text_tells_every_rung_and_what_was_wrong() -> None:
    trouble = {"where": "pod orders-0", "seen": "CrashLoopBackOff", "cause": "it ends", "advice": "see its log"}
    done = operation(
        [check("orders answer", Verdict.FAILED)],
        prove__troubles=[trouble],
        prove__cleaned={"clean": False, "words": "left behind: x", "leftovers": [], "lost": ["snap-1"]},
    )  # fmt: skip
    text = proof_text(done, prove_run.record_of(done.facts))
    assert text.startswith("FAILED  Prove shop\n")
    assert "✗ healthy     FAILED       orders answer: orders answer said so" in text
    assert "✓ restores    PASSED" in text
    assert "pod orders-0: CrashLoopBackOff\n  cause: it ends; next: see its log" in text
    assert "LEFT BEHIND: snapshot snap-1 of the point is not listed any more" in text
    assert "recovery point actual    unknown" in text


def test_one_object_on_stdout_says_all_a_program_needs() -> None:
    found = json.loads(as_json(prove_run.outcome(operation())))
    assert (found["verdict"], found["exit_code"], found["clean"]) == ("PASSED", 0, True)
    assert found["rta"] == {"phases": {"queue": 2.0}, "total_seconds": 30.0}
    assert found["rpa_seconds"] is None
    (ladder,) = found["proof"]["ladders"]
    assert ladder["workload"] == "shop/StatefulSet/orders"
    assert [rung["verdict"] for rung in ladder["rungs"]][:5] == ["PASSED"] * 5


def test_junit_has_a_case_for_every_required_rung_and_check_whatever_they_are_called() -> None:
    bad = msgspec.structs.replace(check("x"), name=HOSTILE, summary=HOSTILE, verdict=Verdict.INCONCLUSIVE)
    root = Xml.fromstring(junit(operation([check("orders answer"), bad])))
    suites = {suite.get("name"): suite for suite in root}
    rungs = suites["shop/StatefulSet/orders"]
    assert [case.get("name") for case in rungs] == ["exists", "complete", "intact", "restores", "healthy"]
    assert (rungs.get("tests"), rungs.get("errors"), rungs.get("failures")) == ("5", "1", "0")
    _, hostile = suites["checks"]
    assert hostile.get("name") == " [31m<&\"'    ü"
    (error,) = hostile
    assert error.tag == "error"
    (whole,) = suites["proof"]
    assert whole[0].tag == "error"


def test_a_proof_without_a_verdict_is_an_error_for_a_pipeline_not_something_skipped() -> None:
    untested = operation(given={"require": ["exists", "data right"]})
    assert untested.verdict is Verdict.NOT_TESTED
    root = Xml.fromstring(junit(untested))
    assert (root.get("failures"), root.get("errors"), root.get("skipped")) == ("0", "1", "1")


def test_junit_is_plain_ascii_without_control_characters() -> None:
    text = junit(operation([msgspec.structs.replace(check("x"), name=HOSTILE)]))
    assert text.isascii()
    assert not [c for c in text if not c.isprintable() and c != "\n"]


def test_what_never_ended_has_proven_nothing() -> None:
    parked = msgspec.structs.replace(operation(), state=OpState.PARKED, exit_code=None)
    assert prove_run.code(parked) == 4
    assert prove_run.outcome(parked)["verdict"] is None


# --- the command with an engine that answers from a list


class Desk(Session):
    """Notes what is asked; the proof ends as ``done`` says. ``lose``: how often the link is lost while following."""

    def prepare(self, done: Operation, monkeypatch: pytest.MonkeyPatch, lose: int = 0) -> Desk:
        self.asked, self.done, self.lost, self.fresh = list[tuple[str, Any]](), done, lose, 0
        monkeypatch.setattr(prove_run, "follow", self.following)
        return self

    def following(self, session: Session, op: str) -> Operation:
        if self.lost:
            self.lost -= 1
            raise LinkLost("gone")
        return self.done

    def context(self) -> str:
        return "c"

    def fresh_client(self) -> Any:
        self.fresh += 1

    def call(self, method: str, params: dict[str, Any], type: Any, *, timeout: float = 60.0) -> Any:
        self.asked.append((method, params))
        if type is Plan:
            return Plan(
                kind="prove.run", context="c", cluster_uid="u", target="lazarus-q-00000000", title="Prove shop",
                danger=Danger.CHANGES, params={}, steps=(), warnings=("watch out",),
            )  # fmt: skip
        return self.done


def run(desk: Desk, *words: str) -> Any:
    return CliRunner().invoke(prove_run.run, list(words), obj=desk, standalone_mode=False)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({}, 0), ({"prove__flipped": "it is Failed now"}, 2), ({"checks__verdict": ""}, 4),
        ({"prove__cleaned": {"clean": False, "leftovers": [], "lost": []}}, 3),
    ],
)  # fmt: skip
def test_the_exit_code_is_the_proofs(monkeypatch: pytest.MonkeyPatch, facts: dict[str, Any], code: int) -> None:
    desk = Desk().prepare(operation(**facts), monkeypatch)
    found = run(desk, "--workload", "shop", "-o", "json")
    assert found.return_value == code
    assert json.loads(found.stdout)["exit_code"] == code


def test_what_is_asked_for_is_the_plans(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    desk, report = Desk().prepare(operation(), monkeypatch), tmp_path / "j.xml"
    found = run(
        desk, "--workload", "shop/StatefulSet/orders", "--point", "nightly", "--require", "PASSED,data right", "--dns",
        "--control", "flip", "--keep", "5", "--junit", str(report),
    )  # fmt: skip
    assert desk.asked[0] == (
        "plan.make",
        {"kind": "prove.run", "context": "c", "params": {
            "namespace": "shop", "workload": "StatefulSet/orders", "point": "nightly", "require": ["data right"],
            "control": "flip", "keep_minutes": 5.0, "network": {"dns": True},
        }},
    )  # fmt: skip
    assert desk.asked[1][0] == "operation.start"
    assert desk.asked[1][1]["digest"]
    assert Xml.parse(report)
    assert "! watch out" in found.stderr
    assert found.stdout.startswith("PASSED  Prove shop")


@pytest.mark.parametrize(
    "words",
    [
        ("--workload", "shop/orders"), ("--workload", "shop/StatefulSet/"), ("--workload", "a/b/c/d"),
        ("--workload", "shop", "--allow", "S10:x"),
        ("--workload", "shop", "--require", "drilled"), ("--workload", "shop", "--require", "helthy"),
    ],
)  # fmt: skip
def test_what_is_not_meant_is_a_usage_error_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    desk = Desk().prepare(operation(), monkeypatch)
    found = run(desk, *words)
    assert isinstance(found.exception, Refused)
    assert found.exception.fault.code == "usage"
    assert desk.asked == []


def test_checks_and_exceptions_reach_the_planner_as_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    desk, file = Desk().prepare(operation(), monkeypatch), tmp_path / "checks.yaml"
    file.write_text("readySeconds: 20\nchecks:\n- {kind: tcp, service: db, port: 5432}\n", "utf-8")
    until = "2027-01-31T00:00:00Z"
    words = ["--allow", f"S10:x.example.com:{until}:not here: really", "--placeholder", "pay/*", "--rewrite-ingress"]
    run(desk, "--workload", "db", "--checks", str(file), *words)
    assert desk.asked[0][1]["params"] == {
        "namespace": "db",
        "checks": {"readySeconds": 20, "checks": [{"kind": "tcp", "service": "db", "port": 5432}]},
        "allow": [{"rule": "S10", "what": "x.example.com", "expires": until, "reason": "not here: really"}],
        "placeholders": ["pay/*"],
        "ingress": "rewrite",
    }


@pytest.mark.parametrize(
    ("content", "words"),
    [("a: [", "it is not YAML"), ("[]", "a mapping"), ("{}", "asks for nothing"), ("x" * 300_000, "at most 262144")],
    ids=["broken", "list", "empty", "long"],
)
def test_a_file_of_checks_that_says_nothing_is_refused_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, content: str, words: str
) -> None:
    desk, file = Desk().prepare(operation(), monkeypatch), tmp_path / "checks.yaml"
    file.write_text(content, "utf-8")
    found = run(desk, "--workload", "db", "--checks", str(file))
    assert isinstance(found.exception, Refused)
    assert words in found.exception.fault.what
    assert found.exception.fault.where.startswith(str(file))
    assert desk.asked == []


def test_a_killed_engine_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk().prepare(operation(), monkeypatch, lose=2)
    assert run(desk, "--workload", "shop").return_value == 0
    assert desk.fresh == 2
    given_up = Desk().prepare(operation(), monkeypatch, lose=3)
    assert isinstance(run(given_up, "--workload", "shop").exception, LinkLost)
