"""What the verifier of bundles is asked in a wrong way."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from lazarus_tui.cli.evidence import verify_evidence
from lazarus_tui.evidence import verifier


def test_wrong_usage_is_64(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verifier.main([str(tmp_path), "--signers", str(tmp_path / "none")]) == 64
    assert "No such file" in capsys.readouterr().err
    assert verifier.main([str(tmp_path)]) == 2
    assert "manifest.json is missing" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--head", "--signers"])
def test_what_is_demanded_by_an_empty_variable_is_wrong_usage(tmp_path: Path, option: str) -> None:
    """Else a script that lost its value would be told that all is well."""
    assert verifier.main([str(tmp_path), option, ""]) == 64
    assert CliRunner().invoke(verify_evidence, [str(tmp_path), option, ""]).exit_code == 64
