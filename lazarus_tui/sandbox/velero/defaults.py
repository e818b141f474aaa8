"""What the server fills into a Backup's spec, and the validation errors it refuses one with."""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.labels import EXCLUDE_LABEL
from lazarus_tui.model.resources import CONFIGMAPS, LOCATIONS, NAMESPACES, SNAPSHOT_LOCATIONS
from lazarus_tui.sandbox.velero import durations
from lazarus_tui.sandbox.velero.filters import filter_problems
from lazarus_tui.sandbox.velero.installation import Installation, Json, copied, phase

_SNAPSHOT_KINDS = ["volumesnapshots.snapshot.storage.k8s.io", "volumesnapshotcontents.snapshot.storage.k8s.io"]


def default_location(site: Installation) -> str:
    """The location new backups go to: the newest one marked default, else the server's own default."""
    marked = [place for place in site.list(LOCATIONS) if place["spec"].get("default")]
    newest = max(marked, key=lambda place: place["metadata"].get("creationTimestamp", ""), default=None)
    return str(newest["metadata"]["name"]) if newest else site.settings.default_location


def filled_spec(site: Installation, spec: Json) -> Json:
    """A copy of a Backup's spec with the server's defaults written in."""
    settings = site.settings
    full = copied(spec)
    full["ttl"] = durations.text(durations.seconds(spec.get("ttl"), settings.backup_ttl))
    for name, default in (
        ("csiSnapshotTimeout", settings.csi_snapshot_timeout),
        ("itemOperationTimeout", settings.item_operation_timeout),
    ):
        full[name] = durations.text(durations.seconds(spec.get(name), default))
    full["storageLocation"] = spec.get("storageLocation") or default_location(site)
    if full.get("defaultVolumesToFsBackup") is None:
        full["defaultVolumesToFsBackup"] = settings.default_volumes_to_fs_backup
    if full.get("snapshotMoveData") is None:
        full["snapshotMoveData"] = False
    full["volumeGroupSnapshotLabelKey"] = spec.get("volumeGroupSnapshotLabelKey") or "velero.io/volume-group"
    full["includedNamespaces"] = spec.get("includedNamespaces") or ["*"]
    full["hooks"] = spec.get("hooks") or {}
    hidden = _hidden_namespaces(site)
    if hidden:
        full["excludedNamespaces"] = list(dict.fromkeys([*(spec.get("excludedNamespaces") or ()), *hidden]))
    if spec.get("includedResources") or spec.get("excludedResources"):
        full["excludedResources"] = list(dict.fromkeys([*(spec.get("excludedResources") or ()), *_SNAPSHOT_KINDS]))
    return full


def _hidden_namespaces(site: Installation) -> list[str]:
    return sorted(space["metadata"]["name"] for space in site.api.list(NAMESPACES, labels={EXCLUDE_LABEL: "true"}))


def backup_problems(site: Installation, given: Json, spec: Json) -> list[str]:
    """Validation errors of a Backup: ``given`` as the client wrote the spec, ``spec`` with the defaults filled in."""
    found = _location_problems(site, str(spec["storageLocation"]), bool(given.get("storageLocation")))
    found += filter_problems(given, "backup")
    found += _snapshot_location_problems(site, given.get("volumeSnapshotLocations") or [])
    found += _policy_problems(site, given.get("resourcePolicy"))
    return found


def _policy_problems(site: Installation, policy: Json | None) -> list[str]:
    """A policy that is not there, as Velero says it; one that is there is refused: the sandbox does not apply them."""
    if not policy:
        return []
    name = str(policy.get("name", ""))
    if site.get(CONFIGMAPS, name) is None:
        error = f'ConfigMap "{name}" not found'
        return [f"fail to get ResourcePolicies {site.namespace}/{name} ConfigMap with error {error}"]
    return [
        f"fail to validate ResourcePolicies in {site.namespace}/{name}: the sandbox's Velero has no volume policies"
    ]


def _location_problems(site: Installation, name: str, named: bool) -> list[str]:
    location = site.get(LOCATIONS, name)
    if location is None:
        if named:
            return [
                "an existing backup storage location was not specified at backup creation time and the default "
                f"{name} was not found. Please address this issue (see `velero backup-location -h` for options) and "
                f'create a new backup. Error: BackupStorageLocation.velero.io "{name}" not found'
            ]
        return [
            "an existing backup storage location was not specified at backup creation time and the server default "
            f"{name} does not exist. Please address this issue (see `velero backup-location -h` for options) and "
            "create a new backup"
        ]
    if location["spec"].get("accessMode") == "ReadOnly":
        return [f"backup can't be created because backup storage location {name} is currently in read-only mode"]
    if phase(location) == "Unavailable":
        return [f"backup can't be created because BackupStorageLocation {name} is in Unavailable status."]
    return []


def _snapshot_location_problems(site: Installation, names: list[Any]) -> list[str]:
    found, providers = [], set()
    for name in names:
        location = site.get(SNAPSHOT_LOCATIONS, str(name))
        if location is None:
            found.append(
                f"a VolumeSnapshotLocation CRD for the location {name} with the name specified in the backup spec "
                "needs to be created before this snapshot can be executed. Error: volumesnapshotlocations.velero.io "
                f'"{name}" not found'
            )
        elif location["spec"]["provider"] in providers:
            found.append(
                f"more than one VolumeSnapshotLocation name specified for provider {location['spec']['provider']}"
            )
        else:
            providers.add(location["spec"]["provider"])
    return found
