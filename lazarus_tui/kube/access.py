"""Asking the API what it would allow. A hint for the screen: the 403 of the real request is the truth."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from lazarus_tui.kube.decode import decode_answer
from lazarus_tui.kube.errors import Conflict, Forbidden, Invalid, NotFound
from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.resources import ACCESS_REVIEWS, Resource

if TYPE_CHECKING:
    from lazarus_tui.kube.cluster import Cluster

# Questions under way at once; more would only push others back.
PARALLEL = 8


@dataclass(frozen=True, slots=True)
class Question:
    """May I ``verb`` this resource? ``namespace`` "" means in all of them."""

    verb: str
    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""

    def __str__(self) -> str:
        sub = f"/{self.subresource}" if self.subresource else ""
        return f"{self.verb} {self.resource.group_resource}{sub}"


class _Allowed(msgspec.Struct, frozen=True):
    allowed: bool = False


class _Review(msgspec.Struct, frozen=True):
    status: _Allowed | None = None


async def can_i(
    cluster: Cluster, verb: str, resource: Resource, namespace: str = "", name: str = "", subresource: str = ""
) -> bool | None:
    """True or False as the API says; None when it would not even answer that."""
    attributes = {
        "verb": verb,
        "group": resource.group,
        "version": resource.version,
        "resource": resource.plural,
        "namespace": namespace if resource.namespaced else "",
        "name": name,
        "subresource": subresource,
    }
    body = {
        "apiVersion": ACCESS_REVIEWS.api_version,
        "kind": ACCESS_REVIEWS.kind,
        "spec": {"resourceAttributes": {key: value for key, value in attributes.items() if value}},
    }
    path = ACCESS_REVIEWS.path()
    try:
        # It changes nothing, so it is repeated like a read.
        response = await cluster.request("POST", path, body=body, retry=True, resource=ACCESS_REVIEWS.group_resource)
    except (Forbidden, NotFound, Invalid):
        return None
    review: _Review = decode_answer(HttpRequest("POST", path), response, _Review, (ACCESS_REVIEWS.kind,))
    return None if review.status is None else review.status.allowed


async def dry_run(cluster: Cluster, resource: Resource, obj: Mapping[str, Any], namespace: str | None = None) -> str:
    """Why the server would not create ``obj``, "" when it would: admission runs, nothing is made (``dryRun=All``)."""
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    try:
        # It changes nothing, so it is repeated like a read.
        await cluster.request(
            "POST", resource.path(namespace), query=query, body=obj, retry=True, resource=resource.group_resource
        )
    except (Forbidden, Invalid, Conflict, NotFound) as error:
        return error.message
    return ""


async def can_i_all(cluster: Cluster, questions: Sequence[Question]) -> dict[Question, bool | None]:
    """The answers to many questions, at most 8 at a time."""
    lane = asyncio.Semaphore(PARALLEL)

    async def ask(question: Question) -> bool | None:
        async with lane:
            return await can_i(
                cluster, question.verb, question.resource, question.namespace, question.name, question.subresource
            )

    async with asyncio.TaskGroup() as group:
        tasks = {question: group.create_task(ask(question)) for question in questions}
    return {question: task.result() for question, task in tasks.items()}
