"""One connection to one cluster: reads that decode straight into records, and the write verbs the gate uses.

Every call has its timeout. Reads are repeated by the table in ``retry``; writes are sent once and their error says
what is known. Lists and gets ask for the newest state (no resourceVersion): a decision is never made on a stale answer.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import msgspec

from lazarus_tui.kube import access, exec, forward, held, logs, secrets
from lazarus_tui.kube.decode import KindPage, decode_answer, encode
from lazarus_tui.kube.errors import Expired, Invalid, NotFound, Unexpected, from_oserror, from_response
from lazarus_tui.kube.proxy import service_proxy
from lazarus_tui.kube.retry import READ, OnRetry, ReadPolicy, with_retry
from lazarus_tui.model.clock import Clock, SystemClock
from lazarus_tui.model.http import HttpRequest, HttpResponse, Transport
from lazarus_tui.model.objects import Namespace, Page
from lazarus_tui.model.resources import NAMESPACES, SECRETS, Resource

if TYPE_CHECKING:
    from lazarus_tui.kube.contexts import Context
    from lazarus_tui.model.steps import Reader

T = TypeVar("T")

# Seconds (reliability §2, trap 1). The connection itself has 5 s of its own in the transport.
READ_TIMEOUT = 15.0
MUTATE_TIMEOUT = 10.0
LIST_TIMEOUT = 30.0

PAGE_LIMIT = 500
JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
FIELD_MANAGER = "lazarus"
_METADATA = "application/json;as={};v=v1;g=meta.k8s.io"


class Version(msgspec.Struct, frozen=True, rename="camel"):
    """The server's version; ``git_version`` is like "v1.33.1"."""

    git_version: str = ""
    major: str = ""
    minor: str = ""


class _ApiResource(msgspec.Struct, frozen=True):
    name: str = ""
    namespaced: bool = False
    verbs: list[str] | None = None


class _ApiResources(msgspec.Struct, frozen=True):
    resources: list[_ApiResource] | None = None


def object_path(
    resource: Resource, namespace: str | None = None, name: str | None = None, subresource: str | None = None
) -> str:
    """The API path; refuses names that would change it (they can come from cluster text)."""
    for part in (namespace, name, *(subresource or "").split("/")):
        if part and (part in (".", "..") or any(c in part for c in "/%?#\\") or not part.isprintable()):
            raise Invalid(f"not a name: {part[:64]!r}", reason="BadName", resource=resource.group_resource)
    return resource.path(namespace, name, subresource)


def shape_of(resource: Resource, *, many: bool) -> tuple[str, tuple[str, ...]]:
    """The Accept header for a kind and the kinds an answer may have: of a Secret, only its metadata is ever fetched."""
    if resource == SECRETS:
        kind = "PartialObjectMetadataList" if many else "PartialObjectMetadata"
        return _METADATA.format(kind), (kind,)
    return JSON, (f"{resource.kind}List", "List") if many else (resource.kind,)


