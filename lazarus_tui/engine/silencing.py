"""What the settings add to every proof: the probes' image and goal, and the Alertmanagers of its context."""

from __future__ import annotations

from typing import Any

from lazarus_tui.config import AlertmanagerSettings, ProveSettings
from lazarus_tui.engine.outside import Outside
from lazarus_tui.model.clock import Clock
from lazarus_tui.model.silences import Alertmanager
from lazarus_tui.prove.silences.client import Client


def asked(settings: ProveSettings, context: str) -> dict[str, Any]:
    """Parameters of a proof that nobody has to name."""
    return {
        "probe": {"image": settings.probe_image, "outside": settings.outside_address},
        "alertmanagers": [one.name for one in _of(settings, context)],
    }


def alertmanager(
    settings: ProveSettings, context: str, name: str, outside: Outside, clock: Clock
) -> Alertmanager | None:  # fmt: skip
    """None when the settings have none of that name for the context."""
    found = next((one for one in _of(settings, context) if one.name == name), None)
    if found is None:
        return None
    return Client(found, clock, outside.addresses, outside.secrets(found.secret_context), find=outside.find)


def _of(settings: ProveSettings, context: str) -> list[AlertmanagerSettings]:
    return [one for one in settings.alertmanagers if context in one.contexts]
