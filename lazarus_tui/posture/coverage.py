"""What each backup holds per claim, from the volume copies and from the volume lists that were read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lazarus_tui.model.objects import VolumeCopy
from lazarus_tui.model.volumes import UNREAD, Coverage, VolumeInfo, coverage

BACKUP_LABEL = "velero.io/backup-name"


def coverages(
    copies: Iterable[VolumeCopy],
    volume_infos: Mapping[str, Sequence[VolumeInfo]],
    failures: Mapping[str, str] | None = None,
    unread: str = UNREAD,
) -> dict[str, Coverage]:
    """By backup name. Restores' copies carry no backup label of their own kind and are left out.

    ``failures`` say why a volume list could not be read, by backup name; ``unread`` why the others were not.

    A backup's name in a label is cut at 63 characters; those few are found only by their volume list.
    """
    by_backup: dict[str, list[VolumeCopy]] = {}
    for copy in copies:
        name = copy.metadata.label(BACKUP_LABEL)
        if name and not copy.metadata.label("velero.io/restore-name"):
            by_backup.setdefault(name, []).append(copy)
    failed = failures or {}
    names = by_backup.keys() | volume_infos.keys() | failed.keys()
    return {
        name: coverage(volume_infos.get(name), by_backup.get(name, ()), failed.get(name) or unread) for name in names
    }
