"""The application with a lock: nothing is written while it is locked, by whomever, until it is unlocked."""

from __future__ import annotations

from .conftest import Node


async def test_a_lock_stops_writing_and_outlives_whoever_raised_it(node: Node) -> None:
    node.pod("app", "locker")
    await node.until(lambda: node.ready("app"))

    async def rows() -> int:
        return (await node.run("app", "cat", "/rows"))[1].count(b"\n")

    assert await node.run("app", "locker", "lock") == (0, b"1\n", b"")
    assert await node.run("app", "locker", "lock") == (0, b"2\n", b"")
    before = await rows()
    assert await rows() == before
    assert await node.run("app", "locker", "unlock") == (0, b"0\n", b"")
    assert await node.run("app", "locker", "unlock") == (0, b"0\n", b"")
    after = await rows()
    while await rows() == after:
        pass
