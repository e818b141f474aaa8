"""What a check demands of a certificate, and whose word it takes for it."""

from __future__ import annotations

import re
import ssl
from datetime import datetime
from typing import Any

from lazarus_tui.model.resources import CONFIGMAPS
from lazarus_tui.model.steps import Reader
from lazarus_tui.prove.checks.outcome import CouldNot
from lazarus_tui.prove.wanted import Tls

# Some drivers keep of OpenSSL's error no more than its words.
_REFUSED = re.compile(r"CERTIFICATE_VERIFY_FAILED\] certificate verify failed: ([\w ,.'*-]{1,120}) \(_ssl")


class Named(ssl.SSLContext):
    """Asks for the certificate of ``name``, whatever address the connection goes through."""

    name = ""

    def wrap_bio(self, *args: Any, **options: Any) -> ssl.SSLObject:
        return super().wrap_bio(*args, **{**options, **self._asked()})

    def wrap_socket(self, *args: Any, **options: Any) -> ssl.SSLSocket:
        return super().wrap_socket(*args, **{**options, **self._asked()})

    def _asked(self) -> dict[str, str]:
        return {"server_hostname": self.name} if self.name else {}


async def context(reader: Reader, namespace: str, wanted: Tls, name: str = "") -> ssl.SSLContext:
    """For a server of that name; raises ``CouldNot`` when the authority that is asked for is not there."""
    found = Named(ssl.PROTOCOL_TLS_CLIENT)
    found.name = wanted.server_name or name
    if wanted.ca:
        try:
            found.load_verify_locations(cadata=await authority(reader, namespace, wanted.ca))
        except (ssl.SSLError, ValueError):
            raise CouldNot(f"{wanted.ca} holds no certificate") from None
    else:
        found.load_default_certs()
    if wanted.verify != "full":
        found.check_hostname = False
    if wanted.verify == "none":
        found.verify_mode = ssl.CERT_NONE
    return found


async def authority(reader: Reader, namespace: str, where: str) -> str:
    kind, name, key = where.split("/", 2)
    if kind == "secret":
        text = await reader.credential(namespace, name, key)
    else:
        found = await reader.get(CONFIGMAPS, name, namespace, type=dict[str, Any])
        text = ((found or {}).get("data") or {}).get(key)
    if not text:
        raise CouldNot(f"there is no {where} in {namespace}")
    return str(text)


def refused(error: BaseException | None) -> str:
    """Why a driver, whatever it raised, did not take the server's certificate; "" when that was not it."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        if said := _REFUSED.search(str(error)):
            return said[1]
        error = error.__cause__ or error.__context__
    return ""


def wrong(wanted: Tls | None, certificate: bytes, now: datetime) -> str:
    """Why a certificate (DER) does not do any more, or ""."""
    if wanted is None or wanted.days_left is None:
        return ""
    from cryptography import x509  # it costs 0.1 s to import, and few checks ask for it

    try:
        ends = x509.load_der_x509_certificate(certificate).not_valid_after_utc
    except ValueError:
        return "its certificate cannot be read"
    left = (ends - now).total_seconds() / 86400
    return f"its certificate ends in {left:.1f} days, sooner than {wanted.days_left}" if left < wanted.days_left else ""
