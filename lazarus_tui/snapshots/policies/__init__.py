"""Policy files: Lazarus's own, and the kinds of backup.sts-backup.io/v1alpha1, read strictly and put into our words."""

from lazarus_tui.snapshots.policies.choice import chosen
from lazarus_tui.snapshots.policies.meaning import RestoreWish, read, read_object, words

__all__ = ["RestoreWish", "chosen", "read", "read_object", "words"]
