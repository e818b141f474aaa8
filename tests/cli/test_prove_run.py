"""``lazarus prove run``: what it asks for, what it prints, and the exit code a pipeline goes by."""

from __future__ import annotations

import json
import re
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
from lazarus_tui.model.proofs import REQUIRED
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


def test_the_text_says_which_point_it_was_and_how_old() -> None:
    done = operation()
    record = msgspec.structs.replace(prove_run.record_of(done.facts), point_start="2026-01-01T00:00:00Z")
    text = proof_text(msgspec.structs.replace(done, ended="2026-01-02T03:00:00Z"), record)
    assert f"  point {record.point}, 1d3h old at the end of the proof (begun 2026-01-01T00:00:00Z)" in text


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
    whole, left, kept = suites["proof"]
    assert whole[0].tag == "error"
    assert [case.get("name") for case in (left, kept)] == ["nothing left behind", "evidence"]


def test_a_proof_without_a_verdict_is_an_error_for_a_pipeline_not_something_skipped() -> None:
    untested = operation(given={"require": ["exists", "data right"]})
    assert untested.verdict is Verdict.NOT_TESTED
    root = Xml.fromstring(junit(untested))
    assert (root.get("failures"), root.get("errors")) == ("0", "1")
    assert [suite.get("skipped") for suite in root] == ["1", "0", "0"]


def lines_of_the_proof(done: Operation) -> dict[str, tuple[str, str, str]]:
    """Of each case of the proof as a whole: what it is, its message and its text."""
    (whole,) = [suite for suite in Xml.fromstring(junit(done)) if suite.get("name") == "proof"]
    found = {}
    for case in whole:
        inside = list(case)
        tag = (inside[0].tag, inside[0].get("message") or "", inside[0].text or "") if inside else ("passed", "", "")
        found[case.get("name") or ""] = tag
    return found


def test_whatever_was_left_behind_is_a_failure_of_its_own_for_a_pipeline() -> None:
    assert {name: tag for name, (tag, _, _) in lines_of_the_proof(operation()).items()} == {
        "verdict": "passed", "nothing left behind": "passed", "evidence": "passed",
    }  # fmt: skip
    lost = {"clean": False, "words": "left behind", "leftovers": [], "lost": ["snap-1", f"snap-{HOSTILE}"]}
    left = operation(prove__cleaned=lost)
    assert left.verdict is Verdict.PASSED
    assert left.exit_code == 3
    tag, message, text = lines_of_the_proof(left)["nothing left behind"]
    assert (tag, message) == ("failure", "snapshot snap-1 of the point is not listed any more")
    assert [line[:15] for line in text.splitlines()] == ["snapshot snap-1", "snapshot snap- "]
    kept = operation(prove__cleaned={"clean": False, "words": "", "kept_until": "2026-01-02T00:00:00Z"})
    assert lines_of_the_proof(kept)["nothing left behind"][:2] == (
        "skipped", "its quarantine is kept until 2026-01-02T00:00:00Z",
    )  # fmt: skip
    for broken in (OpState.LEFT_CHANGED, OpState.PARKED, OpState.FAILED):
        done = msgspec.structs.replace(operation(), state=broken)
        assert lines_of_the_proof(done)["nothing left behind"][0] == "error", "nobody knows"


def test_a_proof_without_its_evidence_is_an_error_and_says_what_to_do() -> None:
    bare = operation()
    facts = {**bare.facts, "evidence": "", "prove.unkept": {"why": "No space left on device", "record": {}}}
    done = msgspec.structs.replace(bare, facts=facts)
    tag, message, _ = lines_of_the_proof(done)["evidence"]
    assert (tag, message) == ("error", "evidence missing: No space left on device")
    text = proof_text(done, prove_run.record_of(done.facts))
    assert "EVIDENCE MISSING: No space left on device; next: lazarus evidence write 00000000" in text


# Elements with the elements and attributes they may have (required ones with !): Jenkins' schema for JUnit reports.
SCHEMA = {
    "testsuites": ({"testsuite"}, {"name", "time", "tests", "failures", "errors"}),
    "testsuite": ({"testcase"}, {"name!", "tests!", "failures", "errors", "skipped", "time", "timestamp"}),
    "testcase": ({"skipped", "error", "failure"}, {"name!", "classname", "time"}),
    "skipped": (set(), {"message"}),
    "failure": (set(), {"type", "message"}),
    "error": (set(), {"type", "message"}),
}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_junit_is_what_the_servers_of_pipelines_read(verdict: Verdict) -> None:
    checks = [check("a", verdict), check("b"), msgspec.structs.replace(check(HOSTILE, Verdict.FAILED), summary=HOSTILE)]
    done = operation(checks, prove__cleaned={"clean": False, "words": "", "leftovers": [], "lost": ["snap-1"]})
    root = Xml.fromstring(junit(msgspec.structs.replace(done, started="2026-01-01T00:00:00.123456Z")))
    for one in root.iter():
        inside, attributes = SCHEMA[one.tag]
        assert {each.tag for each in one} <= inside
        assert set(one.attrib) <= {name.rstrip("!") for name in attributes}
        assert {name.rstrip("!") for name in attributes if name.endswith("!")} <= set(one.attrib)
        assert len(one) <= 1 or one.tag in ("testsuites", "testsuite")
        if one.tag in ("failure", "error", "skipped"):
            assert (one.text or "").startswith(one.attrib["message"]), "GitLab shows the text, Jenkins the message"
    for suite in root:
        cases = list(suite)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        assert float(suite.attrib["time"]) == pytest.approx(sum(float(case.attrib["time"]) for case in cases), abs=0.01)
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[count]) == len(list(suite.iter(tag)))
    for count, tag in (("tests", "testcase"), ("failures", "failure"), ("errors", "error")):
        assert int(root.attrib[count]) == len(list(root.iter(tag)))


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
            "namespace": "shop", "workload": "StatefulSet/orders", "point": "nightly",
            "require": [*REQUIRED, "data right"],
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


