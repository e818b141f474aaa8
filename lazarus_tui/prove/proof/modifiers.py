"""The rules as a ConfigMap of Velero's resource modifiers, written for this proof alone and removed with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.model.stepping import BaseStep, carry_out
from lazarus_tui.model.steps import Observation, Seen, StepContext, Write
from lazarus_tui.prove.quarantine.names import quarantine
from lazarus_tui.prove.rules.modifiers import KEY, document


class Modifiers(BaseStep):
    """Velero reads it once, when it takes the Restore; what it did not do is seen by the comparison afterwards."""

    name, title, mutates = "prove.modifiers", "Write the rules for Velero", True
    poll, limit = 1.0, 60.0

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.velero, self.config = str(params["velero"]), str(params["modifiers"]["name"])
        self.data = {KEY: document(params["modifiers"]["rules"])}
        self.wanted = quarantine(params)

    async def observe(self, context: StepContext) -> Observation:
        found = await context.reader.get(CONFIGMAPS, self.config, self.velero, type=dict)
        if found is None:
            return Observation(Seen.ABSENT)
        if not self.wanted.owns(found):
            return Observation(Seen.DIVERGED, f"a ConfigMap {self.config} exists that this proof did not make")
        if found.get("data") != self.data:
            return Observation(Seen.DIVERGED, f"ConfigMap {self.config} holds other rules than the plan's")
        return Observation(Seen.DONE, self.config)

    async def act(self, context: StepContext) -> None:
        meta = {"name": self.config, "namespace": self.velero, "labels": self.wanted.labels}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": self.data}
        await carry_out(context, Write("create", CONFIGMAPS, self.velero, self.config, body, expect="Velero reads it"))
