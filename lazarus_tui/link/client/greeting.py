"""What a client says first: who it is and which kubeconfig it means."""

from __future__ import annotations

import os
from typing import Any

from lazarus_tui import __version__
from lazarus_tui.link.protocol import PROTOCOL


def effective_kubeconfig(kubeconfig: str | None) -> str:
    """The kubeconfig a command means, as kubectl finds it: the option, else $KUBECONFIG, else ``~/.kube/config``.

    Every part is absolute: the engine has another working directory.
    """
    text = kubeconfig or os.environ.get("KUBECONFIG", "")
    parts = [part for part in text.split(os.pathsep) if part] or [os.path.join("~", ".kube", "config")]
    return os.pathsep.join(os.path.abspath(os.path.expanduser(part)) for part in parts)


def greeting(kubeconfig: str | None) -> dict[str, Any]:
    """Parameters of ``hello``."""
    return {"protocol": PROTOCOL, "version": __version__, "kubeconfig": effective_kubeconfig(kubeconfig)}
