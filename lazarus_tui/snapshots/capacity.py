"""Whether storage has room for the volumes a restore makes, as far as its driver says.

A driver with ``storageCapacity`` publishes CSIStorageCapacity objects, and the scheduler places no pod whose
WaitForFirstConsumer volume does not fit (Kubernetes: storage capacity): such a restore would stop half way, so it is
refused. For classes that bind at once the figures are only told; of a driver that publishes nothing, nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lazarus_tui.kube.errors import Forbidden, NotFound
from lazarus_tui.model.plan import PlanRefused
from lazarus_tui.model.quantities import QuantityError, parse, size
from lazarus_tui.model.resources import STORAGECLASSES, Resource
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.storage import WAITS_FOR_CONSUMER, StorageClass

CAPACITIES = Resource("storage.k8s.io", "v1", "csistoragecapacities", "CSIStorageCapacity")
DRIVERS = Resource("storage.k8s.io", "v1", "csidrivers", "CSIDriver", namespaced=False)
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Need:
    """One volume that is made: ``size`` as a quantity."""

    claim: str
    storage_class: str
    size: str


@dataclass(frozen=True, slots=True)
class Room:
    """``words``: what is free by class, for people; ``unknown (…)`` where nobody says."""

    words: str
    warnings: tuple[str, ...] = ()


async def check_capacity(reader: Reader, needs: Sequence[Need]) -> Room:
    """Raises ``PlanRefused`` when a volume could not be placed, or all of them together not."""
    try:
        listed: list[dict[str, Any]] = await reader.list(CAPACITIES, type=dict)
        drivers: list[dict[str, Any]] = await reader.list(DRIVERS, type=dict)
    except (Forbidden, NotFound) as error:
        return Room(f"{_UNKNOWN} ({error.message})")
    publishing = {one["metadata"]["name"] for one in drivers if (one.get("spec") or {}).get("storageCapacity")}
    classes = {one.metadata.name: one for one in await reader.list(STORAGECLASSES, type=StorageClass)}
    words, warnings = [], []
    for name in sorted({need.storage_class for need in needs}):
        found = classes.get(name)
        driver = found.provisioner if found else "its driver"
        if found is None or driver not in publishing:
            words.append(f"{name} {_UNKNOWN} ({driver} does not say)")
            continue
        told, trouble = _fit(name, [n for n in needs if n.storage_class == name], _of(listed, name))
        words.append(told)
        if trouble and found.volume_binding_mode == WAITS_FOR_CONSUMER:
            hint = "make room or add storage, or restore fewer claims"
            raise PlanRefused(f"{trouble}: pods would not be placed", where=f"storage class {name}", hint=hint)
        warnings += [trouble] if trouble else []
    return Room(", ".join(words), tuple(warnings))


def _of(listed: Iterable[dict[str, Any]], name: str) -> list[tuple[Decimal | None, Decimal | None]]:
    """(capacity, largest volume) of each part of the topology that serves a class; None: not said."""
    fitting = [one for one in listed if one.get("storageClassName") == name]
    return [(_bytes(one.get("capacity")), _bytes(one.get("maximumVolumeSize"))) for one in fitting]


def _fit(
    name: str, needs: Sequence[Need], segments: Sequence[tuple[Decimal | None, Decimal | None]]
) -> tuple[str, str]:
    """What is free, and what does not fit ("" when all may). Parts may share one pool, so their sum is the most there
    can be."""
    if not segments:
        return f"{name} none", f"no room is published for storage class {name}"
    free = [capacity for capacity, _ in segments]
    known = [one for one in free if one is not None]
    total = sum(known, Decimal(0)) if len(known) == len(free) else None
    told = f"{name} {size(int(total)) if total is not None else _UNKNOWN}"
    largest = max(needs, key=lambda need: _bytes(need.size) or Decimal(0))
    one = _bytes(largest.size) or Decimal(0)
    if not any((limit if limit is not None else capacity or Decimal(0)) >= one for capacity, limit in segments):
        return told, f"nowhere is room for one volume of {size(int(one))} ({largest.claim})"
    wanted = sum((_bytes(need.size) or Decimal(0) for need in needs), Decimal(0))
    if total is not None and wanted > total:
        return told, f"{size(int(wanted))} are needed and {size(int(total))} are free"
    return told, ""


def _bytes(text: Any) -> Decimal | None:
    try:
        return parse(str(text)) if text is not None else None
    except QuantityError:
        return None
