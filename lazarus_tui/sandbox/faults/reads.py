"""Reads that show the past, and access reviews read as the request they ask about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.sandbox.api.answers import Answer, error_answer, json_answer
from lazarus_tui.sandbox.api.bodies import decode_object
from lazarus_tui.sandbox.api.errors import ApiError, not_found
from lazarus_tui.sandbox.api.server import Handler
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.faults.facts import Facts


async def older(store: Store, facts: Facts, versions: int, serve: Handler) -> Answer:
    """What a server would answer whose cache lags that many versions behind."""
    revision = max(store.revision - versions, store.floor)
    query = {key: value for key, value in facts.request.query if not key.startswith("resourceVersion")}
    query |= {"resourceVersion": str(revision), "resourceVersionMatch": "Exact"}
    if facts.verb == "list":
        return await serve(replace(facts.request, query=tuple(query.items())))
    path, _, _ = facts.request.path.rstrip("/").rpartition("/")
    query["fieldSelector"] = f"metadata.name={facts.name}"
    answer = await serve(HttpRequest("GET", path, tuple(query.items()), facts.request.headers))
    return _single(answer, facts) if isinstance(answer, HttpResponse) and answer.status == 200 else answer


def _single(answer: HttpResponse, facts: Facts) -> HttpResponse:
    """The one object of a list, as a get would have answered."""
    listed: dict[str, Any] = msgspec.json.decode(answer.body)
    if listed.get("kind") == "Table":
        return answer
    if not listed["items"]:
        return error_answer(not_found(facts.resource, facts.group, facts.name))
    head = {"kind": str(listed["kind"]).removesuffix("List"), "apiVersion": listed["apiVersion"]}
    return json_answer(head | listed["items"][0])


def reviewed(facts: Facts) -> Facts | None:
    """The request that an access review asks about; None for one that cannot be read or asks for paths."""
    try:
        spec = decode_object(facts.request).get("spec")
    except ApiError:
        return None
    asked = spec.get("resourceAttributes") if isinstance(spec, dict) else None
    if not isinstance(asked, dict):
        return None

    def text(name: str) -> str:
        return str(asked.get(name) or "")

    return Facts(
        facts.request,
        text("verb"),
        text("group"),
        text("resource"),
        text("subresource"),
        text("namespace"),
        text("name"),
    )
