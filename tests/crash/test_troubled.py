"""The quick part of the troubled writes: some of each operation, every kind of trouble."""

from __future__ import annotations

import pytest

from tests.crash.troubled import TROUBLES, case


@pytest.mark.parametrize("kind", TROUBLES)
@pytest.mark.parametrize(("name", "n"), [("restore", 9), ("undo", 10)])
async def test_one_troubled_write_changes_nothing_that_was_promised(name: str, n: int, kind: str) -> None:
    life = await case(name, n, kind)
    assert life.cut, "the trouble never happened"
    assert life.breaches == []
    assert life.state in ("done", "undone")
