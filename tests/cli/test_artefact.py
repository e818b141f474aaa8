"""Artefacts on the command line: an empty file is refused as not known, never printed as nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lazarus_tui.cli.artefact import mapping, show_results
from lazarus_tui.cli.session import Refused


def session(found: Any) -> Any:
    return SimpleNamespace(context=lambda: "prod", call=lambda *given, **more: {"json": found})


@pytest.mark.parametrize("kind", ["BackupResults", "RestoreResults", "BackupResourceList"])
def test_what_an_empty_file_should_say_is_not_known(kind: str) -> None:
    with pytest.raises(Refused) as caught:
        mapping(session(None), kind, "nightly-1")
    assert f"what {kind} of nightly-1 should say is not known" in caught.value.fault.what


def test_results_without_errors_are_an_empty_table(capsys: pytest.CaptureFixture[str]) -> None:
    show_results(session({"errors": {}, "warnings": {}}), "BackupResults", "nightly-1", "table")
    assert capsys.readouterr().out == "(none)\n"