class Cluster:
    """Implements ``model.steps.Reader``. The write verbs are for ``engine.gate`` alone (a test greps for that)."""

    def __init__(
        self,
        transport: Transport,
        context: str = "",
        clock: Clock | None = None,
        *,
        policy: ReadPolicy = READ,
        rng: Callable[[], float] = random.random,
        on_retry: OnRetry = lambda error: None,
    ) -> None:
        self.transport, self.context, self.clock = transport, context, clock or SystemClock()
        self.policy, self.rng, self.on_retry = policy, rng, on_retry
        self._uid = ""
        self._served: dict[str, frozenset[str]] = {}

    @classmethod
    async def open(cls, context: Context, *, clock: Clock | None = None) -> Self:
        """A connection to a kubeconfig context. Nothing is sent yet; raises ``KubeError`` when it cannot be made."""
        from lazarus_tui.kube.transport import ClientTransport  # the client library costs 0.4 s to import

        return cls(await ClientTransport.open(context, clock=clock or SystemClock()), context.name, clock)

    async def close(self) -> None:
        await self.transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"Cluster({self.context!r})"

    # --- requests

    async def send(self, request: HttpRequest, resource: str = "") -> HttpResponse:
        """One exchange, sent once; anything but 2xx is raised as its error."""
        try:
            response = await self.transport.send(request)
        except OSError as error:
            raise from_oserror(request, error, resource) from None
        if not 200 <= response.status < 300:
            raise from_response(request, response, resource)
        return response

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout: float | None = None,
        retry: bool | None = None,
        resource: str = "",
        policy: ReadPolicy | None = None,
    ) -> HttpResponse:
        """One request by hand; GET is repeated by the read policy unless ``retry`` is False, others never are."""
        pairs = tuple(query.items() if isinstance(query, Mapping) else query)
        headers = {"accept": accept}
        if body is not None:
            headers["content-type"] = content_type
        reads = method in ("GET", "HEAD")
        request = HttpRequest(
            method,
            path,
            tuple((key, str(value)) for key, value in pairs),
            headers,
            b"" if body is None else encode(body),
            timeout if timeout is not None else READ_TIMEOUT if reads else MUTATE_TIMEOUT,
        )
        if not (reads if retry is None else retry):
            return await self.send(request, resource)
        policy = policy or self.policy
        return await with_retry(lambda: self.send(request, resource), self.clock, policy, self.rng, self.on_retry)

    async def read(self, path: str, wanted: type[T], **options: Any) -> T:
        """GET ``path`` and decode it; options are those of ``request`` and ``kinds``."""
        kinds: tuple[str, ...] = options.pop("kinds", ())
        response = await self.request("GET", path, **options)
        value: T = decode_answer(HttpRequest("GET", path), response, wanted, kinds)
        return value

    # --- reads

    async def get(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        type: type[T],
        subresource: str = "",
        policy: ReadPolicy | None = None,
    ) -> T | None:
        """The object, or None when it is absent."""
        accept, kinds = shape_of(resource, many=False)
        try:
            return await self.read(
                object_path(resource, namespace, name, subresource),
                type,
                resource=resource.group_resource,
                accept=accept,
                kinds=() if subresource else kinds,
                policy=policy,
            )
        except NotFound:
            return None

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        type: type[T],
        label_selector: str = "",
        field_selector: str = "",
    ) -> list[T]:
        """All of them, fetched in pages; starts again when the server has forgotten the list's state in between."""
        restarts = 2
        while True:
            items: list[T] = []
            try:
                async for page in self.pages(
                    resource, namespace, type=type, label_selector=label_selector, field_selector=field_selector
                ):
                    items += page.items
            except Expired:
                restarts -= 1
                if restarts < 0:
                    raise
            else:
                return items

    async def pages(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        type: type[T],
        limit: int = PAGE_LIMIT,
        label_selector: str = "",
        field_selector: str = "",
        policy: ReadPolicy | None = None,
    ) -> AsyncGenerator[Page[T], None]:
        """The list page by page. ``Expired`` after the first page: begin again."""
        path, rest = object_path(resource, namespace), ""
        wanted = KindPage[type]  # type: ignore[valid-type]
        accept, kinds = shape_of(resource, many=True)
        while True:
            query = {
                "limit": str(limit),
                "continue": rest,
                "labelSelector": label_selector,
                "fieldSelector": field_selector,
            }
            page: Page[T] = await self.read(
                path,
                wanted,
                query={key: value for key, value in query.items() if value},
                timeout=LIST_TIMEOUT,
                resource=resource.group_resource,
                accept=accept,
                kinds=kinds,
                policy=policy,
            )
            rest = page.metadata.continue_
            yield page
            if not rest:
                return

    async def cluster_uid(self) -> str:
        """The uid of namespace kube-system; remembered for this connection once it is known."""
        if not self._uid:
            found = await self.get(NAMESPACES, "kube-system", type=Namespace)
            if found is None or not found.metadata.uid:
                raise NotFound(
                    "namespace kube-system has no uid: the cluster cannot be identified", reason="NoIdentity"
                )
            self._uid = found.metadata.uid
        return self._uid

    async def version(self, *, policy: ReadPolicy | None = None) -> Version:
        """Also the cheapest sign of life."""
        return await self.read("/version", Version, policy=policy)

    async def has(self, resource: Resource) -> bool:
        """Whether the server serves this kind. A yes is remembered, a no is asked again."""
        if resource.plural not in self._served.get(resource.api_version, frozenset()):
            path = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
            try:
                found = await self.read(path, _ApiResources, kinds=("APIResourceList",))
            except NotFound:
                return False
            self._served[resource.api_version] = frozenset(item.name for item in found.resources or ())
        return resource.plural in self._served[resource.api_version]

    # --- writes: sent once, with preconditions

    async def create(self, resource: Resource, obj: Mapping[str, Any], namespace: str | None = None) -> dict[str, Any]:
        """POST; the server's answer. A subresource of an existing object is not made here."""
        return await self._write("POST", object_path(resource, namespace), resource, obj, JSON)

    async def merge_patch(
        self,
        resource: Resource,
        name: str,
        patch: Mapping[str, Any],
        namespace: str | None = None,
        *,
        subresource: str = "",
        uid: str = "",
        rv: str = "",
    ) -> dict[str, Any]:
        """RFC 7386. ``uid`` and ``rv`` are preconditions: ``Conflict`` when the object is another one by now."""
        must = {key: value for key, value in (("uid", uid), ("resourceVersion", rv)) if value}
        if must:
            patch = {**patch, "metadata": {**patch.get("metadata", {}), **must}}
        path = object_path(resource, namespace, name, subresource)
        return await self._write("PATCH", path, resource, patch, MERGE_PATCH)

    async def json_patch(
        self,
        resource: Resource,
        name: str,
        operations: Sequence[Mapping[str, Any]],
        namespace: str | None = None,
        *,
        subresource: str = "",
        uid: str = "",
        rv: str = "",
    ) -> dict[str, Any]:
        """RFC 6902, preceded by tests of ``uid`` and ``rv``; a failed test is a ``Conflict``."""
        tests = [
            {"op": "test", "path": f"/metadata/{key}", "value": value}
            for key, value in (("uid", uid), ("resourceVersion", rv))
            if value
        ]
        path = object_path(resource, namespace, name, subresource)
        return await self._write("PATCH", path, resource, [*tests, *operations], JSON_PATCH)

    async def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str = "",
        rv: str = "",
        propagation: str = "Background",
    ) -> dict[str, Any]:
        """DELETE with preconditions; the answer is the object or a Status. 404 is raised: only the caller knows."""
        must = {key: value for key, value in (("uid", uid), ("resourceVersion", rv)) if value}
        options: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        if must:
            options["preconditions"] = must
        return await self._write("DELETE", object_path(resource, namespace, name), resource, options, JSON)

    async def _write(self, method: str, path: str, resource: Resource, body: Any, content_type: str) -> dict[str, Any]:
        # Strict: a field the server does not know is an error, never dropped in silence.
        query = {} if method == "DELETE" else {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        kind = resource.group_resource
        response = await self.request(method, path, query=query, body=body, content_type=content_type, resource=kind)
        answer: dict[str, Any] = decode_answer(HttpRequest(method, path), response, dict[str, Any])
        if not isinstance(answer.get("kind"), str):
            raise Unexpected(f"answer {response.status} names no kind", request=f"{method} {path}", resource=kind)
        return answer

    # --- the rest of Reader

    can_i = access.can_i
    can_i_all = access.can_i_all
    dry_run = access.dry_run
    service_proxy = service_proxy
    exec = exec.run
    hold = held.hold
    logs = logs.logs
    forward = forward.port_forward
    credential = secrets.credential
    secret = secrets.secret


if TYPE_CHECKING:

    def _implements(cluster: Cluster) -> Reader:
        return cluster
