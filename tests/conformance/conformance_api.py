"""Requests by hand, as any client would send them, and a namespace that lasts as long as one case."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui.kube.cluster import Cluster
from lazarus_tui.model.http import HttpRequest

JSON = "application/json"
MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
PARTIAL_LIST = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"

# Paths in cases name the case's namespace and the run's API group like this.
NS, GROUP = "{ns}", "{group}"
CM = "/api/v1/namespaces/{ns}/configmaps"
SECRETS = "/api/v1/namespaces/{ns}/secrets"
PODS = "/api/v1/namespaces/{ns}/pods"
CLAIMS = "/api/v1/namespaces/{ns}/persistentvolumeclaims"
SERVICES = "/api/v1/namespaces/{ns}/services"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{ns}/deployments"
STATEFULSETS = "/apis/apps/v1/namespaces/{ns}/statefulsets"
JOBS = "/apis/batch/v1/namespaces/{ns}/jobs"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases"
ACCOUNTS = "/api/v1/namespaces/{ns}/serviceaccounts"
NAMESPACES = "/api/v1/namespaces"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/{group}/v1/namespaces/{ns}/widgets"
GADGETS = "/apis/{group}/v1/namespaces/{ns}/gadgets"

# Seconds: how long controllers of a real cluster may take, and how often to look.
PATIENCE, LOOK = 60.0, 0.01


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def meta(self) -> dict[str, Any]:
        return dict(self.body["metadata"])

    @property
    def names(self) -> list[str]:
        return [item["metadata"]["name"] for item in self.body["items"]]

    def is_refused(self, status: int, reason: str, text: str = "") -> None:
        """A Status that says so in all its parts."""
        body = self.body
        told = (self.status, body.get("reason", ""), body.get("code"), body.get("kind"), body.get("status"))
        assert told == (status, reason, status, "Status", "Failure"), self.raw
        assert text in body["message"], body["message"]

    def ok(self, status: int = 200) -> Any:
        """The body of an answer that has to be ``status``."""
        assert self.status == status, self.raw
        return self.body


@dataclass
class Watching:
    """A watch that is open; ``next`` is the next event."""

    events: AsyncIterator[dict[str, Any]]

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            return await anext(self.events)

    async def seen(self) -> tuple[str, str]:
        event = await self.next()
        return event["type"], event["object"]["metadata"].get("name", "")

    async def rest(self) -> list[dict[str, Any]]:
        async with asyncio.timeout(PATIENCE):
            return [event async for event in self.events]


@dataclass
class Api:
    """A connection, a throw-away namespace and the run's own API group."""

    cluster: Cluster
    ns: str = ""
    group: str = ""
    bare: Cluster | None = None
    namespaces: list[str] = field(default_factory=list)

    def _filled(self, text: str) -> str:
        return text.replace(NS, self.ns).replace(GROUP, self.group)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        type: str = JSON,
        accept: str = JSON,
        headers: Mapping[str, str] | None = None,
        **query: str,
    ) -> HttpRequest:
        raw = b"" if body is None else body if isinstance(body, bytes) else self._filled(json.dumps(body)).encode()
        sent = {"accept": accept, **({} if body is None or not type else {"content-type": type}), **(headers or {})}
        filled = tuple((key, self._filled(value)) for key, value in query.items())
        return HttpRequest(method, self._filled(path), filled, sent, raw, PATIENCE)

    async def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> Reply:
        answer = await self.cluster.transport.send(self.request(method, path, body, **options))
        return Reply(answer.status, answer.headers, answer.body)

    async def get(self, path: str, **options: Any) -> Reply:
        return await self("GET", path, **options)

    async def make(self, path: str, body: Mapping[str, Any], **options: Any) -> Any:
        return (await self("POST", path, body, **options)).ok(201)

    async def patch(self, path: str, body: Any, type: str = MERGE, **options: Any) -> Reply:
        return await self("PATCH", path, body, type=type, **options)

    async def delete(self, path: str, body: Any = None, **options: Any) -> Reply:
        return await self("DELETE", path, body, **options)

    @asynccontextmanager
    async def watch(self, path: str, **query: str) -> AsyncIterator[Watching]:
        request = self.request("GET", path, watch="true", **query)
        async with self.cluster.transport.stream(request) as stream:
            assert stream.status == 200
            events = _events(stream.chunks())
            yield Watching(events)

    async def eventually(self, true: Callable[[], Awaitable[Any]]) -> Any:
        """What ``true`` says once it says something; controllers need their time."""
        async with asyncio.timeout(PATIENCE):
            while not (found := await true()):
                await asyncio.sleep(LOOK)
        return found

    async def gone(self, path: str) -> None:
        async def absent() -> bool:
            return (await self.get(path)).status == 404

        await self.eventually(absent)

    async def stays(self, path: str) -> Any:
        return (await self.get(path)).ok()

    async def other_namespace(self, suffix: str) -> str:
        """One more namespace for this case; it goes with the case."""
        name = f"{self.ns}-{suffix}"
        await self.make(NAMESPACES, {"metadata": {"name": name}})
        self.namespaces.append(name)
        return name

    async def account(self) -> None:
        """Pods are refused until their namespace has its service account, which a controller makes."""
        made = await self("POST", ACCOUNTS, {"metadata": {"name": "default"}})
        assert made.status in (201, 409), made.raw


async def _events(chunks: AsyncIterator[bytes]) -> AsyncIterator[dict[str, Any]]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield json.loads(line)
    assert not rest, "a watch ends at the end of a line"


def cm(name: str, data: Mapping[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **meta}, "data": dict(data or {})}


def owner(obj: Mapping[str, Any], *, kind: str = "ConfigMap", block: bool = False) -> dict[str, Any]:
    meta = obj["metadata"]
    made = {"apiVersion": "v1", "kind": kind, "name": meta["name"], "uid": meta["uid"]}
    return made | ({"blockOwnerDeletion": True} if block else {})


def pod_spec(**spec: Any) -> dict[str, Any]:
    """For no scheduler that exists."""
    return {
        "automountServiceAccountToken": False,
        "schedulerName": "lazarus-conformance-none",
        "containers": [{"name": "c", "image": "lazarus.dev/pause:1"}],
        **spec,
    }


def pod(name: str, **spec: Any) -> dict[str, Any]:
    """Never scheduled anywhere: its gate stays shut, and servers that know no gates have no such scheduler."""
    gates = [] if "nodeName" in spec else [{"name": "lazarus.dev/conformance"}]
    return {"metadata": {"name": name}, "spec": pod_spec(schedulingGates=gates) | spec}


def workload(name: str, **spec: Any) -> dict[str, Any]:
    """A Deployment or StatefulSet that wants no pods."""
    template = {"metadata": {"labels": {"app": name}}, "spec": pod_spec()}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template, **spec},
    }


def job(name: str, **spec: Any) -> dict[str, Any]:
    template = {"spec": pod_spec(restartPolicy="Never")}
    return {"metadata": {"name": name}, "spec": {"suspend": True, "template": template, **spec}}


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"selector": {"a": "b"}, "ports": [{"port": 80}], **spec}}


def claim(name: str, **spec: Any) -> dict[str, Any]:
    """Of a class that does not exist: nothing is ever provisioned for it."""
    storage = {"requests": {"storage": "1Gi"}}
    made = {"accessModes": ["ReadWriteOnce"], "resources": storage, "storageClassName": "lazarus-conformance-none"}
    return {"metadata": {"name": name}, "spec": made | spec}
