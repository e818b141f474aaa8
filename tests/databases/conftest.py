"""One shipped sandbox for all tests, with the scenario of databases in it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from pathlib import Path

import pytest

from lazarus_tui.model.paths import StateRoot
from lazarus_tui.model.resources import NAMESPACES, SERVICES, STATEFULSETS
from lazarus_tui.sandbox import process
from lazarus_tui.sandbox.dataplane.images.engines import ENGINES, find
from lazarus_tui.sandbox.scenarios.manifests import manifests

from .house import PATIENCE, ROOT, House

FAILED = pytest.StashKey[bool]()
_KINDS = {one.kind: one for one in (NAMESPACES, SERVICES, STATEFULSETS)}


def pytest_configure(config: pytest.Config) -> None:
    if missing := [engine.absence for engine in ENGINES.values() if find(engine) is None]:
        raise pytest.UsageError(f"{'; '.join(missing)} (.ci/databases does it)")


@pytest.fixture(scope="session")
def env() -> Iterator[dict[str, str]]:
    # The processes of a sandbox that had to be killed may write for a moment more.
    with tempfile.TemporaryDirectory(prefix="lazarus-databases-", ignore_cleanup_errors=True) as folder:
        home = Path(folder, "home")
        home.mkdir()
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "TMPDIR") if key in os.environ}
        env = {**kept, "LAZARUS_STATE": str(Path(folder, "state")), "HOME": str(home), "PYTHONPATH": str(ROOT)}
        root = StateRoot(True, env=env).ensure().cluster
        try:
            assert process.up(root, timeout=PATIENCE).ready
            asyncio.run(_install(env))
            yield env
        finally:
            command = "import sys; from lazarus_tui.cli.main import main; sys.exit(main())"
            subprocess.run(
                [sys.executable, "-c", command, "--sandbox", "engine", "stop", "--park"], env=env, check=False
            )
            process.down(root)


async def _install(env: dict[str, str]) -> None:
    async with House.open(env) as house:
        for manifest in manifests("databases"):
            await house.cluster.create(_KINDS[manifest["kind"]], manifest, manifest["metadata"].get("namespace"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
async def house(
    env: dict[str, str], record_property: Callable[[str, object], None], request: pytest.FixtureRequest
) -> AsyncIterator[House]:
    """After a test that failed the databases are made anew: what it left says nothing about the next one."""
    async with House.open(env, record_property) as house:
        yield house
        if request.node.stash.get(FAILED, False):
            await house.made_anew()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "counts" and report.when == "call":
                terminalreporter.write_line(str(value))
