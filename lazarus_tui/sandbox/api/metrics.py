"""``/metrics``: how much is stored, in the text form Prometheus reads."""

from __future__ import annotations

from lazarus_tui.sandbox.api.registry import Registry
from lazarus_tui.sandbox.api.store import Store


def metrics_text(store: Store, registry: Registry) -> str:
    """The number of objects by resource and the newest revision."""
    lines = [
        "# HELP apiserver_storage_objects Number of stored objects by resource.",
        "# TYPE apiserver_storage_objects gauge",
    ]
    for kind in sorted(registry.kinds(), key=lambda one: one.group_resource):
        if "list" in kind.verbs:
            count = len(store.select(kind.group_resource))
            lines.append(f'apiserver_storage_objects{{resource="{kind.group_resource}"}} {count}')
    lines += [
        "# HELP lazarus_sandbox_revision Revision of the newest write.",
        "# TYPE lazarus_sandbox_revision counter",
        f"lazarus_sandbox_revision {store.revision}",
    ]
    return "\n".join(lines) + "\n"
