"""Labels Velero puts on objects, and its rule for values that are too long (reference: velero §0, §1.3)."""

from __future__ import annotations

import hashlib

BACKUP_NAME_LABEL = "velero.io/backup-name"
BACKUP_UID_LABEL = "velero.io/backup-uid"
RESTORE_NAME_LABEL = "velero.io/restore-name"
RESTORE_UID_LABEL = "velero.io/restore-uid"
SCHEDULE_LABEL = "velero.io/schedule-name"
LOCATION_LABEL = "velero.io/storage-location"
EXCLUDE_LABEL = "velero.io/exclude-from-backup"

# Kubernetes' limit for a label value.
_LONGEST = 63


def label_value(name: str) -> str:
    """The value Velero stores for a name: one over 63 characters keeps 57 and six hex digits of its SHA-256."""
    return name if len(name) <= _LONGEST else name[: _LONGEST - 6] + hashlib.sha256(name.encode()).hexdigest()[:6]
