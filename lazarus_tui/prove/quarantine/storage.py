"""What may become of the storage behind a quarantine's volumes (S9, S20)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lazarus_tui.prove.places import identity, same

RETAIN, DELETE = "Retain", "Delete"
_PROVISIONED = "pv.kubernetes.io/provisioned-by"


def bound_into(volume: Mapping[str, Any]) -> str:
    """The namespace of the claim that a volume belongs to; "" when it belongs to none."""
    return str(((volume.get("spec") or {}).get("claimRef") or {}).get("namespace") or "")


def policy_for(volume: Mapping[str, Any], live: Collection[str], *, made_here: bool) -> str:
    """What must become of a volume's storage when its claim is deleted; ``live``: identities of what others use.

    Storage that something else uses is kept, whatever the volume says. What was provisioned for this very claim goes
    with it. ``made_here``: the restore made it, or it was provisioned while the quarantine was there: its policy stays
    as it is. Nobody knows of the rest whose it is: it is kept.
    """
    spec, made = volume["spec"], made_for_its_claim(volume)
    if same(identity(spec), live, made=made):
        return RETAIN
    if made:
        return DELETE
    return str(spec.get("persistentVolumeReclaimPolicy") or RETAIN) if made_here else RETAIN


def made_for_its_claim(volume: Mapping[str, Any]) -> bool:
    """Whether it was provisioned for the very claim it belongs to: external-provisioner calls it PREFIX-<uid of the
    claim>, and who makes volumes by hand does not know that."""
    claim = str(((volume.get("spec") or {}).get("claimRef") or {}).get("uid") or "")
    return bool(claim) and provisioned(volume) and str(volume["metadata"]["name"]).endswith(claim)


def provisioned(volume: Mapping[str, Any]) -> bool:
    """Whether a provisioner says it made it; Velero takes that off what it restores."""
    return _PROVISIONED in (volume["metadata"].get("annotations") or {})
