"""A cluster as a dictionary, a gate that journals in a list, and a runner in small: for steps and their faults.

Time is a number that only waiting moves. ``script`` holds what happens between two looks, one entry a look.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from lazarus_tui.kube.errors import NotFound
from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.operation import CheckResult, Figures
from lazarus_tui.model.plan import Danger, Plan
from lazarus_tui.model.resources import Resource
from lazarus_tui.model.steps import Observation, Outcome, Seen, Step, StepStopped, Write, WriteResult
from lazarus_tui.model.streams import Streams
from lazarus_tui.model.verdict import Verdict
from lazarus_tui.sandbox.api.selectors import parse_labels
from tests.velero.wires import behind, wire

START = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
VELERO = "velero"
OP = "0123456789abcdef"


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class World:
    """Objects by (plural, namespace, name); answers of services by (namespace, service, path)."""

    context = "lab"

    def __init__(self) -> None:
        self.clock = Clock()
        self.objects: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.services: dict[tuple[str, str, str], Any] = {}
        self.artefacts: dict[tuple[str, str], bytes | Exception | None] = {}
        self.writes: list[Write] = []
        self.outcomes: list[Outcome] = []  # for the next writes, instead of applying them
        self.not_served: set[str] = set()
        self.doubt = ""
        self.after_write: Callable[[Write], None] = lambda write: None
        self._uids = itertools.count(1)

    def put(self, resource: Resource, name: str, namespace: str = VELERO, **fields: Any) -> dict[str, Any]:
        meta = {
            "name": name, "namespace": namespace, "uid": f"uid-{next(self._uids)}", "resourceVersion": "1",
            "creationTimestamp": rfc3339(self.clock.now()), **fields.pop("metadata", {}),
        }  # fmt: skip
        found = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, **fields}
        self.objects[(resource.plural, namespace if resource.namespaced else "", name)] = found
        return found

    def at(self, resource: Resource, name: str, namespace: str = VELERO) -> dict[str, Any]:
        return self.objects[(resource.plural, namespace if resource.namespaced else "", name)]

    def drop(self, resource: Resource, name: str, namespace: str = VELERO) -> None:
        del self.objects[(resource.plural, namespace if resource.namespaced else "", name)]

    # --- Reader

    async def get(self, resource: Resource, name: str, namespace: str | None = None, *, type: Any) -> Any:
        space = (namespace or "") if resource.namespaced else ""
        found = self.objects.get((resource.plural, space, name)) or behind(self.services, resource, space).get(name)
        return None if found is None else msgspec.convert(copy.deepcopy(found), type)

    async def list(
        self, resource: Resource, namespace: str | None = None, *, type: Any,
        label_selector: str = "", field_selector: str = "",
    ) -> Any:  # fmt: skip
        if resource.plural in self.not_served:
            raise NotFound("not served", status=404)
        wanted = parse_labels(label_selector)
        found = []
        for (plural, space, _), item in sorted(self.objects.items()):
            labels = item["metadata"].get("labels") or {}
            if plural == resource.plural and namespace in (None, space) and wanted.matches(labels):
                found.append(msgspec.convert(copy.deepcopy(item), type))
        for item in behind(self.services, resource, namespace).values():
            if wanted.matches(item["metadata"].get("labels") or {}):
                found.append(msgspec.convert(item, type))
        return found

    def forward(
        self, namespace: str, pod: str, port: int, *, timeout: float = 10.0
    ) -> AbstractAsyncContextManager[Streams]:
        return wire(self.services, namespace, pod)

    async def service_proxy(
        self, namespace: str, service: str, port: int | str, path: str, *, timeout: float = 5.0, limit: int = 65536
    ) -> tuple[int, bytes]:
        answer = self.services.get((namespace, service, path))
        answer = answer() if callable(answer) else answer
        if answer is None:
            raise NotFound("no such service", status=404)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, tuple) else (200, json.dumps(answer).encode())

    async def cluster_uid(self) -> str:
        return "cluster-1"

    async def can_i(
        self, verb: str, resource: Resource, namespace: str = "", name: str = "", subresource: str = ""
    ) -> bool | None:
        return True

    async def dry_run(self, resource: Resource, obj: Mapping[str, Any], namespace: str | None = None) -> str:
        return ""

    # --- Gate

    async def write(self, write: Write) -> WriteResult:
        self.writes.append(write)
        outcome = self.outcomes.pop(0) if self.outcomes else Outcome.APPLIED
        if outcome is Outcome.APPLIED:
            outcome = self._apply(write)
        self.after_write(write)
        return WriteResult(outcome, reason="as the test wants it")

    def _apply(self, write: Write) -> Outcome:
        key = (write.resource.plural, (write.namespace or "") if write.resource.namespaced else "", write.name)
        found = self.objects.get(key)
        if write.verb == "create":
            if found is not None:
                return Outcome.CONFLICT
            body = copy.deepcopy(write.body)
            labels = {**(body["metadata"].get("labels") or {}), "lazarus.io/op": OP[:8]}
            meta = {**body.pop("metadata"), "labels": labels}
            body.pop("apiVersion"), body.pop("kind")
            self.put(write.resource, write.name, key[1], metadata=meta, **body)
            return Outcome.APPLIED
        if found is None:
            return Outcome.GONE
        if found["metadata"]["uid"] != write.uid:
            return Outcome.CONFLICT
        if write.resource_version and found["metadata"]["resourceVersion"] != write.resource_version:
            return Outcome.CONFLICT
        if write.verb == "delete":
            del self.objects[key]
        else:
            merge(found, write.body)
        return Outcome.APPLIED


def merge(target: dict[str, Any], patch: Mapping[str, Any]) -> None:
    for key, value in patch.items():
        if isinstance(value, Mapping) and isinstance(target.get(key), dict):
            merge(target[key], value)
        else:
            target[key] = copy.deepcopy(value)


class Lab:
    """One operation under way in a world: the context its steps see, and what they said and judged."""

    def __init__(self, world: World) -> None:
        self.world, self.reader, self.gate, self.clock = world, world, world, world.clock
        self.op = OP
        self.facts: dict[str, Any] = {}
        self.said: list[str] = []
        self.checks: list[CheckResult] = []
        self.verdicts: list[Verdict] = []
        self.figures: list[Figures] = []
        self.records: list[Mapping[str, Any]] = []
        self.fetched: list[str] = []
        self.documents: dict[str, dict[str, Any]] = {}
        self.plan = Plan(
            kind="test", context="lab", cluster_uid="cluster-1", target="t", title="t", danger=Danger.SAFE,
            params={}, steps=(),
        )  # fmt: skip

    async def remember(self, **facts: Any) -> None:
        self.facts |= json.loads(json.dumps(facts))

    async def say(self, text: str) -> None:
        self.said.append(text)

    async def checked(self, *results: CheckResult) -> None:
        self.checks = [one for one in self.checks if one.name not in {result.name for result in results}]
        self.checks += results

    async def measured(self, figures: Figures) -> None:
        self.figures.append(figures)

    async def judged(self, verdict: Verdict) -> None:
        self.verdicts.append(verdict)

    async def evidence(self, record: Mapping[str, Any]) -> str:
        self.records.append(record)
        return "evidence/1.json"

    async def keep(self, name: str, record: Mapping[str, Any]) -> str:
        self.documents[name] = json.loads(json.dumps(record))
        return f"manifests/{name}.json"

    async def kept(self, name: str) -> dict[str, Any] | None:
        return self.documents.get(name)

    async def forget(self, name: str) -> None:
        self.documents.pop(name, None)

    async def artefact(self, velero: str, kind: str, name: str) -> bytes:
        found = self.world.artefacts.get((kind, name))
        if not isinstance(found, bytes):
            raise StepStopped(f"{kind} of {name} could not be read: there is none")
        return found

    async def fetch(self, url: str, *, limit: int, ca: str = "") -> bytes:
        self.fetched.append(url)
        kind, _, name = url.removeprefix("signed://").partition("/")
        answer = self.world.artefacts.get((kind, name))
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            raise OSError("store answered 404 (there is no such object)")
        return answer

    async def run(self, step: Step, *script: Callable[[], Any], looks: int = 60) -> Observation:
        """As the runner does it; after each look that waits the next entry of ``script`` happens."""
        happenings = list(script)
        acts = 0
        for _ in range(looks):
            seen = await step.observe(self)
            if seen.seen is Seen.DONE:
                self.facts |= json.loads(json.dumps(dict(seen.facts)))
                return seen
            if seen.seen in (Seen.FAILED, Seen.DIVERGED):
                return seen
            if seen.seen is Seen.ABSENT:
                acts += 1
                assert acts <= 5, "it acts for ever"
                await step.act(self)
                continue
            if happenings:
                happenings.pop(0)()
            await self.clock.sleep(step.poll)
        return seen

    async def stopped(self, step: Step) -> StepStopped:
        try:
            seen = await self.run(step)
        except StepStopped as stop:
            return stop
        raise AssertionError(f"it did not stop: {seen}")


def serve_downloads(world: World) -> None:
    """The server's part of a download: a URL as soon as a request is there."""

    def answer(write: Write) -> None:
        if write.verb == "create" and write.resource.plural == "downloadrequests":
            request = world.objects.get(("downloadrequests", VELERO, write.name))
            if request is not None:
                target = request["spec"]["target"]
                url = f"signed://{target['kind']}/{target['name']}"
                request["status"] = {"phase": "Processed", "downloadURL": url}

    world.after_write = answer
