"""The sandbox's own certificate authority: made once, kept in a private folder, used for loopback only."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import trustme

# For this machine, and for pods that find the server by its service.
_SERVICE = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
_NAMES = ("127.0.0.1", "localhost", "::1", "127.43.255.1", *_SERVICE)


def _write_private(path: Path, data: bytes) -> None:
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    part.replace(path)


def load_authority(folder: Path) -> trustme.CA:
    """The authority in ``folder``, made if absent; kubeconfigs stay valid as long as the folder does."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate, key = folder / "ca.pem", folder / "ca-key.pem"
    if certificate.exists() and key.exists():
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    authority = trustme.CA(organization_name="Lazarus sandbox")
    _write_private(key, authority.private_key_pem.bytes())
    _write_private(certificate, authority.cert_pem.bytes())
    return authority


def server_context(authority: trustme.CA) -> ssl.SSLContext:
    """TLS with a fresh certificate for the server's names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert(*_NAMES).configure_cert(context)
    context.set_alpn_protocols(["http/1.1"])
    return context


def authority_pem(authority: trustme.CA) -> bytes:
    """What a client must trust."""
    pem: bytes = authority.cert_pem.bytes()
    return pem
