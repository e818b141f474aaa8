"""What the cluster can do with snapshots: asked for, never assumed (reference: data §1.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.objects import Claim, LabelSelector
from lazarus_tui.model.snapshots import DEFAULT_GROUP_CLASS, GROUP_VERSIONS, SnapshotClass, group_classes
from lazarus_tui.model.steps import Reader


async def group_version(reader: Reader) -> tuple[str, list[SnapshotClass]]:
    """The newest version of group snapshots that is served, and its classes; ("", []) where there is none."""
    for version in GROUP_VERSIONS:
        try:
            return version, await reader.list(group_classes(version), type=SnapshotClass)
        except (NotFound, Forbidden):
            continue
    return "", []


def group_class(driver: str, classes: Iterable[SnapshotClass]) -> str:
    """The class for a group of volumes of ``driver``; "" when none is clear: then they are cut one by one."""
    fitting = [found for found in classes if found.driver == driver]
    marked = [found for found in fitting if (found.metadata.annotations or {}).get(DEFAULT_GROUP_CLASS) == "true"]
    chosen = marked if len(marked) == 1 else fitting
    return chosen[0].metadata.name if len(chosen) == 1 else ""


def matches(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether a label selector takes an object with these labels."""
    if any(labels.get(key) != value for key, value in (selector.match_labels or {}).items()):
        return False
    for rule in selector.match_expressions or ():
        there, values = rule.key in labels, rule.values or []
        fits = {
            "In": there and labels.get(rule.key) in values,
            "NotIn": labels.get(rule.key) not in values,
            "Exists": there,
            "DoesNotExist": not there,
        }.get(rule.operator, False)
        if not fits:
            return False
    return True


def taken_by(selector: LabelSelector, claims: Iterable[Claim]) -> set[str]:
    """Names of the claims a group snapshot with this selector would take."""
    return {claim.metadata.name for claim in claims if matches(selector, claim.metadata.labels or {})}
