"""The doctor's judgements, and what it says of a Velero that it asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import pytest

from lazarus_tui.engine import doctor
from lazarus_tui.engine.doctor import Check, Doctor, explain_storage, skew
from lazarus_tui.kube.errors import NotSent
from lazarus_tui.model.resources import DEPLOYMENTS, NAMESPACES, STATUS_REQUESTS
from lazarus_tui.sandbox.scenarios.manifests import define
from tests.engine.world import CONTEXT, Engine, World, laboratory

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "took", "severity"),
    [
        (0, 0.1, "info"),
        (4, 0.1, "info"),
        (-30, 0.1, "warning"),
        (30, 0.1, "warning"),
        (3600, 0.1, "error"),
        (8, 6, "info"),
    ],
)
def test_clocks_are_compared_with_the_answers_own_delay(seconds: int, took: float, severity: str) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert skew(date, NOW, took).severity == severity


def test_a_server_without_a_clock_is_no_error() -> None:
    assert skew("", NOW, 0).severity == "info"
    assert skew("yesterday", NOW, 0).severity == "info"


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("Get https://minio.velero.svc:9000: dial tcp: lookup minio.velero.svc: no such host", "s3Url"),
        ("x509: certificate signed by unknown authority", "caCert"),
        ("AccessDenied: Access Denied, status code: 403", "credentials"),
        ("NoSuchBucket: The specified bucket does not exist", "bucket"),
        ("dial tcp 10.0.0.9:9000: i/o timeout", "network policy"),
        ("something nobody has seen", "logs"),
    ],
)
def test_storage_trouble_has_a_next_step(message: str, word: str) -> None:
    assert word in explain_storage(message)


class Ward:
    """A cluster with a Velero in it, and the doctor; ``answer`` is what its server says, None: it is silent."""

    def __init__(self, world: World, engine: Engine) -> None:
        self.world, self.engine = world, engine
        self.writable, self.answer = True, "v1.18.2"
        self.asked: list[str] = []
        contexts: Any = SimpleNamespace(writable=lambda name: self.writable)
        self.doctor = Doctor(None, contexts, engine.journal, world.clock)  # type: ignore[arg-type]
        define(world.api)
        world.api.subscribe(self._heard)

    def _heard(self, kind: str, resource: Any, obj: dict[str, Any], old: Any) -> None:
        if kind == "ADDED" and resource.plural == STATUS_REQUESTS.plural:
            self.asked.append(obj["metadata"]["labels"]["app.kubernetes.io/managed-by"])
            if self.answer is not None:
                plugins = [{"name": "velero.io/aws", "kind": "ObjectStore"}]
                status = {"phase": "Processed", "serverVersion": self.answer, "plugins": plugins}
                self.world.api.patch(STATUS_REQUESTS, obj["metadata"]["name"], {"status": status}, "velero")

    def server(self, image: str, ready: int = 1) -> None:
        container = {"name": "velero", "image": image, "command": ["/velero"], "args": ["server"]}
        labels = {"component": "velero"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"selector": {"matchLabels": labels}, "template": template}
        self.world.api.create(NAMESPACES, {"metadata": {"name": "velero"}})
        found = self.world.api.create(
            DEPLOYMENTS, {"metadata": {"name": "velero", "labels": labels}, "spec": spec}, "velero"
        )
        self.world.api.update_status(DEPLOYMENTS, {**found, "status": {"readyReplicas": ready}})

    async def checks(self, chosen: str = "") -> list[Check]:
        async def look() -> list[Check]:
            row: Any = SimpleNamespace(name=CONTEXT, velero_namespace=chosen)
            return [check async for check in self.doctor._velero(self.engine.cluster, row) if check.check == "velero"]

        return await self.engine.passing(look())

    def left(self) -> list[Any]:
        return self.world.api.list(STATUS_REQUESTS, "velero")


@pytest.fixture
async def ward() -> AsyncIterator[Ward]:
    async with laboratory() as (world, engine):
        yield Ward(world, engine)


async def test_a_version_that_the_image_hides_is_asked_for(ward: Ward) -> None:
    ward.server("velero/velero@sha256:" + "a" * 64)
    ward.answer = "v1.17.2"
    (check,) = await ward.checks()
    assert (check.severity, check.what.partition(" in ")[0]) == ("info", "velero: v1.17.2, answering")
    assert ward.asked == ["lazarus"]
    assert not ward.left()


async def test_the_question_is_journalled_like_any_write(ward: Ward) -> None:
    ward.server("velero/velero:v1.18.2")
    before = ward.engine.journal._seq
    await ward.checks()
    assert ward.engine.journal._seq == before + 4, "intent and result of a create and a delete"


async def test_a_read_only_context_is_not_written_to_and_nothing_is_claimed(ward: Ward) -> None:
    ward.server("velero/velero:v1.18.2")
    ward.writable = False
    (check,) = await ward.checks()
    assert check.severity == "info"
    assert "answering" not in check.what
    assert "read-only" in check.what
    assert ward.asked == []


async def test_a_ready_server_that_does_not_answer_is_an_error(ward: Ward) -> None:
    ward.server("velero/velero:v1.18.2")
    ward.answer = None  # type: ignore[assignment]
    (check,) = await ward.checks()
    assert check.severity == "error"
    assert "did not answer within 10 s" in check.what
    assert not ward.left()


@pytest.mark.parametrize(
    ("image", "said", "warned"),
    [
        ("velero/velero:v1.13.2", "v1.13.2", True),
        ("velero/velero:v1.19.0", "v1.19.0", True),
        ("velero/velero:latest", "v2.0.1", True),
        ("velero/velero:v1.14.1", "v1.14.1", False),
        ("velero/velero:latest", "main", False),
        ("velero/velero:latest", "v1.18.2-dirty", False),
    ],
)
async def test_other_versions_are_warned_of_and_not_refused(ward: Ward, image: str, said: str, warned: bool) -> None:
    ward.server(image)
    ward.answer = said
    checks = await ward.checks()
    assert [check.severity for check in checks] == ["info", "warning"][: 1 + warned]
    assert all("1.14 to 1.18" in check.what and said in check.what for check in checks[1:])


async def test_a_name_is_not_missing_because_the_engine_was_held_up_while_it_was_looked_up(ward: Ward) -> None:
    loop, settings = asyncio.get_running_loop(), {"publicUrl": "https://minio.example"}
    now = loop.time()

    async def late(host: str, port: int) -> list[str]:
        nonlocal now
        for _ in range(6):
            now += 60.0
            await asyncio.sleep(0)
        return ["10.0.0.9"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doctor, "resolve", late)
        patch.setattr(loop, "time", lambda: now)
        assert await ward.doctor._reach("default", settings) == []


async def test_a_server_that_is_down_is_not_asked(ward: Ward) -> None:
    ward.server("velero/velero:v1.13.2", ready=0)
    checks = await ward.checks()
    assert [(check.severity, "no ready pod" in check.what) for check in checks] == [("error", True), ("warning", False)]
    assert ward.asked == []


async def test_crds_without_a_server_are_told_from_no_velero_at_all(ward: Ward) -> None:
    (check,) = await ward.checks()
    assert check.severity == "error"
    assert "CRDs are installed" in check.what


async def test_a_quarantine_that_no_proof_accounts_for_is_named(ward: Ward) -> None:
    labels = {"lazarus.io/quarantine": "true", "lazarus.io/operation": "fedcba9876543210"}
    ward.world.api.create(NAMESPACES, {"metadata": {"name": "lazarus-q-fedcba98", "labels": labels}})

    async def look() -> list[Check]:
        return [check async for check in ward.doctor._quarantines(ward.engine.cluster)]

    (check,) = await ward.engine.passing(look())
    assert check.severity == "warning"
    assert "Namespace lazarus-q-fedcba98 of proof fedcba98" in check.what
    assert "kubectl delete namespace lazarus-q-fedcba98" in check.hint


async def rights(answer: Any) -> list[Check]:
    async def can_i_all(questions: Any) -> dict[Any, bool | None]:
        return {question: answer(question) for question in questions}

    cluster: Any = SimpleNamespace(can_i_all=can_i_all)
    return [check async for check in Doctor._rights(object(), cluster, "velero")]  # type: ignore[arg-type]


async def test_rights_are_all_there_only_when_each_was_said_to_be() -> None:
    (check,) = await rights(lambda question: True)
    assert (check.severity, check.what) == ("info", "everything the console can do is allowed")


async def test_rights_of_which_nothing_is_said_are_not_known() -> None:
    (check,) = await rights(lambda question: None if question.resource is NAMESPACES else True)
    assert check.severity == "warning"
    assert check.what.startswith("not known to be allowed: ")
    assert "namespaces" in check.what
    assert "pods" not in check.what


async def test_rights_that_nobody_could_ask_about_are_not_known() -> None:
    def fails(question: object) -> bool:
        raise ExceptionGroup("asked at once", [NotSent("no answer")])

    (check,) = await rights(fails)
    assert (check.severity, check.what.count("backups.velero.io")) == ("warning", 2)


async def test_a_refused_right_hides_none_that_is_not_known() -> None:
    def answer(question: Any) -> bool | None:
        return {"list": False, "create": None}.get(question.verb, True)

    refused, unknown = await rights(answer)
    assert refused.what.startswith("not allowed: list ")
    assert unknown.what.startswith("not known to be allowed: create ")
