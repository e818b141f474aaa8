"""Label selectors, and Velero's own way of shortening label values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

# Kubernetes' limit for a label value.
_LIMIT = 63


def label_value(name: str) -> str:
    """``name``, or its first 57 characters and 6 hex digits of its sha256 when it is too long for a label."""
    if len(name) <= _LIMIT:
        return name
    return name[: _LIMIT - 6] + hashlib.sha256(name.encode()).hexdigest()[:6]


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a LabelSelector selects; None and an empty one select everything."""
    if not selector:
        return True
    for key, value in (selector.get("matchLabels") or {}).items():
        if labels.get(key) != value:
            return False
    return all(_expression(term, labels) for term in selector.get("matchExpressions") or ())


def _expression(term: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(str(term.get("key")))
    wanted = term.get("values") or ()
    match term.get("operator"):
        case "In":
            return value in wanted
        case "NotIn":
            return value not in wanted
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False


def selected(spec: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether ``labelSelector`` or any of ``orLabelSelectors`` of a Backup or Restore spec selects these labels."""
    alternatives = spec.get("orLabelSelectors") or ()
    if alternatives:
        return any(matches(selector, labels) for selector in alternatives)
    return matches(spec.get("labelSelector"), labels)
