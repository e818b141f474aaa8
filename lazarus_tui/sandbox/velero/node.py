"""The sandbox's kubelet as the node agent uses it: directories behind volumes, and pods that stand still."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lazarus_tui.model.resources import PODS
from lazarus_tui.sandbox.dataplane.environment import NotMountable, claim_directory, claim_names
from lazarus_tui.sandbox.dataplane.kubelet import NODE

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi
    from lazarus_tui.sandbox.dataplane.kubelet import Kubelet

# What selects the server's pod.
_SERVER = {"deploy": "velero"}


class KubeletNode:
    """``pods`` is the kubelet's root: one directory for each pod uid."""

    name = NODE

    def __init__(self, api: LocalApi, kubelet: Kubelet, pods: Path, namespace: str = "velero") -> None:
        self._api, self._kubelet, self._pods, self._namespace = api, kubelet, pods, namespace
        self.torn = False  # copies are made of volumes that go on being written to

    def directory(self, pod: Mapping[str, Any], volume: str) -> Path | None:
        claims = claim_names(dict(pod))
        if volume not in claims:
            own = self._pods / pod["metadata"]["uid"] / "volumes" / volume
            return own if own.is_dir() else None
        try:
            space = pod["metadata"]["namespace"]
            return claim_directory(self._api, self._kubelet.volumes, space, claims[volume])
        except NotMountable:
            return None

    def log(self, line: str) -> None:
        """A line in the log of Velero's server pod."""
        for pod in self._api.list(PODS, self._namespace, labels=_SERVER):
            self._kubelet.append_log(self._namespace, pod["metadata"]["name"], "velero", line)

    @asynccontextmanager
    async def frozen(self, pod: Mapping[str, Any]) -> AsyncIterator[None]:
        if self.torn:
            yield
            return
        space = pod["metadata"]["namespace"]
        async with self._kubelet.frozen((space, claim) for claim in claim_names(dict(pod)).values()):
            yield
