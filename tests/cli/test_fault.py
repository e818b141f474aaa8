"""The words of ``lazarus sandbox fault``: usage errors before anything is asked, help for every kind."""

from __future__ import annotations

import pytest

from lazarus_tui.cli.root import run_verb
from lazarus_tui.sandbox.faults.kinds import KINDS


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("add latncy", "there is no fault 'latncy' - did you mean \"latency\"?"),
        ("add latency", "Missing option '--seconds'"),
        ("add latency --secnds 2", "--seconds"),
        ("add latency --seconds soon", "seconds is a time like 2, 500ms, 90s, 5m or 1h30m, not 'soon'"),
        ("add latency --seconds 2 --for ever", "--for is a time like 2, 500ms, 90s, 5m or 1h30m, not 'ever'"),
        ("add reset --rate 2", "the rate lies above 0 and at most at 1 (100%), not at 2"),
        ("add reset --rate 0%", "the rate lies above 0 and at most at 1 (100%), not at 0"),
        ("add reset --rate many", "the rate is a share like 0.2 or 20%, not 'many'"),
        ("add reset --times 0", "0 is not in the range x>=1"),
        ("add cut --bytes 9 --verb create", "'create' is not one of 'watch', 'list', 'get'"),
        ("add error --body htlm", "body is one of status, html, not 'htlm' - did you mean \"html\"?"),
        ("add disk-full", "Missing option '--part'"),
        ("add torn-copy --verb list", "No such option '--verb'"),
        ("ad reset", "No such command 'ad'"),
    ],
)
def test_usage_errors_are_one_sentence_and_64(words: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_verb(["sandbox", "fault", *words.split()]) == 64
    said = capsys.readouterr()
    assert said.out == ""
    assert why in said.err


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_says_what_it_does_with_an_example(kind: object, capsys: pytest.CaptureFixture[str]) -> None:
    name, summary, example = (getattr(kind, field) for field in ("name", "summary", "example"))
    assert run_verb(["sandbox", "fault", "add", name, "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert " ".join(summary.split()) in said
    assert " ".join(f"lazarus sandbox fault add {example}".split()) in said


def test_every_example_is_a_command_that_is_understood(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("LAZARUS_STATE", str(tmp_path))
    import shlex

    for kind in KINDS:
        assert run_verb(["sandbox", "fault", "add", *shlex.split(kind.example)]) == 4  # only the sandbox is missing
