"""Secrets that a snapshot class asks for: named on the content, wanted at the cut and at the deletion.

The sandbox's driver has no use for what is in them; that they are there is asked for all the same, as the sidecar does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lazarus_tui.model.resources import SECRETS
from lazarus_tui.sandbox.snapshots.marks import Unfinished, marks_of, quoted

if TYPE_CHECKING:
    from lazarus_tui.sandbox.api.local import LocalApi

Object = dict[str, Any]

NAME = "snapshot.storage.kubernetes.io/deletion-secret-name"
NAMESPACE = "snapshot.storage.kubernetes.io/deletion-secret-namespace"
_PREFIX = "csi.storage.k8s.io/snapshotter-secret-"


def secret_marks(parameters: Mapping[str, str], content_name: str, snapshot: Object) -> dict[str, str]:
    """The content's annotations for a class with these parameters; raises ``Unfinished``."""
    name, namespace = parameters.get(f"{_PREFIX}name"), parameters.get(f"{_PREFIX}namespace")
    if name is None and namespace is None:
        return {}
    if not name or not namespace:
        text = "either name and namespace for Snapshotter secrets specified, Both must be specified"
        raise Unfinished(f"failed to get name and namespace template from params: {text}")
    meta = snapshot["metadata"]
    known = {"volumesnapshotcontent.name": content_name, "volumesnapshot.namespace": meta["namespace"]}
    return {NAME: _filled(name, known | {"volumesnapshot.name": meta["name"]}), NAMESPACE: _filled(namespace, known)}


def _filled(template: str, known: Mapping[str, str]) -> str:
    tokens = re.findall(r"\$\{([^}]*)\}", template)
    if unknown := sorted(set(tokens) - set(known)):
        shown = " ".join(map(quoted, unknown))
        raise Unfinished(f"error resolving value {quoted(template)}: invalid tokens: [{shown}]")
    return re.sub(r"\$\{([^}]*)\}", lambda found: known[found[1]], template)


def check_secret(api: LocalApi, content: Object) -> None:
    """Raises ``Unfinished`` when the secret that a content names is not there."""
    marks, shown = marks_of(content), quoted(content["metadata"]["name"])
    if NAME not in marks or NAMESPACE not in marks:
        return
    if not marks[NAME] or not marks[NAMESPACE]:
        text = "secret name or namespace not specified"
        raise Unfinished(f"cannot retrieve secrets for snapshot content {shown}, err: {text}")
    if api.get(SECRETS, marks[NAME], marks[NAMESPACE]) is None:
        raise Unfinished(f"cannot get credentials for snapshot content {shown}")
