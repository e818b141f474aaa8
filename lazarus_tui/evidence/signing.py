"""Signatures by ssh-keygen: of records when they are written, of bundles when they leave.

A key that cannot be used never keeps a record from being written: the record is unsigned, and why is said.
"""

from __future__ import annotations

import base64
import binascii
import os
import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lazarus_tui.evidence.verifier import NAMESPACE
from lazarus_tui.model.paths import UnsafePath, check_private_file

NO_KEY = "no key is configured (evidence.key)"
# Seconds ssh-keygen may take; an agent may ask a person to touch or to confirm.
PATIENCE = 30.0
# Longest message of ssh-keygen that is repeated.
_SAID = 200


class Unsigned(Exception):
    """Nothing was signed: why, and what to do next."""

    def __init__(self, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.why, self.hint = why, hint


class Signer:
    """Signs with the private key at ``key`` (0600), or with the agent's where ``key`` is a public one (``.pub``)."""

    def __init__(self, key: Path | None, env: Mapping[str, str] | None = None) -> None:
        self._key, self._env = key, dict(os.environ if env is None else env)

    @property
    def configured(self) -> bool:
        return self._key is not None

    def sign(self, data: bytes) -> bytes:
        """The signature (SSHSIG, armoured) of ``data`` in the namespace ``lazarus-evidence``; raises ``Unsigned``.

        Nobody is asked for a passphrase: the engine has no terminal, so a key with one needs an agent.
        """
        if self._key is None:
            raise Unsigned(NO_KEY, "name one in the settings: evidence.key")
        self._look(self._key)
        words = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(self._key), "-n", NAMESPACE]
        silent = {
            "SSH_ASKPASS": shutil.which("false") or "/bin/false",
            "SSH_ASKPASS_REQUIRE": "force",
            "DISPLAY": "none",
        }
        try:
            done = subprocess.run(
                words, input=data, capture_output=True, env={**self._env, **silent}, start_new_session=True,
                timeout=PATIENCE, check=False,
            )  # fmt: skip
        except FileNotFoundError:
            raise Unsigned("there is no ssh-keygen here", "install OpenSSH") from None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Unsigned(f"ssh-keygen did not answer: {type(error).__name__}") from None
        if done.returncode != 0 or not done.stdout:
            raise self._refused(done.stderr.decode("utf-8", "replace"))
        return done.stdout

    def _look(self, key: Path) -> None:
        public = key.suffix == ".pub"
        try:
            private = check_private_file(key.with_suffix("") if public else key)
            if not private and not (public and key.is_file()):
                raise Unsigned(f"there is no {key}", "name the key in the settings: evidence.key")
        except UnsafePath as error:
            raise Unsigned(error.what, error.hint) from None
        except OSError as error:
            raise Unsigned(f"{key} cannot be read: {error.strerror}") from None

    def _refused(self, said: str) -> Unsigned:
        words = " ".join(said.split())[:_SAID] or "it says nothing"
        if "passphrase" in words:
            why = f"{self._key} has a passphrase, and no agent that the engine knows holds it"
            return Unsigned(
                why, f"ssh-add {str(self._key).removesuffix('.pub')}, then start the engine where SSH_AUTH_SOCK is set"
            )
        return Unsigned(f"ssh-keygen does not sign with {self._key}: {words}")


def public_key(signature: bytes) -> str:
    """The key that made an armoured signature, as in an authorized_keys file; "" when it is not such a signature.

    The blob is "SSHSIG", uint32 version, string public key, … (OpenSSH, PROTOCOL.sshsig).
    """
    try:
        lines = signature.decode("ascii").split()
        blob = base64.b64decode("".join(lines[3:-3]), validate=True)  # between -----BEGIN SSH SIGNATURE----- and END
        if blob[:6] != b"SSHSIG":
            return ""
        (length,) = struct.unpack_from(">I", blob, 10)
        key = blob[14 : 14 + length]
        (named,) = struct.unpack_from(">I", key)
        kind = key[4 : 4 + named].decode("ascii")
    except (UnicodeDecodeError, binascii.Error, ValueError, struct.error):
        return ""
    return f"{kind} {base64.b64encode(key).decode()}"
