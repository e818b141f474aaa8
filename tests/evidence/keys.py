"""Keys, and a stand-in for ssh-keygen where there is none; it speaks the same format (OpenSSH, PROTOCOL.sshsig)."""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import stat
import struct
import sys
import textwrap
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

KIND = b"ssh-ed25519"
LOCKED = (
    "b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABBjLJCACXypr0nsGsXSJEJYAAAAEAAAAAEAAAAz"
    "AAAAC3NzaC1lZDI1NTE5AAAAIHxHoO1PRW63NEomODK+t0HUWVIt1FV4d7SwIWiiXzmGAAAAkJgp9cNKweHaxxpW4jXeH+UAPu/w"
    "tZ3s31f93mmGMdE3G1ogUZmOHmOAjgyF43ubLG8+VjnwBnFIRAbw98bg/9F9MUnOxPg9KrdO2H7NLXV5Lf6c13+xpIInNkEtlkTE"
    "qz+3SDJ707sIz9whUFgwkKZZnD8YlneP+r6mZAv0JTrc6gpuP4ABRsx2I01qBYISDQ=="
)


def private(seed: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"%d" % seed).digest())


def write_key(folder: Path, seed: int = 1) -> Path:
    """An OpenSSH private key, 0600; the same seed is the same key."""
    path = folder / f"key-{seed}"
    path.write_bytes(private(seed).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    path.chmod(0o600)
    return path


def write_locked(folder: Path) -> Path:
    """A key that needs a passphrase, made by ssh-keygen for these tests and used nowhere else."""
    path = folder / "locked"
    kind = "OPENSSH PRIVATE KEY"
    path.write_text(f"-----BEGIN {kind}-----\n{LOCKED}\n-----END {kind}-----\n")
    path.chmod(0o600)
    return path


def public_line(seed: int = 1) -> str:
    return private(seed).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def text(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def texts(blob: bytes) -> list[bytes]:
    found = []
    while blob:
        (length,) = struct.unpack_from(">I", blob)
        found.append(blob[4 : 4 + length])
        blob = blob[4 + length :]
    return found


def signed_bytes(namespace: bytes, data: bytes) -> bytes:
    return b"SSHSIG" + text(namespace) + text(b"") + text(b"sha512") + text(hashlib.sha512(data).digest())


def sign(key: Ed25519PrivateKey, namespace: bytes, data: bytes) -> bytes:
    public = text(KIND) + text(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    made = text(KIND) + text(key.sign(signed_bytes(namespace, data)))
    blob = b"SSHSIG" + struct.pack(">I", 1) + text(public) + text(namespace) + text(b"") + text(b"sha512") + text(made)
    armoured = "\n".join(textwrap.wrap(base64.b64encode(blob).decode(), 70))
    return f"-----BEGIN SSH SIGNATURE-----\n{armoured}\n-----END SSH SIGNATURE-----\n".encode()


def verified(signature: bytes, namespace: bytes, data: bytes, allowed: str) -> str:
    """The fingerprint of the key; raises ``InvalidSignature``."""
    blob = base64.b64decode("".join(signature.decode().split("\n")[1:-2]), validate=True)
    public, *said, made = texts(blob[10:])
    line = base64.b64encode(public).decode()
    if said != [namespace, b"", b"sha512"] or line not in allowed.split():
        raise InvalidSignature
    Ed25519PublicKey.from_public_bytes(texts(public)[1]).verify(texts(made)[1], signed_bytes(namespace, data))
    return "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")


def main(words: list[str]) -> int:
    """``ssh-keygen [-q] -Y sign|verify`` as Lazarus calls it."""
    given = dict(itertools.pairwise(words))
    data, namespace = sys.stdin.buffer.read(), given["-n"].encode()
    path = Path(given["-f"])
    if given["-Y"] == "sign":
        try:
            key = load_ssh_private_key(path.read_bytes(), None)
        except (TypeError, ValueError):
            sys.stderr.write("Load key: incorrect passphrase supplied to decrypt private key\n")
            return 255
        assert isinstance(key, Ed25519PrivateKey)
        sys.stdout.buffer.write(sign(key, namespace, data))
        return 0
    try:
        found = verified(Path(given["-s"]).read_bytes(), namespace, data, path.read_text())
    except (InvalidSignature, ValueError, IndexError, struct.error):
        return 255
    sys.stdout.write(f'Good "{namespace.decode()}" signature for {given["-I"]} with ED25519 key {found}\n')
    return 0


def stand_in(folder: Path) -> Path:
    """An executable ``ssh-keygen`` in ``folder``."""
    root = Path(__file__).parent.parent.parent
    program = folder / "ssh-keygen"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {os.fspath(root)!r})\n"
        "from tests.evidence.keys import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program
