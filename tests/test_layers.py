"""What an import drags in decides how fast a command answers and what a slow terminal can stall."""

import subprocess
import sys

import pytest

HEAVY = {"kubernetes_asyncio", "aiohttp", "httpx", "pydantic", "prometheus_client", "textual"}


def loaded(statement: str) -> set[str]:
    """Top-level modules in memory after ``statement``, in an interpreter of its own."""
    program = f"{statement}\nimport sys\nprint(' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import lazarus_tui.engine.process", {"textual"}),
        ("import lazarus_tui.engine.house", {"textual", "prometheus_client"}),  # loaded where an address is set
        ("import lazarus_tui.app, screens.overview", HEAVY - {"textual"} | {"zoneinfo"}),
        ("import lazarus_tui.launch", HEAVY),
        ("import lazarus_tui.cli.main", HEAVY | {"asyncio", "yaml", "click"}),
        ("import lazarus_tui.cli.root", HEAVY | {"asyncio", "yaml"}),
        ("import lazarus_tui.cli.backup, lazarus_tui.cli.spawn, lazarus_tui.link.client", HEAVY | {"yaml"}),
        ("import lazarus_tui.model.topics, lazarus_tui.model.steps", HEAVY),
        ("import lazarus_tui.sandbox.process", {"kubernetes_asyncio", "textual", "pydantic"}),
    ],
)
def test_importing_loads_nothing_heavy(statement: str, absent: set[str]) -> None:
    assert not loaded(statement) & absent
