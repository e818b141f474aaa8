"""From what was typed before a proof to the parameters of its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lazarus_tui.view.text import BLANK, Line, Tone, heading, line, strong, wrap

CONTROLS = {
    "withhold": "the data of its volumes is not restored: the copy starts with empty ones",
    "flip": "bytes in a restored volume are overwritten before anything starts",
    "drop-table": "a table of the restored database is dropped before the checks",
    "no-workload": "nothing is started at all",
}


def backup_params(values: Mapping[str, str]) -> dict[str, Any]:
    """Of prove.run; raises ``ValueError`` with a sentence for the person who types."""
    if not values.get("backup"):
        raise ValueError("which backup?")
    if not values.get("namespace"):
        raise ValueError("which namespace?")
    workload = values.get("workload", "")
    if workload and len([part for part in workload.split("/") if part]) != 2:
        raise ValueError(f"{workload}: write it as StatefulSet/orders")
    found = {"namespace": values["namespace"], "workload": workload, "point": values["backup"]}
    return {key: value for key, value in found.items() if value}


def control_params(values: Mapping[str, str]) -> dict[str, Any]:
    """Of prove.run; raises ``ValueError`` with a sentence."""
    control = values.get("control", "")
    if control not in CONTROLS:
        raise ValueError(f"one of {', '.join(CONTROLS)}")
    return {"control": control, "point": values.get("point") or "latest"}


def choices(namespaces: Sequence[str], width: int) -> list[Line]:
    """The namespaces that may be meant."""
    if not namespaces:
        return []
    return [BLANK, heading(" One namespace at a time, of"), *wrap(", ".join(namespaces[:60]), width - 1, Tone.PLAIN, 3)]


def means(control: str, width: int) -> list[Line]:
    """What is done to the copy, and what has to come of it."""
    words = "Only the copy is touched. PASSED means that a check noticed; if none does, their greens mean nothing."
    return [BLANK, line(" ", strong(control)), *wrap(CONTROLS[control], width - 1, Tone.PLAIN, 3),
            BLANK, *wrap(words, width - 1, Tone.MUTED, 1)]  # fmt: skip
