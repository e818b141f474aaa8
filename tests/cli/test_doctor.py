"""The support bundle: whole, private, readable by a program, and without secrets."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from lazarus_tui.model.paths import StateRoot

TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJsYXphcnVzIn0.c2lnbmF0dXJl"
FINDINGS = [
    {"severity": "warning", "check": f"check-{n}", "what": f"what was found, number {n}", "hint": "what to do next"}
    for n in range(40)
] + [{"severity": "info", "check": "secret", "what": f"Authorization: Bearer {TOKEN}", "hint": ""}]


def members(bundle: Path) -> dict[str, str]:
    with tarfile.open(bundle) as archive:
        found = {name: archive.extractfile(name) for name in archive.getnames()}
        return {name.rpartition("/")[2]: file.read().decode() for name, file in found.items() if file}


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("LAZARUS_STATE", str(tmp_path / "state"))
    path = StateRoot(sandbox=False).log
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"line {n} of the log\n" for n in range(500)) + f"Authorization: Bearer {TOKEN}\n")
    return path


def test_a_bundle_holds_every_finding_and_the_logs_lines_without_secrets(
    lazarus: Any, log: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "b.tar.gz"
    result, _ = lazarus({"doctor": FINDINGS}, "doctor", "--bundle", str(bundle))
    assert result.exit_code == 0, result.output
    assert bundle.stat().st_mode & 0o777 == 0o600
    found = members(bundle)
    assert [row["check"] for row in json.loads(found["findings.json"])] == [row["check"] for row in FINDINGS]
    assert set(json.loads(found["versions.json"])) == {"lazarus", "python", "system"}
    assert found["engine.log"].splitlines()[:500] == log.read_text().splitlines()[:500]
    assert not [name for name, text in found.items() if TOKEN in text]


def test_a_bundle_is_never_written_over_a_file(lazarus: Any, log: Path, tmp_path: Path) -> None:
    there = tmp_path / "b.tar.gz"
    there.write_text("mine")
    result, _ = lazarus({"doctor": FINDINGS}, "doctor", "--bundle", str(there))
    assert result.exit_code != 0
    assert there.read_text() == "mine"
