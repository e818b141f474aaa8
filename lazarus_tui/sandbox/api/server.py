"""The API server's core: one ``handle`` for every front end, without a socket or an HTTP library.

``interceptor`` is the seam for faults: it sees each request first and may answer it (429, 500), wait (a hang), or raise
``OSError``, which a front end turns into a broken connection. ``around`` is the seam for faults that must also see the
answer (sandbox/faults). ``private`` serves the sandbox's own paths, which neither of them touches.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable
from random import Random

from lazarus_tui.model.clock import Clock
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.sandbox.api import discovery
from lazarus_tui.sandbox.api.access import Access
from lazarus_tui.sandbox.api.answers import Answer, StreamAnswer, error_answer, json_answer, text_answer
from lazarus_tui.sandbox.api.attributes import names_resource
from lazarus_tui.sandbox.api.authentication import header as header
from lazarus_tui.sandbox.api.bodies import check_size
from lazarus_tui.sandbox.api.calls import Call
from lazarus_tui.sandbox.api.errors import ApiError, method_not_allowed, no_such_route
from lazarus_tui.sandbox.api.health import ROOTS, health
from lazarus_tui.sandbox.api.identity import User
from lazarus_tui.sandbox.api.kinds import Served
from lazarus_tui.sandbox.api.metrics import metrics_text
from lazarus_tui.sandbox.api.openapi import OpenApi
from lazarus_tui.sandbox.api.proxy import proxy_answer
from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.reviews import is_review, review
from lazarus_tui.sandbox.api.routes import Route, parse_route
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.api.streams import pod_stream
from lazarus_tui.sandbox.api.subresources import pod_subresource
from lazarus_tui.sandbox.api.token_requests import token_request
from lazarus_tui.sandbox.api.verbs import Verbs
from lazarus_tui.sandbox.runtime import PodRuntime

Interceptor = Callable[[HttpRequest], Awaitable[HttpResponse | None]]
Handler = Callable[[HttpRequest], Awaitable[Answer]]
Around = Callable[[HttpRequest, Handler], Awaitable[Answer]]
"""Answers a request, by itself or by what the handler answers. Raises ``OSError`` to break the connection."""

# What /version says unless told otherwise: the Kubernetes release whose answers the sandbox copies.
KUBERNETES_VERSION = "v1.36.2"
_STREAMED = ("log", "exec", "attach", "portforward", "ephemeralcontainers")
_WRITES = ("POST", "PUT", "PATCH", "DELETE")

_log = logging.getLogger(__name__)


class ApiServer:
    """Answers Kubernetes requests from a store.

    ``token`` is the administrator's (``""`` lets everybody in as such); ``runtime`` serves logs, exec and connections
    into pods; ``wire`` times watches and defaults to ``clock`` — with a scaled clock hand in real time, because
    clients count real seconds. ``signing`` makes the key of service accounts' tokens, by default ``token`` does.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        clock: Clock,
        *,
        token: str = "",
        runtime: PodRuntime | None = None,
        version: str = KUBERNETES_VERSION,
        interceptor: Interceptor | None = None,
        wire: Clock | None = None,
        ids: Callable[[], str] = lambda: str(uuid.uuid4()),
        rng: Random | None = None,
        signing: str = "",
    ) -> None:
        self.store, self.registry, self.clock = store, registry, clock
        self.token, self.runtime, self.version = token, runtime, version
        self.interceptor = interceptor
        self.around: Around | None = None
        self.private: dict[str, Handler] = {}
        self.address = "127.0.0.1:443"  # what /api tells; a front end puts its own here
        self._wire = wire or clock
        self._verbs = Verbs(store, registry, clock, ids=ids, rng=rng)
        self.access = Access(store, clock, token, ids, signing)
        self._openapi = OpenApi(registry, version)
        self._stopping = False

    def stop(self) -> None:
        """End all watches; later ones end at once."""
        self._stopping = True
        self.store.wake_watchers()

    def renew(self, token: str) -> None:
        """From now on ``token`` is the administrator's, and the one before is refused."""
        self.token = token
        self.access.renew(token)

    async def handle(self, request: HttpRequest) -> Answer:
        """The answer to one request. Raises only what the interceptor and ``around`` raise."""
        if request.path in self.private:
            return await self._private(request)
        if self.interceptor is not None:
            answer = await self.interceptor(request)
            if answer is not None:
                return answer
        if self.around is not None:
            return await self.around(request, self._answer)
        return await self._answer(request)

    async def _private(self, request: HttpRequest) -> Answer:
        """Paths of the sandbox itself: nobody but the holder of the administrator's token may even know of them."""
        if not self.token or not self.access.is_administrator(request):
            return error_answer(no_such_route())
        try:
            return await self.private[request.path](request)
        except ApiError as error:
            return error_answer(error)

    async def _answer(self, request: HttpRequest) -> Answer:
        try:
            check_size(request)
            answered = await self._dispatch(request, self.access.admit(request))
            if request.method in _WRITES and not isinstance(answered, StreamAnswer):
                await self.store.durable(self.store.revision)
            return answered
        except ApiError as error:
            return error_answer(error)
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            return error_answer(ApiError(500, "InternalError", "Internal error occurred: see the sandbox's log"))

    async def _dispatch(self, request: HttpRequest, user: User) -> Answer:
        path = request.path.rstrip("/") or "/"
        if names_resource(path):
            return await self._resource(request, user)
        if request.method != "GET":
            raise method_not_allowed()
        return self._document(request, path)

    def _document(self, request: HttpRequest, path: str) -> Answer:
        if path.startswith(ROOTS):
            excluded = [value for name, value in request.query if name == "exclude"]
            return health(path, dict(request.query), excluded, self.store.refusal())
        if path == "/metrics":
            return text_answer(metrics_text(self.store, self.registry))
        if path == "/version":
            return json_answer(self._version())
        accept = header(request, "accept")
        if path in ("/api", "/apis") and discovery.wants_aggregated(accept):
            return discovery.aggregated_answer(self.registry, path, header(request, "if-none-match"))
        if path == "/api":
            return json_answer(discovery.api_versions(self.address))
        if path == "/apis":
            return json_answer(discovery.group_list(self.registry))
        if path == "/api/v1":
            return json_answer(discovery.resource_list(self.registry, "", "v1"))
        if path.startswith("/openapi/"):
            return self._openapi.answer(request, path)
        if path.startswith("/apis/"):
            name, _, version = path.removeprefix("/apis/").partition("/")
            found = discovery.resource_list(self.registry, name, version) if version else None
            return json_answer(found or discovery.group(self.registry, name))
        raise no_such_route()

    def _version(self) -> dict[str, str]:
        major, minor, *_ = self.version.removeprefix("v").split(".")
        return {
            "major": major,
            "minor": minor,
            "gitVersion": self.version,
            "gitCommit": "",
            "gitTreeState": "",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "",
            "compiler": "",
            "platform": "lazarus/sandbox",
        }

    async def _resource(self, request: HttpRequest, user: User) -> Answer:
        route = parse_route(request.path)
        if route.subresource == "proxy" and route.plural in ("services", "pods") and route.name:
            return await proxy_answer(self._verbs, self.runtime, request, route)
        if route.plural == "pods" and not route.group and route.subresource in _STREAMED:
            return await pod_stream(self._verbs, self.runtime, request, route)
        served = self.registry.find(route.group, route.version, route.plural)
        if served is None:
            raise self.registry.absent(route.group)
        if route.subresource == "token":
            return token_request(self._verbs, self.access.tokens, request, route)
        if route.subresource in ("binding", "eviction") or served.kind.kind == "Binding":
            return pod_subresource(self._verbs, request, route)
        if is_review(served.kind.kind):
            return review(self.access, user, request, route, served)
        call = self._call(request, route, served)
        self.access.confirm(user, call)
        return call.answer()

    def _call(self, request: HttpRequest, route: Route, served: Served) -> Call:
        return Call(
            self._verbs,
            self._wire,
            request,
            dict(request.query),
            route,
            served,
            header(request, "accept"),
            lambda: self._stopping,
        )
