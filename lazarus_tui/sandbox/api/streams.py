"""What a pod streams: logs, exec, attach and port-forward, over the kubelet's ``PodRuntime``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import suppress
from typing import Any

from lazarus_tui.model.clock import parse_rfc3339
from lazarus_tui.model.http import HttpRequest
from lazarus_tui.model.resources import PODS
from lazarus_tui.sandbox.api import forwards, options, sessions
from lazarus_tui.sandbox.api.answers import Answer, SocketAnswer, StreamAnswer, text_answer
from lazarus_tui.sandbox.api.errors import (
    ApiError,
    Cause,
    bad_request,
    forbidden,
    invalid,
    method_not_allowed,
    no_such_route,
)
from lazarus_tui.sandbox.api.routes import Route
from lazarus_tui.sandbox.api.verbs import Verbs
from lazarus_tui.sandbox.runtime import ExecSession, PodRuntime, RuntimeRefused

_METHODS = {"log": ("GET",), "ephemeralcontainers": ("GET", "PUT", "PATCH")}


async def pod_stream(verbs: Verbs, runtime: PodRuntime | None, request: HttpRequest, route: Route) -> Answer:
    """``ApiError`` before anything is streamed: no such pod or container, no runtime, nothing to upgrade to."""
    if route.namespace is None or not route.name:
        raise no_such_route()
    if request.method not in _METHODS.get(route.subresource, ("GET", "POST")):
        raise method_not_allowed()
    pod = verbs.get(verbs.registry.served(PODS).kind, route.namespace, route.name).obj
    if route.subresource == "ephemeralcontainers":
        why = "the sandbox has no ephemeral containers: its pods run images of its catalogue only"
        raise forbidden(PODS.plural, "", route.name, why)
    if runtime is None:
        raise ApiError(503, "ServiceUnavailable", "no kubelet is running")
    try:
        if route.subresource == "log":
            return await _log(verbs, runtime, request, pod)
        if route.subresource == "portforward":
            _assigned(pod)
            return forwards.forward_answer(runtime, request, pod)
        return await _process(runtime, request, route, pod)
    except RuntimeRefused as refused:
        raise ApiError(refused.status, refused.reason, refused.message) from None


def _container(pod: dict[str, Any], query: dict[str, str]) -> str:
    name, spec = pod["metadata"]["name"], pod.get("spec") or {}
    inits, regular = ([one["name"] for one in spec.get(part) or ()] for part in ("initContainers", "containers"))
    asked = query.get("container")
    if asked:
        if asked not in inits + regular:
            raise bad_request(f"container {asked} is not valid for pod {name}")
        return asked
    if len(regular) > 1:
        text = f"a container name must be specified for pod {name}, choose one of: [{' '.join(inits + regular)}]"
        raise bad_request(text)
    return str(regular[0])


async def _log(verbs: Verbs, runtime: PodRuntime, request: HttpRequest, pod: dict[str, Any]) -> Answer:
    query, meta = dict(request.query), pod["metadata"]
    _check_log_options(meta["name"], query)
    follow = options.flag(query, "follow")
    container = _container(pod, query)
    if not pod["spec"].get("nodeName"):
        return text_answer("")  # as the real server: nothing runs, so there is nothing to say
    lines = runtime.logs(
        meta["namespace"],
        meta["name"],
        container,
        follow=follow,
        previous=options.flag(query, "previous"),
        tail=options.number(query, "tailLines"),
        since_seconds=_since(verbs, query),
        timestamps=options.flag(query, "timestamps"),
        limit_bytes=options.number(query, "limitBytes"),
    )
    first = asyncio.ensure_future(_next(lines))
    # A refusal comes at once; a quiet container that is followed must not hold back the headers.
    for _ in range(3):
        await asyncio.sleep(0)
    if first.done() or not follow:
        await first
    chunks = _log_chunks(lines, first)
    await anext(chunks)
    return StreamAnswer(chunks, headers={"content-type": "text/plain"})


def _check_log_options(pod: str, query: dict[str, str]) -> None:
    """What a real server refuses of them, in its words (core/validation.ValidatePodLogOptions)."""
    causes = []
    for field, least, words in (
        ("tailLines", 0, "greater than or equal to 0"),
        ("limitBytes", 1, "greater than 0"),
        ("sinceSeconds", 1, "greater than 0"),
    ):
        value = options.number(query, field)
        if value is not None and value < least:
            causes.append(Cause(field, f"Invalid value: {value}: must be {words}"))
    if query.get("sinceSeconds") and query.get("sinceTime"):
        why = "Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified"
        causes = [cause for cause in causes if cause.field != "sinceSeconds"]
        causes.append(Cause("", why, "FieldValueForbidden"))
    if causes:
        raise invalid("PodLogOptions", "", pod, causes)


def _since(verbs: Verbs, query: dict[str, str]) -> int | None:
    if moment := query.get("sinceTime"):
        try:
            return max(0, int((verbs.clock.now() - parse_rfc3339(moment)).total_seconds()))
        except ValueError:
            raise bad_request(f"invalid sinceTime {moment!r}") from None
    return options.number(query, "sinceSeconds")


async def _next(lines: AsyncIterator[bytes]) -> bytes | None:
    return await anext(lines, None)


async def _log_chunks(lines: AsyncIterator[bytes], first: asyncio.Future[bytes | None]) -> AsyncGenerator[bytes, None]:
    try:
        yield b""  # started, so that closing it cleans up even when nobody reads
        chunk = await first
        while chunk is not None:
            yield chunk
            chunk = await _next(lines)
    finally:
        first.cancel()
        with suppress(asyncio.CancelledError, RuntimeRefused):
            await first
        if isinstance(lines, AsyncGenerator):
            await lines.aclose()


async def _process(runtime: PodRuntime, request: HttpRequest, route: Route, pod: dict[str, Any]) -> Answer:
    """exec and attach: what only the kubelet can refuse is told inside the conversation, as on a real server."""
    query, meta = dict(request.query), pod["metadata"]
    argv = [value for name, value in request.query if name == "command"]
    if route.subresource == "exec" and not argv:
        raise bad_request("you must specify at least one command for the container")
    container = _container(pod, query)
    _assigned(pod)
    chosen = forwards.subprotocol(request, sessions.PROTOCOLS)
    stdin, tty = options.flag(query, "stdin"), options.flag(query, "tty")

    def begin() -> Awaitable[ExecSession]:
        place = (meta["namespace"], meta["name"], container)
        if route.subresource == "attach":
            return runtime.attach(*place, stdin=stdin, tty=tty)
        return runtime.exec(*place, argv, stdin=stdin, tty=tty)

    wanted = {1: "stdout", 2: "stderr"}
    outputs = frozenset(number for number, name in wanted.items() if options.flag({name: "true"} | query, name))
    return SocketAnswer(chosen, sessions.Conversation(begin, stdin, outputs).run)


def _assigned(pod: dict[str, Any]) -> None:
    if not pod["spec"].get("nodeName"):
        raise bad_request(f"pod {pod['metadata']['name']} does not have a host assigned")
