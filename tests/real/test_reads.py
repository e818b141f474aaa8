"""Lists by pages, over one state of the cluster; identity, discovery; of a Secret only its metadata."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from control_plane import ControlPlane
from real_world import Config, World

from lazarus_tui.kube.errors import Expired, NotFound
from lazarus_tui.model.http import HttpRequest, HttpResponse
from lazarus_tui.model.objects import Namespace
from lazarus_tui.model.resources import BACKUPS, CONFIGMAPS, NAMESPACES, PODS, SECRETS


async def test_pages_hold_one_state_though_things_go_on_meanwhile(world: World) -> None:
    names = [f"c{number:02}" for number in range(25)]
    for name in names:
        await world.config(name, x=name)
    found: list[Config] = []
    sizes = []
    async for page in world.cluster.pages(CONFIGMAPS, world.ns, type=Config, limit=10):
        if not sizes:
            await world.cluster.delete(CONFIGMAPS, "c20", world.ns)
            await world.config("c99")
            await world.put("c21", x="changed")
        sizes.append(len(page.items))
        found += page.items
    data = {item.metadata.name: item.data for item in found if item.metadata.name in {*names, "c99"}}
    assert sizes[0] == 10
    assert sum(sizes) == len(found)
    assert data == {name: {"x": name} for name in names}


async def test_the_next_page_of_a_forgotten_state_is_expired_and_a_list_begins_again(
    world: World, plane: ControlPlane
) -> None:
    for number in range(6):
        await world.config(f"c{number}")
    pages = world.cluster.pages(CONFIGMAPS, world.ns, type=Config, limit=2)
    await anext(pages)
    await world.config("c6")
    plane.compact()
    with pytest.raises(Expired) as caught:
        await anext(pages)
    assert caught.value.status == 410
    listed = await world.cluster.list(CONFIGMAPS, world.ns, type=Config)
    assert {f"c{number}" for number in range(7)} <= {item.metadata.name for item in listed}


async def test_selectors_choose(world: World) -> None:
    for number in range(6):
        labels = {"even": str(number % 2 == 0).lower()}
        await world.cluster.create(CONFIGMAPS, {"metadata": {"name": f"c{number}", "labels": labels}}, world.ns)
    even = await world.cluster.list(CONFIGMAPS, world.ns, type=Config, label_selector="even=true")
    assert [item.metadata.name for item in even] == ["c0", "c2", "c4"]
    one = await world.cluster.list(CONFIGMAPS, world.ns, type=Config, field_selector="metadata.name=c3")
    assert [item.metadata.name for item in one] == ["c3"]


async def test_identity_version_and_what_is_served(world: World) -> None:
    system = await world.cluster.get(NAMESPACES, "kube-system", type=Namespace)
    assert system is not None
    assert await world.cluster.cluster_uid() == system.metadata.uid
    assert (await world.cluster.version()).minor.startswith(str(world.plane.version()))
    assert await world.cluster.has(PODS) is True
    assert await world.cluster.has(BACKUPS) is False
    assert await world.cluster.get(BACKUPS, "x", "velero", type=Namespace) is None
    with pytest.raises(NotFound):
        await world.cluster.list(BACKUPS, type=Namespace)


async def test_of_a_secret_only_the_metadata_is_ever_sent(world: World) -> None:
    answers: list[bytes] = []
    send = world.cluster.transport.send
    await world.cluster.create(SECRETS, {"metadata": {"name": "db"}, "stringData": {"password": "CANARY"}}, world.ns)

    async def listen(request: HttpRequest) -> HttpResponse:
        found = await send(request)
        answers.append(found.body)
        return found

    world.cluster.transport.send = listen  # type: ignore[method-assign]
    found = await world.cluster.get(SECRETS, "db", world.ns, type=dict[str, Any])
    assert found is not None
    assert (found["kind"], found["metadata"]["name"]) == ("PartialObjectMetadata", "db")
    listed = await world.cluster.list(SECRETS, world.ns, type=Namespace)
    assert "db" in [item.metadata.name for item in listed]
    canary = base64.b64encode(b"CANARY")
    assert len(answers) == 2
    # managedFields would tell the keys, never the values.
    assert not any(canary in body or b"CANARY" in body for body in answers)
