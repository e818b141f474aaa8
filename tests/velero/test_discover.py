"""Which Veleros there are: found in any namespace, told apart from leftovers, and never guessed."""

from __future__ import annotations

from typing import Any

import pytest

from lazarus_tui.kube.errors import Forbidden
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.resources import BACKUPS, CRDS, DEPLOYMENTS, LOCATIONS, STATUS_REQUESTS, Resource
from lazarus_tui.model.steps import Outcome, StepStopped, Write
from lazarus_tui.velero import discover, server_status
from lazarus_tui.velero.discover import Installation
from tests.velero.lab import VELERO, Lab, World


class Guarded(World):
    """A cluster in which some lists are forbidden: by plural, or by plural and namespace (None: the whole cluster)."""

    def __init__(self, *forbidden: str | tuple[str, str | None]) -> None:
        super().__init__()
        self.forbidden = forbidden

    async def list(self, resource: Resource, namespace: str | None = None, **options: Any) -> Any:
        if resource.plural in self.forbidden or (resource.plural, namespace) in self.forbidden:
            raise Forbidden(f"{resource.plural} is forbidden", status=403)
        return await super().list(resource, namespace, **options)


def server(
    world: World, namespace: str, image: str = "velero/velero:v1.18.2", *, name: str = "velero", ready: int = 1,
    **labels: str,
) -> None:  # fmt: skip
    container = {"image": image, "command": ["/velero"], "args": ["server", "--default-backup-ttl=24h"]}
    world.put(
        DEPLOYMENTS, name, namespace, metadata={"labels": {"component": "velero", **labels}},
        spec={"template": {"spec": {"containers": [{"image": "sidecar"}, container]}}}, status={"readyReplicas": ready},
    )  # fmt: skip


async def test_none() -> None:
    assert await discover.installations(World()) == ()


async def test_crds_alone_are_no_velero() -> None:
    world = World()
    world.put(CRDS, "backups.velero.io", "", spec={"versions": []})
    assert await discover.installations(world) == ()


async def test_where_the_kind_is_not_served_there_is_none() -> None:
    world = World()
    world.not_served.add("backupstoragelocations")
    assert await discover.installations(world) == ()


async def test_a_server_in_another_namespace_without_a_location() -> None:
    world = World()
    server(world, "backup-system", name="my-velero-server")
    (found,) = await discover.installations(world)
    assert (found.namespace, found.deployment, found.ready) == ("backup-system", "my-velero-server", True)
    assert found.args == ("server", "--default-backup-ttl=24h")


async def test_locations_left_behind_are_no_second_velero() -> None:
    world = World()
    world.put(LOCATIONS, "default", "old-velero")
    server(world, "backup-system")
    assert await discover.velero_namespace(world) == "backup-system"


async def test_two_servers_are_two_and_none_is_guessed() -> None:
    world = World()
    server(world, "velero")
    server(world, "tenant-b", "velero/velero:v1.14.1")
    found = await discover.installations(world)
    assert [(one.namespace, one.release) for one in found] == [("tenant-b", (1, 14)), ("velero", (1, 18))]
    with pytest.raises(PlanRefused, match="tenant-b, velero"):
        await discover.velero_namespace(world)


async def test_a_location_whose_server_is_gone_is_shown_without_one() -> None:
    world = World()
    world.put(LOCATIONS, "default", VELERO)
    assert await discover.installations(world) == (Installation(VELERO),)


async def test_a_server_without_pods_is_not_ready() -> None:
    world = World()
    server(world, VELERO, ready=0)
    (found,) = await discover.installations(world)
    assert (found.deployment, found.ready) == ("velero", False)


@pytest.mark.parametrize(
    ("image", "version", "release", "supported"),
    [
        ("velero/velero:v1.14.1", "v1.14.1", (1, 14), True),
        ("reg.example:5000/x/velero:1.16.2-debian-12-r3", "1.16.2-debian-12-r3", (1, 16), True),
        ("velero/velero:v1.18.2@sha256:" + "a" * 64, "v1.18.2", (1, 18), True),
        ("velero/velero:v1.13.2", "v1.13.2", (1, 13), False),
        ("velero/velero:v1.19.0-rc.1", "v1.19.0-rc.1", (1, 19), False),
        ("velero/velero:v2.0.0", "v2.0.0", (2, 0), False),
        ("velero/velero@sha256:" + "a" * 64, "", None, None),
        ("reg.example:5000/velero@sha256:" + "a" * 64, "", None, None),
        ("velero/velero:latest", "latest", None, None),
        ("velero/velero:2024.11", "2024.11", None, None),
        ("velero/velero:build-1.18", "build-1.18", None, None),
        ("velero/velero", "", None, None),
    ],
)
async def test_the_version_is_read_from_the_tag_or_not_known(
    image: str, version: str, release: tuple[int, int] | None, supported: bool | None
) -> None:
    world = World()
    server(world, VELERO, image)
    (found,) = await discover.installations(world)
    assert (found.version, found.release, found.supported) == (version, release, supported)
    assert found.cron_rule == ("velero-1.19" if release and release >= (1, 19) else "velero")


