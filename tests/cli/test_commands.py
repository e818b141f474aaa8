import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from lazarus_tui.cli.main import console_session, hoist
from lazarus_tui.cli.root import VERBS, root
from lazarus_tui.link.client import LinkFault
from lazarus_tui.link.protocol import EXIT_CODES, Fault
from lazarus_tui.model.objects import Backup, BackupStatus, Meta
from lazarus_tui.model.operation import Operation, OpState, StepState, StepView
from lazarus_tui.model.plan import Danger, Effect, Plan
from lazarus_tui.model.verdict import Verdict
from tests.cli.conftest import topic


def a_backup(name: str, start: str, phase: str = "Completed") -> Backup:
    return Backup(metadata=Meta(name=name), status=BackupStatus(phase=phase, start_timestamp=start))


def a_plan(danger: Danger = Danger.DESTROYS) -> Plan:
    return Plan(
        kind="velero.delete-backup", context="prod", cluster_uid="c1", target="nightly-1", title="Delete nightly-1",
        danger=danger, params={}, steps=(), effects=(Effect("delete", "backup nightly-1"),),
        losses=("3 restore records",),
    )  # fmt: skip


def an_operation(state: OpState = OpState.DONE, exit_code: int | None = 0) -> Operation:
    step = StepView(name="ask", title="Ask Velero to delete it", state=StepState.DONE, seconds=1.5)
    return Operation(
        id="op1", kind="velero.delete-backup", context="prod", target="nightly-1", title="Delete nightly-1",
        state=state, plan_digest="d", started="2026-01-01T00:00:00Z", steps=(step,), exit_code=exit_code,
    )  # fmt: skip


BACKUPS = {
    "b": a_backup("old", "2026-01-01T00:00:00Z"),
    "a": a_backup("new", "2026-01-02T00:00:00Z", "PartiallyFailed"),
}


def test_names_are_newest_first(lazarus: Any) -> None:
    result, _ = lazarus({"pull": topic("backups/prod", BACKUPS)}, "backup", "list", "-o", "name")
    assert (result.exit_code, result.stdout.split()) == (0, ["new", "old"])


def test_json_and_yaml_carry_the_same_records(lazarus: Any) -> None:
    as_json, _ = lazarus({"pull": topic("backups/prod", BACKUPS)}, "backup", "list", "-o", "json")
    as_yaml, _ = lazarus({"pull": topic("backups/prod", BACKUPS)}, "backup", "list", "-o", "yaml")
    assert json.loads(as_json.stdout) == yaml.safe_load(as_yaml.stdout)
    assert json.loads(as_json.stdout)[0]["metadata"]["name"] == "new"


HOSTILE = "a\x1b]52;c;eA==\x07\x9b31m\u202eevil\x7f"


@pytest.mark.parametrize("output", ["table", "json", "yaml", "name"])
def test_no_output_form_lets_a_control_or_bidi_character_through(lazarus: Any, output: str) -> None:
    hostile = {"x": a_backup(HOSTILE, "2026-01-02T00:00:00Z", HOSTILE)}
    result, _ = lazarus({"pull": topic("backups/prod", hostile)}, "backup", "list", "-o", output)
    assert result.exit_code == 0
    assert "evil" in result.stdout
    assert not [c for c in result.stdout if c != "\n" and (ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c == "\u202e")]


def test_a_failed_topic_is_a_sentence_with_a_next_step(lazarus: Any) -> None:
    failed = topic("backups/prod", {}, state="failed", reason="no Velero found in this cluster", hint="install it")
    result, _ = lazarus({"pull": failed}, "backup", "list")
    assert result.exit_code == 4
    assert result.stdout == ""
    assert "no Velero found" in result.stderr
    assert "next: install it" in result.stderr


def test_an_empty_list_says_so(lazarus: Any) -> None:
    result, _ = lazarus({"pull": topic("backups/prod", {})}, "backup", "list")
    assert result.stdout.strip() == "(none)"


DELETE = {"plan.make": a_plan(), "operation.start": an_operation(), "operation.get": an_operation()}


def test_deleting_without_a_terminal_needs_the_name(lazarus: Any) -> None:
    result, client = lazarus(DELETE, "backup", "delete", "nightly-1")
    assert result.exit_code == 5
    assert "--confirm nightly-1" in result.stderr
    assert "operation.start" not in [method for method, _ in client.calls]


def test_a_wrong_name_starts_nothing(lazarus: Any) -> None:
    result, client = lazarus(DELETE, "backup", "delete", "nightly-1", "--confirm", "nightly-2")
    assert result.exit_code == 5
    assert "operation.start" not in [method for method, _ in client.calls]


