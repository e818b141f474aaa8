"""Where volume data lies in a bucket: one repository per namespace and location, with its BackupRepository object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.labels import LOCATION_LABEL, label_value
from lazarus_tui.model.resources import LOCATIONS, REPOSITORIES
from lazarus_tui.sandbox.dataplane.content import ContentStore
from lazarus_tui.sandbox.velero.installation import Installation, StoreUnreachable

UPLOADER = "kopia"


def identifier(location: Mapping[str, Any], namespace: str) -> str:
    """What ``repoIdentifier`` of a PodVolumeBackup holds."""
    storage = location["spec"].get("objectStorage") or {}
    folder = "/".join(
        part for part in (storage.get("bucket", ""), storage.get("prefix", ""), UPLOADER, namespace) if part
    )
    return f"s3:{folder}"


def repository(site: Installation, location_name: str, namespace: str) -> ContentStore:
    """The data of one namespace in one location; raises ``StoreUnreachable``."""
    location = site.get(LOCATIONS, location_name)
    if location is None:
        raise StoreUnreachable(f'backupstoragelocations.velero.io "{location_name}" not found')
    return ContentStore(site.bucket_of(location).path(f"{UPLOADER}/{namespace}"))


def ensure_repository(site: Installation, location_name: str, namespace: str) -> str:
    """The name of the BackupRepository for this namespace and location, made when absent."""
    marks = {
        LOCATION_LABEL: label_value(location_name),
        "velero.io/volume-namespace": label_value(namespace),
        "velero.io/repository-type": UPLOADER,
    }
    known = site.list(REPOSITORIES, marks)
    if known:
        return str(known[0]["metadata"]["name"])
    location = site.get(LOCATIONS, location_name)
    made = site.api.create(
        REPOSITORIES,
        {
            "apiVersion": REPOSITORIES.api_version,
            "kind": REPOSITORIES.kind,
            "metadata": {
                "generateName": f"{namespace}-{location_name}-{UPLOADER}-",
                "namespace": site.namespace,
                "labels": marks,
            },
            "spec": {
                "backupStorageLocation": location_name,
                "maintenanceFrequency": "1h0m0s",
                "repositoryType": UPLOADER,
                "resticIdentifier": identifier(location, namespace) if location else "",
                "volumeNamespace": namespace,
            },
            "status": {"phase": "Ready", "lastMaintenanceTime": site.now()},
        },
        site.namespace,
    )
    return str(made["metadata"]["name"])
