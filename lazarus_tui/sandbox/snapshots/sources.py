"""What a VolumeSnapshot is taken of, and with which class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lazarus_tui.model.resources import CLAIMS, VOLUMES, Resource
from lazarus_tui.sandbox.snapshots.marks import Unfinished, marks_of, quoted
from lazarus_tui.sandbox.snapshots.names import path

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

Object = dict[str, Any]


def claim_of(api: LocalApi, snapshot: Object) -> Object:
    """The claim a snapshot names; raises ``Unfinished``."""
    name = snapshot["spec"]["source"].get("persistentVolumeClaimName") or ""
    if not name:
        raise Unfinished(f"the PVC name is not specified in snapshot {path(snapshot)}")
    claim = api.get(CLAIMS, name, snapshot["metadata"]["namespace"])
    if claim is None:
        missing = f'persistentvolumeclaim "{name}" not found'
        raise Unfinished(f"failed to retrieve PVC {name} from the lister: {quoted(missing)}")
    return claim


def volume_of(api: LocalApi, claim: Object, what: str = "snapshot") -> Object:
    """The volume a claim is bound to, when both say so; raises ``Unfinished``."""
    name = claim["metadata"]["name"]
    if (claim.get("status") or {}).get("phase") != "Bound":
        raise Unfinished(f"the PVC {name} is not yet bound to a PV, will not attempt to take a {what}")
    volume_name = claim["spec"].get("volumeName") or ""
    volume = api.get(VOLUMES, volume_name)
    if volume is None:
        missing = f'persistentvolumes "{volume_name}" not found'
        raise Unfinished(f"failed to retrieve PV {volume_name} from the API server: {quoted(missing)}")
    if not is_bound(volume, claim):
        raise Unfinished("claim in dataSource not bound or invalid")
    return volume


def is_bound(volume: Object, claim: Object) -> bool:
    reference, meta = volume["spec"].get("claimRef") or {}, claim["metadata"]
    named = (reference.get("namespace"), reference.get("name")) == (meta["namespace"], meta["name"])
    return named and reference.get("uid") in (None, "", meta["uid"])


def default_class(api: LocalApi, kind: Resource, mark: str, driver: str, what: str) -> str:
    """The only class of ``driver`` that is marked as default; raises ``Unfinished``."""
    found = [one for one in api.list(kind) if one["driver"] == driver and marks_of(one).get(mark) == "true"]
    if not found:
        raise Unfinished(f"cannot find default {what} class")
    if len(found) > 1:
        raise Unfinished(f"{len(found)} default snapshot classes were found")
    return str(found[0]["metadata"]["name"])


def get_class(api: LocalApi, kind: Resource, name: str) -> Object:
    """A class by name; raises ``Unfinished``."""
    found = api.get(kind, name)
    if found is None:
        raise Unfinished(f'{kind.kind.lower()}.{kind.group} "{name}" not found')
    return found


def own_parameters(parameters: Mapping[str, str]) -> dict[str, str]:
    """Those meant for the driver: the prefix belongs to the sidecars."""
    return {name: value for name, value in parameters.items() if not name.startswith("csi.storage.k8s.io/")}


def quantity_text(size: int) -> str:
    """Bytes as Kubernetes writes a binary quantity: in the largest unit that divides them."""
    for power, unit in ((6, "Ei"), (5, "Pi"), (4, "Ti"), (3, "Gi"), (2, "Mi"), (1, "Ki")):
        if size and size % 1024**power == 0:
            return f"{size // 1024**power}{unit}"
    return str(size)
