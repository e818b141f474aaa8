"""Secrets by reference: read when they are needed, kept by nobody, and in no message.

``env:NAME`` · ``file:/path`` (0600, own, no symbolic link) · ``secret:NAMESPACE/NAME/KEY`` through a cluster.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.paths import UnsafePath, private_open

# Longer than any key or address; more is a file that was named by mistake.
MAX_BYTES = 4096

# namespace, name, key → the value; None: there is none.
ReadSecret = Callable[[str, str, str], Awaitable[str | None]]


class CredentialMissing(Exception):
    """A reference that leads to nothing usable. ``hint`` is what mends it; neither holds a value."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


async def look_up(reference: str, read_secret: ReadSecret, environ: Mapping[str, str] | None = None) -> str:
    """The value behind a reference; raises ``CredentialMissing``."""
    kind, _, rest = reference.partition(":")
    if kind == "env":
        value = (os.environ if environ is None else environ).get(rest)
        hint = f"the engine reads its own environment: stop it, set {rest}, start it again"
        return _usable(value, f"the environment variable {rest}", hint)
    if kind == "file":
        return _usable(_file(Path(rest)), f"the file {rest}", "write the value into it, with mode 0600")
    namespace, name, key = rest.split("/")
    try:
        found = await read_secret(namespace, name, key)
    except KubeError as error:
        raise CredentialMissing(f"Secret {namespace}/{name} cannot be read: {error.message}", error.hint) from None
    hint = f"kubectl -n {namespace} get secret {name}"
    return _usable(found, f"key {key} of Secret {namespace}/{name}", hint)


def _file(path: Path) -> str | None:
    try:
        with os.fdopen(private_open(path, os.O_RDONLY), "rb") as stream:
            return stream.read(MAX_BYTES + 1).decode("ascii")
    except FileNotFoundError:
        return None
    except UnsafePath as error:
        raise CredentialMissing(error.what, error.hint) from None
    except OSError as error:
        raise CredentialMissing(f"the file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        return ""


def _usable(value: str | None, where: str, hint: str) -> str:
    """One line of printable ASCII."""
    if value is None:
        raise CredentialMissing(f"there is no {where.removeprefix('the ')}", hint)
    found = value.strip()
    if not found or len(found) > MAX_BYTES or not (found.isascii() and found.isprintable()):
        raise CredentialMissing(f"{where} holds no single line of printable ASCII", hint)
    return found
