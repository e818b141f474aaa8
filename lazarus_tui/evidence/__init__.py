"""Evidence: what an operation did and found, as records that can be checked years later."""

from lazarus_tui.evidence.store import Evidence, EvidenceStore

__all__ = ["Evidence", "EvidenceStore"]
