"""From the settings file to a request: an engine reaches the Alertmanager of a context, and of no other."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from lazarus_tui.engine.house import House
from lazarus_tui.model.paths import StateRoot
from tests.engine.world import fast_folder
from tests.prove.silences.manager import Manager, listening

SETTINGS = """
[[prove.alertmanagers]]
name = "main"
contexts = ["lazarus-sandbox"]
url = "http://127.0.0.1:{port}/am"
token = "env:LAZARUS_TEST_TOKEN"
"""


async def test_an_engine_asks_the_one_of_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fast_folder() as folder:
        async with listening(Manager(), prefix="/am") as there:
            (tmp_path / "config.toml").write_text(SETTINGS.format(port=there.port))
            monkeypatch.setenv("LAZARUS_CONFIG", str(tmp_path / "config.toml"))
            monkeypatch.setenv("LAZARUS_TEST_TOKEN", "open-sesame")
            root = StateRoot(True, env={"LAZARUS_STATE": str(folder / "state")}).ensure()
            options = argparse.Namespace(root=root, sandbox=True, kubeconfig="", context=None, stay=False)
            house = await House.open(options, lambda: None)
            try:
                find = house.runner._around.alertmanager
                assert (find("prod", "main"), find("lazarus-sandbox", "other")) == (None, None)
                found = find("lazarus-sandbox", "main")
                assert found is not None
                assert await found.silences("namespace", "lazarus-q-aaaabbbb") == []
            finally:
                await house.close()
    assert [one["authorization"] for one in there.headers] == ["Bearer open-sesame"]
