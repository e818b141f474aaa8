"""The boundary itself: who may write to a cluster, who may know the client library, and what importing costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import lazarus_tui

PACKAGE = Path(lazarus_tui.__file__).parent
ROOT = PACKAGE.parent
WRITES = {"create", "merge_patch", "json_patch", "delete"}
# The gate is the one function that changes a cluster; the sandbox has an API of its own with the same verbs.
ALLOWED = ("lazarus_tui/kube/", "lazarus_tui/engine/gate.py", "lazarus_tui/sandbox/")


@pytest.fixture(scope="module")
def sources() -> list[tuple[str, ast.Module]]:
    """Every module by its path from the root, parsed once."""
    files = [file for part in ("lazarus_tui", "screens", "widgets") for file in sorted((ROOT / part).rglob("*.py"))]
    return [(file.relative_to(ROOT).as_posix(), ast.parse(file.read_text())) for file in files]


def cluster_writes(tree: ast.AST) -> list[int]:
    """Lines on which a write verb is called on something that is a cluster by its name or its annotation."""
    clusters = {"cluster", "reader"}
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation and "Cluster" in ast.unparse(node.annotation):
            clusters.add(node.arg)
        if isinstance(node, ast.AnnAssign) and "Cluster" in ast.unparse(node.annotation):
            clusters.add(ast.unparse(node.target).rpartition(".")[2])
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and (node.attr in WRITES or _sends(node, parents.get(node)))
        and ast.unparse(node.value).rpartition(".")[2].strip("_").removesuffix("()") in clusters
    ]


def _sends(node: ast.Attribute, parent: ast.AST | None) -> bool:
    """A request by hand is a write, too, unless it plainly says GET or HEAD."""
    if node.attr not in ("request", "send"):
        return False
    first = parent.args[0] if isinstance(parent, ast.Call) and parent.args else None
    return not (isinstance(first, ast.Constant) and first.value in ("GET", "HEAD"))


def test_only_the_gate_writes_to_a_cluster(sources: list[tuple[str, ast.Module]]) -> None:
    found = []
    for name, tree in sources:
        if not name.startswith(ALLOWED):
            found += [f"{name}:{line}" for line in cluster_writes(tree)]
    assert found == []


def test_the_search_finds_what_it_looks_for() -> None:
    for text in (
        "await cluster.create(X, {})",
        "await self.cluster.delete(X, 'n')",
        "await self._cluster.merge_patch(X, 'n', {})",
        "write = reader.json_patch",
        "await cluster.request('POST', '/api')",
        "await self._cluster.request(method, '/api')",
        "await cluster.send(request)",
        "async def f(c: Cluster) -> None:\n    await c.delete(X, 'n')",
        "class A:\n    kube: Cluster\n    def f(self): return self.kube.create(X, {})",
    ):
        assert cluster_writes(ast.parse(text)), text
    assert not cluster_writes(
        ast.parse("rows.create(1); cluster.get(X, 'n'); path.delete(); cluster.request('GET', '/x')")
    )


def test_only_the_transport_knows_the_client_library(sources: list[tuple[str, ast.Module]]) -> None:
    found = set()
    for file, tree in sources:
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] == "kubernetes_asyncio" for name in names):
                found.add(file)
    assert found == {"lazarus_tui/kube/transport.py"}


def test_importing_the_boundary_loads_neither_client_nor_http_stack() -> None:
    code = (
        "import sys, lazarus_tui.kube.cluster, lazarus_tui.kube.watch, lazarus_tui.kube.transport;"
        "print([m for m in ('kubernetes_asyncio', 'aiohttp', 'textual', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"


def test_files_stay_readable() -> None:
    lengths = {file.name: len(file.read_text().splitlines()) for file in (PACKAGE / "kube").glob("*.py")}
    assert {name: count for name, count in lengths.items() if count > 400} == {}