@pytest.mark.parametrize(
    ("asked", "required"),
    [
        ("PASSED", None), ("passed,exists", None), ("exists,healthy", ["exists", "healthy"]),
        ("data right,PASSED", [*REQUIRED, "data right"]),
    ],
)  # fmt: skip
def test_passed_is_never_less_than_the_usual_rungs(
    monkeypatch: pytest.MonkeyPatch, asked: str, required: list[str] | None
) -> None:
    desk = Desk().prepare(operation(), monkeypatch)
    run(desk, "--workload", "shop", "--require", asked)
    assert desk.asked[0][1]["params"].get("require") == required


@pytest.mark.parametrize(
    ("words", "required"), [(("--require", "PASSED"), None), (("--require", "healthy"), ["healthy"]), ((), ["exists"])]
)
def test_passed_beside_a_file_means_the_usual_rungs_not_those_of_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, words: tuple[str, ...], required: list[str] | None
) -> None:
    (tmp_path / "policy.yaml").touch()
    monkeypatch.setattr(prove_run, "wanted", lambda session, text: {"namespace": "shop", "require": ["exists"]})
    desk = Desk().prepare(operation(), monkeypatch)
    run(desk, "-f", str(tmp_path / "policy.yaml"), *words)
    assert desk.asked[0][1]["params"].get("require") == required


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    desk, report = Desk().prepare(operation(), monkeypatch), tmp_path / "nowhere" / "j.xml"
    found = run(desk, "--workload", "shop", "--junit", str(report))
    assert isinstance(found.exception, Refused)
    assert (found.exception.fault.code, found.exception.fault.where) == ("refused", str(report))
    assert desk.asked == []


def test_no_report_of_an_earlier_run_stays_when_a_proof_does_not_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    desk, report = Desk().prepare(operation(), monkeypatch, lose=9), tmp_path / "j.xml"
    report.write_text("<testsuites tests='1' failures='0'/>")
    assert isinstance(run(desk, "--workload", "shop", "--junit", str(report)).exception, LinkLost)
    assert report.read_text() == ""


@pytest.mark.parametrize(("facts", "code"), [({}, 1), ({"prove__flipped": "it is Failed now"}, 2)])
def test_a_report_that_could_not_be_written_at_the_end_takes_no_verdict_away(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, facts: dict[str, Any], code: int
) -> None:
    desk, report = Desk().prepare(operation(**facts), monkeypatch), tmp_path / "j.xml"
    monkeypatch.setattr(prove_run, "follow", lambda session, op: (report.unlink(), report.mkdir(), desk.done)[2])
    found = run(desk, "--workload", "shop", "--junit", str(report))
    assert found.return_value == code
    assert desk.done.verdict in found.stdout
    assert "the report was not written: Is a directory" in found.stderr


@pytest.mark.parametrize(
    "words", [("--point", "b"), ("--source", "snapshots"), ("-f", "pyproject.toml")], ids=["point", "source", "file"]
)
def test_a_backup_that_is_taken_first_is_the_point(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    desk = Desk().prepare(operation(), monkeypatch)
    given = () if words[0] == "-f" else ("--workload", "shop")
    found = run(desk, *given, "--backup-first", *words)
    assert isinstance(found.exception, Refused)
    assert (found.exception.fault.code, found.exception.fault.where) == ("usage", "--backup-first")
    assert desk.asked == []


def test_checks_and_exceptions_reach_the_planner_as_data(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    desk, file = Desk().prepare(operation(), monkeypatch), tmp_path / "checks.yaml"
    file.write_text("readySeconds: 20\nchecks:\n- {kind: tcp, service: db, port: 5432}\n", "utf-8")
    until = "2027-01-31T00:00:00Z"
    words = ["--allow", f"S10:x.example.com:{until}:not here: really", "--placeholder", "pay/*", "--rewrite-ingress"]
    run(desk, "--workload", "db", "--checks", str(file), *words, "--node", "tier=test", "--node", "a/b=")
    assert desk.asked[0][1]["params"] == {
        "namespace": "db",
        "checks": {"readySeconds": 20, "checks": [{"kind": "tcp", "service": "db", "port": 5432}]},
        "allow": [{"rule": "S10", "what": "x.example.com", "expires": until, "reason": "not here: really"}],
        "placeholders": ["pay/*"],
        "nodes": {"labels": {"tier": "test", "a/b": ""}},
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
