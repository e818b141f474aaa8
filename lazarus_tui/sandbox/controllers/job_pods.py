"""The pods of Indexed Jobs: each knows its own number."""

from __future__ import annotations

from lazarus_tui.sandbox.controllers.base import Object
from lazarus_tui.sandbox.controllers.job_tally import INDEX

_VARIABLE = "JOB_COMPLETION_INDEX"


def indexed_pod(job: Object, pod: Object, index: int) -> Object:
    """``pod`` with its completion index as name part, host name, annotation, label and variable."""
    meta, name = pod["metadata"], job["metadata"]["name"]
    meta["generateName"] = f"{name}-{index}-"
    meta["annotations"] = meta["annotations"] | {INDEX: str(index)}
    meta["labels"] = meta["labels"] | {INDEX: str(index)}
    pod["spec"]["hostname"] = f"{name}-{index}"
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
    for container in (*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())):
        env = container.get("env") or []
        if not any(one["name"] == _VARIABLE for one in env):
            container["env"] = [*env, {"name": _VARIABLE, "valueFrom": source}]
    return pod
