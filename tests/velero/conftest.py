"""A laboratory with a storage location, a namespace and a bound claim."""

from __future__ import annotations

import gzip
import json

import pytest

from lazarus_tui.model.clock import rfc3339
from lazarus_tui.model.resources import BACKUPS, CLAIMS, LOCATIONS, NAMESPACES
from tests.velero.lab import START, Lab, World, serve_downloads
from tests.velero.source import HELD, Source


@pytest.fixture
def world() -> World:
    world = World()
    serve_downloads(world)
    world.put(LOCATIONS, "default", spec={"default": True},
              status={"phase": "Available", "lastValidationTime": rfc3339(START)})  # fmt: skip
    world.put(NAMESPACES, "shop", "")
    world.put(CLAIMS, "data-orders-0", "shop", status={"phase": "Bound"})
    return world


@pytest.fixture
def lab(world: World) -> Lab:
    return Lab(world)


@pytest.fixture
def point(world: World) -> None:
    world.drop(NAMESPACES, "shop", "")
    world.drop(CLAIMS, "data-orders-0", "shop")
    world.put(BACKUPS, "b1", spec={"includedNamespaces": ["shop"], "storageLocation": "default"},
              status={"phase": "Completed", "startTimestamp": rfc3339(world.clock.now())})  # fmt: skip
    world.artefacts[("BackupVolumeInfos", "b1")] = gzip.compress(json.dumps([HELD]).encode())


@pytest.fixture
def source(world: World, point: None) -> Source:
    found = Source()
    found.__dict__.update(world.__dict__)
    found.contents = {
        "BackupResourceList": {
            "v1/Namespace": ["shop"], "apps/v1/Deployment": ["shop/web", "shop/writer"], "v1/Event": ["shop/e"],
            "v1/ConfigMap": ["shop/settings", "velero/other"], "apps/v1/ReplicaSet": ["shop/web-1"],
            "v1/PersistentVolumeClaim": ["shop/data-orders-0"], "example.com/v1/Widget": ["shop/w"],
        },
        "BackupVolumeInfos": [HELD],
    }  # fmt: skip
    return found
