"""What the client library needs to make a TLS context: authorities, client certificates, and why they do not work."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from lazarus_tui.kube.contexts import Context
from lazarus_tui.kube.credentials import Credential
from lazarus_tui.kube.errors import ConfigError


def set_trust(configuration: Any, folder: Path, context: Context, credential: Credential) -> None:
    """Fill a ``Configuration``; inline data becomes files (0600) in ``folder``. Raises ``ConfigError``."""
    cluster, user = context.cluster, context.user
    configuration.verify_ssl = not cluster.insecure
    # kubectl accepts authorities without key usage; Python 3.13 would not.
    configuration.disable_strict_ssl_verification = True
    configuration.tls_server_name = cluster.tls_server_name or None
    configuration.ssl_ca_cert = _file(folder / "ca.crt", cluster.ca_data) or cluster.ca_file or None
    certificate, key = credential.certificate or user.cert_data, credential.key or user.key_data
    configuration.cert_file = _file(folder / "tls.crt", certificate) or user.cert_file or None
    configuration.key_file = _file(folder / "tls.key", key) or user.key_file or None
    if configuration.cert_file:
        _refuse_encrypted(Path(configuration.key_file or configuration.cert_file))


def _file(path: Path, data: bytes) -> str:
    if not data:
        return ""
    path.touch(mode=0o600)
    path.write_bytes(data)
    return str(path)


def _refuse_encrypted(key: Path) -> None:
    """OpenSSL would ask for the passphrase on the terminal."""
    try:
        if b"ENCRYPTED" in key.read_bytes()[:4096]:
            raise ConfigError("the client key is encrypted; Lazarus cannot ask for its passphrase", reason="BadTls")
    except OSError as error:
        raise tls_trouble(error) from None


def tls_trouble(error: Exception) -> ConfigError:
    what = "client certificate, client key or certificate authority cannot be used"
    if isinstance(error, FileNotFoundError | PermissionError):
        named = f" {error.filename}" if error.filename and "lazarus-" not in str(error.filename) else ""
        what = f"a certificate file{named}: {error.strerror or 'cannot be read'}"
    elif isinstance(error, ssl.SSLError):
        what += f" ({error.reason or 'bad PEM'})"
    return ConfigError(what, reason="BadTls")
