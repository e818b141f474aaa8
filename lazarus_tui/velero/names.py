"""Names and label values by Velero's rules (reference: velero §0, §1.3)."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

BACKUP_NAME_LABEL = "velero.io/backup-name"
BACKUP_UID_LABEL = "velero.io/backup-uid"
RESTORE_NAME_LABEL = "velero.io/restore-name"
RESTORE_UID_LABEL = "velero.io/restore-uid"
SCHEDULE_LABEL = "velero.io/schedule-name"

_LONGEST_NAME = 253  # a DNS subdomain
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MADE_AT = re.compile(r"-\d{14}$")


def label_value(text: str) -> str:
    """The value Velero stores for a name: names over 63 characters keep 57 and six of their SHA-256."""
    return text if len(text) <= 63 else text[:57] + hashlib.sha256(text.encode()).hexdigest()[:6]


def valid(name: str) -> bool:
    return len(name) <= _LONGEST_NAME and _SUBDOMAIN.fullmatch(name) is not None


def stamped(base: str, now: datetime) -> str:
    """``<base>-YYYYMMDDhhmmss`` in UTC, cut so that the whole is a valid name."""
    return f"{_cut(base, _LONGEST_NAME - 15)}-{now.astimezone(UTC):%Y%m%d%H%M%S}"


def base(name: str) -> str:
    """The name without the time it was made at."""
    return _MADE_AT.sub("", name)


def suffix(operation: str) -> str:
    """The eight characters that stand for an operation in names, as in the label of what it made."""
    return re.sub(r"[^a-z0-9]", "", operation[:8].lower()) or hashlib.sha256(operation.encode()).hexdigest()[:8]


def restore_name(backup: str, operation: str) -> str:
    """``<backup>-<8 characters of the operation>``: found again after a crash, and fit for a label."""
    return f"{_cut(backup, 54)}-{suffix(operation)}"


def _cut(text: str, length: int) -> str:
    return text[:length].rstrip("-.")
