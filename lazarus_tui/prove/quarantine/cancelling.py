"""Calling off what still fills volumes of a quarantine that is to go (velero §2.9).

A running Restore cannot be stopped, but the copies it waits for can: node agents look at ``spec.cancel`` of a
DataDownload, and since Velero 1.17 of a PodVolumeRestore. The Restore then ends by itself.
"""

from __future__ import annotations

from typing import Any

from lazarus_tui.model.labels import RESTORE_UID_LABEL
from lazarus_tui.model.resources import DATA_DOWNLOADS, POD_VOLUME_RESTORES
from lazarus_tui.model.steps import Outcome, StepContext, Write
from lazarus_tui.prove.quarantine import census

_OVER = frozenset({"Completed", "Failed", "Canceled"})


async def cancel(context: StepContext, restore: dict[str, Any], asked: set[str]) -> list[str]:
    """Asks every copy of ``restore`` once to end; a sentence for each that cannot be asked. ``asked``: their uids."""
    notes = []
    selector = f"{RESTORE_UID_LABEL}={restore['metadata']['uid']}"
    for kind in (DATA_DOWNLOADS, POD_VOLUME_RESTORES):
        for copy in await census.listed(context.reader, kind, restore["metadata"]["namespace"], selector):
            meta = copy["metadata"]
            phase = str((copy.get("status") or {}).get("phase") or "")
            if phase in _OVER or meta["uid"] in asked or (copy.get("spec") or {}).get("cancel"):
                continue
            asked.add(meta["uid"])
            body = {"spec": {"cancel": True}}
            write = Write("merge-patch", kind, meta["namespace"], meta["name"], body, uid=meta["uid"], expect="it ends")
            result = await context.gate.write(write)
            heard = ((result.object.get("spec") or {}) if result.object else {}).get("cancel") is True
            if not heard and result.outcome is not Outcome.GONE:
                why = result.reason or "this Velero knows no cancelling of it"
                notes.append(f"{kind.kind} {meta['name']} cannot be called off and is waited for: {why}")
    return notes
