"""The tree itself keeps its promises: the lock, the documents, file sizes."""

import re
import tomllib
from pathlib import Path

import pytest

from lazarus_tui.cli.root import VERBS
from lazarus_tui.config import descriptions

ROOT = Path(__file__).parent.parent
SOURCES = sorted(p for top in ("lazarus_tui", "screens", "widgets") for p in (ROOT / top).rglob("*.py"))


def test_every_locked_package_is_pinned_and_hashed() -> None:
    text = (ROOT / "requirements.lock").read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(blocks) > 40
    for block in blocks:
        assert re.match(r"[a-z0-9._-]+==\S+", block), block[:80]
        assert "--hash=sha256:" in block, block[:80]


def test_the_lock_names_no_index_and_no_host() -> None:
    assert not re.search(r"https?://|--index|--extra-index|--find-links", (ROOT / "requirements.lock").read_text())


def test_every_dependency_is_in_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = set(re.findall(r"^([a-z0-9._-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
    wanted = project["dependencies"] + [one for extra in project["optional-dependencies"].values() for one in extra]
    names = {re.split(r"[<>=!~\[; ]", entry)[0].lower().replace("_", "-") for entry in wanted}
    assert not names - {project["name"]} - locked


@pytest.mark.parametrize("name", sorted(descriptions()))
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "configuration.md").read_text()


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_is_documented(verb: str) -> None:
    assert f"lazarus {verb}" in (ROOT / "docs" / "usage.md").read_text()


def test_no_source_file_is_longer_than_400_lines() -> None:
    long = {str(path.relative_to(ROOT)): lines for path in SOURCES
            if (lines := len(path.read_text().splitlines())) > 400}  # fmt: skip
    assert long == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(p.relative_to(ROOT)) for p in SOURCES if not p.read_text().lstrip().startswith(('"""', "'''", 'r"""'))
    ]
    assert silent == []
