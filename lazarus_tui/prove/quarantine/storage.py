"""What may become of the storage behind a quarantine's volumes (S9, S20)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lazarus_tui.prove.points import identity

RETAIN, DELETE = "Retain", "Delete"
_PROVISIONED = "pv.kubernetes.io/provisioned-by"


def bound_into(volume: Mapping[str, Any]) -> str:
    """The namespace of the claim that a volume belongs to; "" when it belongs to none."""
    return str(((volume.get("spec") or {}).get("claimRef") or {}).get("namespace") or "")


def policy_for(volume: Mapping[str, Any], live: Collection[str]) -> str:
    """What must become of a volume's storage when its claim is deleted; ``live``: identities of what others use.

    Storage that something else uses is kept, whatever the volume says. What was provisioned for this very claim goes
    with it. Nobody knows of the rest whose it is: its policy stays as it is.
    """
    spec, meta = volume["spec"], volume["metadata"]
    if identity(spec) in live:
        return RETAIN
    claim = str((spec.get("claimRef") or {}).get("uid") or "")
    provisioned = _PROVISIONED in (meta.get("annotations") or {})
    if claim and provisioned and meta["name"].endswith(claim):  # external-provisioner: PREFIX-<uid of the claim>
        return DELETE
    return str(spec.get("persistentVolumeReclaimPolicy") or RETAIN)
