"""The private endpoint asked from another process: the standard library's HTTPS, the kubeconfig's token."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec
import yaml

from lazarus_tui.sandbox import process
from lazarus_tui.sandbox.faults.model import PATH, FaultRefused, Told, Wanted

_SECONDS = 30.0


class SandboxDown(Exception):
    """No sandbox runs there."""


def told(root: Path, seconds: float = _SECONDS) -> Told:
    """What is active and what was hit; raises ``SandboxDown`` or, after ``seconds`` at the latest, ``OSError``."""
    return _ask(root, "GET", PATH, seconds=seconds)


def add(root: Path, wanted: Wanted) -> Told:
    """Raises ``FaultRefused`` too."""
    return _ask(root, "POST", PATH, msgspec.json.encode(wanted))


def clear(root: Path, name: str = "") -> Told:
    """End one fault or all; raises ``FaultRefused`` for one that is not there."""
    return _ask(root, "DELETE", f"{PATH}?id={quote(name, safe='')}" if name else PATH)


def _ask(root: Path, method: str, target: str, body: bytes | None = None, *, seconds: float = _SECONDS) -> Told:
    if not process.status(root).server:
        raise SandboxDown
    try:
        config = yaml.safe_load(process.kubeconfig(root))
    except FileNotFoundError:
        raise SandboxDown from None
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    trust = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    address = urlsplit(cluster["server"])
    connection = http.client.HTTPSConnection(address.hostname or "", address.port, timeout=seconds, context=trust)
    try:
        connection.request(method, target, body, {"authorization": f"Bearer {user['token']}"})
        answer = connection.getresponse()
        data = answer.read()
    finally:
        connection.close()
    if answer.status == 200:
        return msgspec.json.decode(data, type=Told)
    raise FaultRefused(str(json.loads(data).get("message") or f"the sandbox answered {answer.status}"))
