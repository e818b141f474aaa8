"""Who a check logs in as: read from the namespace when it is needed, handed to the driver, and kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.model.steps import Reader
from lazarus_tui.prove.checks.outcome import CouldNot
from lazarus_tui.prove.checks.place import Place, pod_of
from lazarus_tui.prove.checks.seen import SeenPod
from lazarus_tui.prove.wanted_data import Credentials


@dataclass(frozen=True, slots=True)
class Login:
    """``given``: there was a reference to a password, and it led to one."""

    username: str = ""
    password: str = field(default="", repr=False)
    given: bool = False


async def login(reader: Reader, place: Place, wanted: Credentials) -> Login:
    """Raises ``CouldNot`` when a reference leads nowhere, and kube's errors when it may not be read."""
    if wanted.secret:
        password = await reader.credential(place.namespace, wanted.secret, wanted.password_key)
        if password is None:
            raise CouldNot(f"no credentials: secret {wanted.secret} has no {wanted.password_key}")
        username = wanted.username or await reader.credential(place.namespace, wanted.secret, wanted.username_key)
        return Login(username or "", password, True)
    if wanted.env is None:
        return Login(wanted.username)
    pod = await pod_of(reader, place.namespace, pod=place.pod)
    username = wanted.username or (await _variable(reader, pod, wanted, wanted.env.username))
    return Login(username, await _variable(reader, pod, wanted, wanted.env.password), bool(wanted.env.password))


async def _variable(reader: Reader, pod: SeenPod, wanted: Credentials, name: str) -> str:
    """The value of a variable of the container, wherever its manifest takes it from."""
    if not name:
        return ""
    containers = [one for one in pod.spec.containers or () if wanted.container in ("", one.name)]
    if not containers:
        raise CouldNot(f"no credentials: pod {pod.metadata.name} has no container {wanted.container}")
    namespace = pod.metadata.namespace
    for one in containers[0].env or ():
        if one.get("name") == name:
            found = one.get("value") or await _from(reader, namespace, one.get("valueFrom") or {})
            if found:
                return str(found)
    for source in containers[0].env_from or ():
        key = name.removeprefix(str(source.get("prefix") or ""))
        refs = {kind: {**(source.get(ref) or {}), "key": key} for kind, ref in _REFS.items() if source.get(ref)}
        if found := await _from(reader, namespace, refs):
            return found
    raise CouldNot(f"no credentials: {name} of container {containers[0].name} leads to no value")


_REFS = {"secretKeyRef": "secretRef", "configMapKeyRef": "configMapRef"}


async def _from(reader: Reader, namespace: str, refs: Mapping[str, Any]) -> str:
    if secret := refs.get("secretKeyRef"):
        return await reader.credential(namespace, str(secret.get("name")), str(secret.get("key"))) or ""
    if ref := refs.get("configMapKeyRef"):
        found = await reader.get(CONFIGMAPS, str(ref.get("name")), namespace, type=dict[str, Any])
        return str(((found or {}).get("data") or {}).get(str(ref.get("key"))) or "")
    return ""