async def test_a_charts_label_says_the_version_where_the_tag_does_not() -> None:
    world = World()
    server(world, VELERO, "velero/velero@sha256:" + "a" * 64, **{"app.kubernetes.io/version": "1.17.2"})
    assert (await discover.installations(world))[0].release == (1, 17)
    server(world, VELERO, "velero/velero:v1.18.2", **{"app.kubernetes.io/version": "1.17.2"})
    assert (await discover.installations(world))[0].release == (1, 18), "the image is what runs"


async def test_who_may_see_locations_only_still_finds_the_right_namespace() -> None:
    world = Guarded("deployments")
    world.put(LOCATIONS, "default", "backup-system")
    assert await discover.installations(world) == (Installation("backup-system", hidden=True),)


async def test_who_may_see_deployments_only_finds_the_server() -> None:
    world = Guarded("backupstoragelocations", "daemonsets")
    server(world, "backup-system")
    (found,) = await discover.installations(world)
    assert (found.namespace, found.ready, found.node_agents) == ("backup-system", True, 0)


async def test_rights_in_one_namespace_are_enough_when_it_is_named() -> None:
    world = Guarded(("deployments", None), ("backupstoragelocations", None))
    server(world, "backup-system")
    assert [one.namespace for one in await discover.installations(world, "backup-system")] == ["backup-system"]
    assert await discover.installations(world) == ()


async def test_a_named_namespace_is_looked_into_and_not_believed() -> None:
    world = World()
    server(world, "a")
    assert [one.namespace for one in await discover.installations(world, "typo")] == ["a"]
    hand_made = {"image": "mirror/velero-fips:7", "args": ["server"]}
    world.put(DEPLOYMENTS, "dr", "b", spec={"template": {"spec": {"containers": [hand_made]}}})
    assert [one.namespace for one in await discover.installations(world, "b")] == ["a", "b"]


async def test_where_nothing_may_be_read_the_refusal_is_said() -> None:
    with pytest.raises(Forbidden):
        await discover.installations(Guarded("deployments", "backupstoragelocations"))


async def test_a_schema_that_may_not_be_read_stops_no_plan(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    from lazarus_tui.velero import served

    async def forbidden(resource: Resource, name: str, *rest: Any, **options: Any) -> Any:
        raise Forbidden("no", status=403)

    monkeypatch.setattr(lab.world, "get", forbidden)
    assert await served.served(lab.world, BACKUPS, {"ttl": "1h"}) == ({"ttl": "1h"}, [])


def answering(world: World, version: str = "v1.17.2") -> None:
    def answer(write: Write) -> None:
        if write.verb == "create" and write.resource is STATUS_REQUESTS:
            status = {"phase": "Processed", "serverVersion": version, "plugins": [{"name": "a", "kind": "ObjectStore"}]}
            world.at(STATUS_REQUESTS, write.name)["status"] = status

    world.after_write = answer


async def test_the_server_says_its_version_and_the_question_is_removed(lab: Lab) -> None:
    answering(lab.world)
    found = await server_status.ask(lab, VELERO, owner=lab.op)
    assert found is not None
    assert (found.version, found.plugins) == ("v1.17.2", 1)
    assert [write.verb for write in lab.world.writes] == ["create", "delete"]
    assert not [key for key in lab.world.objects if key[0] == "serverstatusrequests"]


async def test_a_silent_server_is_waited_for_ten_seconds_and_no_more(lab: Lab) -> None:
    lab.world.after_write = lambda write: None
    assert await server_status.ask(lab, VELERO, owner=lab.op) is None
    assert 10 <= lab.clock.monotonic() < 12
    assert [write.verb for write in lab.world.writes] == ["create", "delete"]


async def test_a_question_that_was_not_put_accuses_nobody(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.world.outcomes.append(Outcome.FORBIDDEN)
    with pytest.raises(server_status.Unasked, match="as the test wants it"):
        await server_status.ask(lab, VELERO, owner=lab.op)

    async def closed(write: Write) -> Any:
        raise StepStopped("context prod is read-only now")

    monkeypatch.setattr(lab.world, "write", closed)
    with pytest.raises(server_status.Unasked, match="read-only"):
        await server_status.ask(lab, VELERO, owner=lab.op)


async def test_an_answer_lost_on_the_way_is_still_found(lab: Lab) -> None:
    answering(lab.world)
    original = lab.world.write

    async def lossy(write: Write) -> Any:
        result = await original(write)
        return result if write.verb == "delete" else type(result)(Outcome.AMBIGUOUS, reason="reset")

    lab.gate = type("Gate", (), {"write": staticmethod(lossy)})()
    found = await server_status.ask(lab, VELERO, owner=lab.op)
    assert found is not None
    assert found.version == "v1.17.2"
