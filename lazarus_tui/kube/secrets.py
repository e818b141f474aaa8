"""One value of one Secret, for a check that has to log in; a whole one, to make it again beside a copy.

Everything else asks for metadata alone.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

import msgspec

from lazarus_tui.kube.errors import NotFound
from lazarus_tui.model.resources import SECRETS

if TYPE_CHECKING:
    from lazarus_tui.kube.cluster import Cluster


class _Secret(msgspec.Struct, frozen=True):
    data: dict[str, str] | None = None


async def credential(cluster: Cluster, namespace: str, name: str, key: str) -> str | None:
    """The value as text; None when there is no such Secret, no such key, or it is not text.

    It lives in the caller's hands alone: neither an error nor a log has it.
    """
    from lazarus_tui.kube.cluster import object_path

    path = object_path(SECRETS, namespace, name)
    try:
        found = await cluster.read(path, _Secret, kinds=("Secret",), resource=SECRETS.group_resource)
    except NotFound:
        return None
    value = (found.data or {}).get(key)
    if value is None:
        return None
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


async def secret(cluster: Cluster, namespace: str, name: str) -> dict[str, Any] | None:
    """A whole Secret, to be made again beside a copy; None when there is none. The same holds of it."""
    from lazarus_tui.kube.cluster import object_path

    path = object_path(SECRETS, namespace, name)
    try:
        return await cluster.read(path, dict[str, Any], kinds=("Secret",), resource=SECRETS.group_resource)
    except NotFound:
        return None
