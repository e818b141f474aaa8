"""Requests at the edges, sent in order, answered as a real API server (1.36) answered them: status and reason."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from lazarus_tui.model.resources import SERVICEACCOUNTS

from .conftest import Reply, World, quiet

EXCHANGES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("golden.json").read_text())

# Where the sandbox answers otherwise, and why.
ALLOWED: dict[str, str] = {}


async def exchange(world: World, wanted: dict[str, Any]) -> Reply:
    """One answer; time runs, so that a watch comes to its end."""
    body = wanted.get("body")
    task = asyncio.ensure_future(
        world.call(
            wanted["method"],
            wanted["path"],
            body.encode() if isinstance(body, str) else body,
            type=wanted.get("type", "application/json"),
            accept=wanted.get("accept", "application/json"),
            headers={"User-Agent": "Python/3"},
            **wanted.get("query", {}),
        )
    )
    await quiet()
    if not task.done():
        await world.clock.advance(2)
    return await task


def reason_of(wanted: dict[str, Any], reply: Reply) -> str:
    """Of a refusal; the answer to a HEAD has no body to tell it in."""
    return reply.reason if reply.status >= 400 and wanted["method"] != "HEAD" else ""


async def test_the_edges_answer_as_the_real_server_did(world: World) -> None:
    differing = {}
    for number, wanted in enumerate(EXCHANGES):
        reply = await exchange(world, wanted)
        got = (reply.status, reason_of(wanted, reply))
        if got != (wanted["status"], wanted.get("reason", "")):
            differing[wanted["label"]] = got
        if number == 0:  # what a controller makes in every new namespace
            world.api.create(SERVICEACCOUNTS, {"metadata": {"name": "default"}}, "golden")
    assert len(EXCHANGES) == 110
    assert sorted(differing) == sorted(ALLOWED), differing
