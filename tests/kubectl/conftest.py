"""The machine's kubectl against one shipped sandbox: its own process, TLS, its kubeconfig, an empty home."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from lazarus_tui.sandbox import process

from .kubectl_run import Kubectl, chosen

# Seconds until the shop is ready beside other lanes; how soon it has to be is the matter of other tests.
PATIENCE = 120.0


@pytest.fixture(scope="session")
def kubectl() -> Iterator[Kubectl]:
    # The processes of a sandbox that had to be killed may write for a moment more.
    with tempfile.TemporaryDirectory(prefix="lazarus-kubectl-", ignore_cleanup_errors=True) as folder:
        root, home = Path(folder, "sandbox"), Path(folder, "home")
        home.mkdir()
        try:
            assert process.up(root, timeout=PATIENCE).ready
            yield Kubectl(chosen(), process.kubeconfig_path(root), home)
        finally:
            process.down(root)


@pytest.fixture
def there(kubectl: Kubectl, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    """kubectl in a namespace and a folder of this test's own."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    name = f"{words[:40].strip('-')}-{uuid4().hex[:4]}"
    mine = kubectl.within(name)
    mine.folder.mkdir()
    assert mine.run(f"create namespace {name}").code == 0
    yield mine
    mine.run(f"delete namespace {name} --wait=false")
