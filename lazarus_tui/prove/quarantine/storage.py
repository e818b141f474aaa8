"""What may become of the storage behind a quarantine's volumes (S9, S20)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lazarus_tui.prove.places import identity, same

RETAIN, DELETE = "Retain", "Delete"
_PROVISIONED = "pv.kubernetes.io/provisioned-by"
# Velero's data mover fills a volume under a claim of its own, and gives it to the one that asks for this label, whose
# value is namespace, name and a random end, cut behind 57 characters (pkg/restore/actions/csi/pvc_action.go, 1.14 on).
_MOVED, _CUT = "velero.io/dynamic-pv-restore", 57


def bound_into(volume: Mapping[str, Any]) -> str:
    """The namespace of the claim that a volume belongs to; "" when it belongs to none."""
    return str(((volume.get("spec") or {}).get("claimRef") or {}).get("namespace") or "")


def policy_for(volume: Mapping[str, Any], live: Collection[str], *, made_here: bool, moved: bool = False) -> str:
    """What must become of a volume's storage when its claim is deleted; ``live``: identities of what others use.

    Storage that something else uses is kept, whatever the volume says. What was provisioned for this very claim goes
    with it, as does what the data mover filled for it (``moved``): Velero gives it the policy of the original at the
    end. ``made_here``: the restore made it, or it was provisioned while the quarantine was there: its policy stays as
    it is. Nobody knows of the rest whose it is: it is kept.
    """
    spec, made = volume["spec"], moved or made_for_its_claim(volume)
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


def made_for(volume: Mapping[str, Any], claim: Mapping[str, Any]) -> bool:
    """Whether it was provisioned for ``claim``, which it is bound to: under that name, or by way of the data mover."""
    return made_for_its_claim(volume) or (provisioned(volume) and moved_into(claim))


def moved_into(claim: Mapping[str, Any]) -> bool:
    """Whether a claim takes no volume but the one that Velero's data mover fills for it, in this restore."""
    selector = (claim.get("spec") or {}).get("selector") or {}
    meta = claim["metadata"]
    wanted = str((selector.get("matchLabels") or {}).get(_MOVED) or "")
    return wanted.startswith(f"{meta.get('namespace')}.{meta['name']}."[:_CUT])
