"""Which objects the label selectors of Velero's resources take in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.sandbox.api.selectors import from_selector


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects; None and an empty one select all. Raises ``ApiError`` for a broken one."""
    return from_selector(selector).matches(labels)


def selected(spec: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether ``labelSelector`` or any of ``orLabelSelectors`` of a Backup or Restore spec selects these labels."""
    alternatives = spec.get("orLabelSelectors") or ()
    if alternatives:
        return any(matches(selector, labels) for selector in alternatives)
    return matches(spec.get("labelSelector"), labels)