def test_the_right_name_starts_the_approved_plan_and_follows_it(lazarus: Any) -> None:
    result, client = lazarus(DELETE, "backup", "delete", "nightly-1", "--confirm", "nightly-1")
    started = dict(client.calls)["operation.start"]
    assert result.exit_code == 0
    assert (started["digest"], started["confirm"]) == (a_plan().digest(), "nightly-1")
    assert "✓ done Ask Velero to delete it" in result.stderr


def test_a_dry_run_shows_the_plan_and_starts_nothing(lazarus: Any) -> None:
    result, client = lazarus(DELETE, "backup", "delete", "nightly-1", "--dry-run")
    assert result.exit_code == 0
    assert "LOST: 3 restore records" in result.stdout
    assert "operation.start" not in [method for method, _ in client.calls]


@pytest.mark.parametrize("code", [0, 2, 3, 4])
def test_the_exit_code_is_the_operations_own(lazarus: Any, code: int) -> None:
    ended = an_operation(OpState.DONE if code == 0 else OpState.FAILED, code)
    result, _ = lazarus({"operation.get": ended}, "watch", "op1")
    assert result.exit_code == code


# Codes of faults: as keyword of what is raised, or first in a Fault.
RAISED = re.compile(r'Refused\((?:[^()]|\([^()]*\))*?code="([a-z-]+)"|\bFault\(\s*"([a-z-]+)"')


def test_every_code_that_is_raised_has_an_exit_code() -> None:
    found = {
        next(filter(None, codes))
        for file in (Path(__file__).parents[2] / "lazarus_tui").rglob("*.py")
        if "sandbox" not in file.parts  # its faults are others
        for codes in RAISED.findall(file.read_text(encoding="utf-8"))
    }
    assert {"usage", "not-found", "nothing", "elsewhere", "right", "unreachable"} <= found, (
        "they are looked for rightly"
    )
    assert found <= EXIT_CODES.keys()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("refused", 5), ("read-only", 5), ("nothing", 5), ("consent", 5), ("right", 5), ("elsewhere", 5),
        ("unreachable", 4), ("unexpected", 1), ("failed", 2),
    ],
)  # fmt: skip
def test_faults_map_to_exit_codes(lazarus: Any, code: str, expected: int) -> None:
    fault = LinkFault(Fault(code, "the engine says no", "here", "do that"))
    result, _ = lazarus({"plan.make": fault}, "schedule", "run", "hourly")
    assert result.exit_code == expected
    assert "the engine says no (here)" in result.stderr


@pytest.mark.parametrize("words", [["nonsense"], ["backup", "list", "-o", "xml"], ["backup", "--bogus"], ["watch"]])
def test_usage_errors_are_64(lazarus: Any, words: list[str]) -> None:
    result, _ = lazarus({}, *words)
    assert result.exit_code == 64


def test_a_mapping_must_name_both_sides(lazarus: Any) -> None:
    result, client = lazarus({}, "restore", "create", "--from-backup", "b", "--namespace-mapping", "shop")
    assert result.exit_code == 64
    assert client.calls == []


@pytest.mark.parametrize(
    ("words", "hoisted"),
    [
        (["backup", "list", "--sandbox"], ["--sandbox", "backup", "list"]),
        (["backup", "--context", "a b", "list"], ["--context", "a b", "backup", "list"]),
        (["--kubeconfig=/k", "doctor"], ["--kubeconfig=/k", "doctor"]),
        (["x", "--", "--sandbox"], ["x", "--", "--sandbox"]),
        (["x", "--context"], ["x", "--context"]),
    ],
)
def test_global_options_work_in_any_position(words: list[str], hoisted: list[str]) -> None:
    assert hoist(words) == hoisted


def test_every_verb_loads_and_has_help() -> None:
    import click

    context = click.Context(root)
    for verb in VERBS:
        command = root.get_command(context, verb)
        assert command is not None
        assert command.help, verb


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], (False, None, None)),
        (["--sandbox"], (True, None, None)),
        (["--context=a", "--kubeconfig", "/k"], (False, "a", "/k")),
    ],
)
def test_global_options_alone_open_the_console(words: list[str], expected: tuple[Any, ...]) -> None:
    session = console_session(words)
    assert session is not None
    assert (session.sandbox, session.context_name, session.kubeconfig) == expected


@pytest.mark.parametrize(
    "words", [["backup"], ["--help"], ["--context"], ["--sandbox=yes"], ["--sandbox", "x"], ["-o"]]
)
def test_anything_else_goes_through_the_command_line(words: list[str]) -> None:
    assert console_session(words) is None


def test_an_open_operation_has_no_verdict_yet(lazarus: Any) -> None:
    parked = msgspec.structs.replace(an_operation(OpState.PARKED, 4), verdict=Verdict.PASSED)
    listed, _ = lazarus({"pull": topic("operations", {"op1": parked})}, "operation", "list")
    shown, _ = lazarus({"operation.get": parked}, "operation", "show", "op1")
    assert "PASSED" not in listed.stdout + shown.stdout
    assert "op1" in listed.stdout
