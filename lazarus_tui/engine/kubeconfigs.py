"""The kubeconfig files of a path list, read when they have changed."""

from __future__ import annotations

import os
from typing import Any

from lazarus_tui.kube.contexts import Kubeconfig, load_kubeconfig


class KubeconfigFiles:
    """Reads the files of a path list, again only when one of them has changed: parsing a long one takes a while.

    Missing files are skipped, as kubectl does with $KUBECONFIG.
    """

    def __init__(self) -> None:
        self._seen: tuple[Any, ...] = ()
        self._found = Kubeconfig()

    def __call__(self, kubeconfig: str) -> Kubeconfig:
        seen = (kubeconfig, *(_stamp(path) for path in kubeconfig.split(os.pathsep)))
        if seen != self._seen:
            self._found = load_kubeconfig(environ={**os.environ, "KUBECONFIG": kubeconfig} if kubeconfig else None)
            self._seen = seen
        return self._found


def _stamp(path: str) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)
