"""Checks a bundle of evidence: python3 -I verify.py [DIR] [--signers FILE] [--head SHA256] [--allow-unsigned]

Needs Python 3.8 or newer and, for signatures, ssh-keygen (OpenSSH 8.1 or newer). It reads files and changes nothing.

Exit codes: 0 intact and signed; 2 changed, cut or signed by somebody else; 4 unsigned, or signatures could not be
checked (--allow-unsigned makes the first of these 0); 64 wrong usage.

Whoever can replace every file can also replace this one and the list of signers in the bundle. So take the keys from
elsewhere (--signers), or compare the fingerprint that is printed with the one you were given; and give the newest hash
you know of the chain (--head) if an older bundle could be passed off as the newest.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
import tempfile
from typing import Any

OK, CHANGED, UNSIGNED, USAGE = 0, 2, 4, 64
NAMESPACE, PRINCIPAL = "lazarus-evidence", "lazarus"
MANIFEST, CHAIN, SIGNERS, SIG = "manifest.json", "chain.json", "allowed_signers", ".sig"
FIRST = "0" * 64
# Bytes of one file, and characters of what is printed of one name.
LARGEST, SHOWN = 256 << 20, 120
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}(?:/[A-Za-z0-9_][A-Za-z0-9._-]{0,199})?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_SAID = ("kind", "verdict")  # what the chain repeats of a record


class Wrong(Exception):
    """Something is not what it was: one sentence."""


class Report:
    """What was found, in sentences; ``keys`` counts signatures by the fingerprint of their key."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.unsigned: list[str] = []
        self.unchecked: list[str] = []
        self.said: list[str] = []
        self.keys: dict[str, int] = {}

    def code(self, allow_unsigned: bool = False) -> int:
        if self.wrong:
            return CHANGED
        if self.unchecked or (self.unsigned and not allow_unsigned):
            return UNSIGNED
        return OK


def plain(value: object) -> str:
    """Text that cannot steer a terminal: everything but printable ASCII is escaped."""
    return json.dumps(str(value)[:SHOWN])[1:-1].replace("\x7f", "\\u007f")


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object whose keys are all different: two readers must not see two documents."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Wrong("a document has the same key twice")
    return found


def document(data: bytes, name: str) -> dict[str, Any]:
    """The JSON object in a file. What Python takes and JSON does not have (NaN, a number without end, half of a
    surrogate pair) is refused: another reader would refuse it, or see something else."""
    try:
        found = json.loads(data.decode("utf-8"), object_pairs_hook=once)
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise Wrong(f"{name} is not JSON") from None
    if not isinstance(found, dict):
        raise Wrong(f"{name} is not a JSON object")
    try:
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except (UnicodeEncodeError, ValueError, RecursionError):
        raise Wrong(f"{name} is not canonical JSON") from None
    return found


def counted(said: object, number: int) -> bool:
    """Whether a document says this number; true and 1.0 are not 1 to every reader."""
    return type(said) is int and said == number


def read(folder: str, name: str) -> bytes:
    """The bytes of a regular file of the bundle; a link could lead anywhere."""
    path = os.path.join(folder, *name.split("/"))
    try:
        inside = os.path.dirname(path) == folder or stat.S_ISDIR(os.lstat(os.path.dirname(path)).st_mode)
        found = os.lstat(path)
        if not inside or not stat.S_ISREG(found.st_mode):
            raise Wrong(f"{name} is not a regular file")
        if found.st_size > LARGEST:
            raise Wrong(f"{name} is larger than any file of a bundle")
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise Wrong(f"{name} is missing") from None
    except OSError as error:
        raise Wrong(f"{name} cannot be read: {error.strerror}") from None


def listed(folder: str) -> set[str]:
    """Every file below ``folder``, and every link, as the manifest would name it. Raises ``Wrong`` for a folder that
    cannot be looked into: anything could lie there."""

    def hidden(error: OSError) -> None:
        where = os.path.relpath(str(error.filename), folder)
        raise Wrong(f"{plain(where)} cannot be read: {error.strerror}")

    found: set[str] = set()
    for base, folders, names in os.walk(folder, onerror=hidden):
        links = [name for name in folders if os.path.islink(os.path.join(base, name))]
        found.update(os.path.relpath(os.path.join(base, name), folder).replace(os.sep, "/") for name in names + links)
    return found


def fingerprint(line: str) -> str:
    """``SHA256:…`` of a line with a public key, as ssh-keygen prints it; "" for a line without one."""
    words = line.split()
    for at, word in enumerate(words[:-1]):
        if word.startswith(("ssh-", "ecdsa-", "sk-")):
            try:
                blob = base64.b64decode(words[at + 1], validate=True)
            except (binascii.Error, ValueError):
                return ""
            return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return ""


def signer(data: bytes, signature: bytes, signers: bytes) -> str | None:
    """The fingerprint of the allowed key that signed ``data``; None where there is no ssh-keygen. Raises ``Wrong``."""
    with tempfile.TemporaryDirectory() as place:
        paths = {"signature": signature, "signers": signers}
        for name, content in paths.items():
            with open(os.path.join(place, name), "wb") as file:
                file.write(content)
        words = ["ssh-keygen", "-Y", "verify", "-n", NAMESPACE, "-I", PRINCIPAL]
        words += ["-s", os.path.join(place, "signature"), "-f", os.path.join(place, "signers")]
        try:
            done = subprocess.run(words, input=data, capture_output=True, timeout=60, check=False)
        except FileNotFoundError:
            return None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Wrong(f"ssh-keygen did not answer: {type(error).__name__}") from None
    if done.returncode != 0:
        raise Wrong("it is not the signature of an allowed key")
    found = re.search(r"SHA256:[A-Za-z0-9+/]+", done.stdout.decode("utf-8", "replace"))
    return found.group() if found else "a key that ssh-keygen did not name"


class Bundle:
    """One folder. ``signers``: allowed_signers from elsewhere, None to use the bundle's own."""

    def __init__(self, folder: str, signers: bytes | None, report: Report) -> None:
        self.folder, self.report, self.given = os.path.abspath(folder), report, signers
        self.manifest = document(read(self.folder, MANIFEST), MANIFEST)
        files = self.manifest.get("files")
        if not isinstance(files, dict) or not all(_NAME.fullmatch(name) for name in files):
            raise Wrong(f"{MANIFEST} does not list files")
        self.files: dict[str, Any] = files
        self.own = sorted(name for name in files if name.startswith("records/") and name.endswith(".json"))

    def check(self, head: str) -> None:
        self.contents()
        self.signatures()
        try:
            self.chain(head)
        except Wrong as error:
            self.report.wrong.append(str(error))

    def contents(self) -> None:
        """Every file as the manifest says, and none beside them."""
        for name, said in sorted(self.files.items()):
            try:
                if not isinstance(said, dict) or digest(read(self.folder, name)) != said.get("sha256"):
                    raise Wrong(f"{name} was changed")
            except Wrong as error:
                self.report.wrong.append(str(error))
        try:
            more = listed(self.folder) - set(self.files) - {MANIFEST, MANIFEST + SIG}
        except Wrong as error:
            self.report.wrong.append(str(error))
            return
        self.report.wrong += [f"{plain(name)} is not part of the bundle" for name in sorted(more)]

    def signatures(self) -> None:
        signers = self.given
        if signers is None:
            signers = read(self.folder, SIGNERS) if SIGNERS in self.files else b""
        for name in [MANIFEST, *self.own]:
            try:
                self.signature(name, signers)
            except Wrong as error:
                self.report.wrong.append(f"{name}{SIG}: {error}")

    def signature(self, name: str, signers: bytes) -> None:
        if not os.path.lexists(os.path.join(self.folder, *(name + SIG).split("/"))):
            self.report.unsigned.append(f"{name} is not signed")
            return
        if not signers:
            raise Wrong("there is no list of allowed signers")
        key = signer(read(self.folder, name), read(self.folder, name + SIG), signers)
        if key is None:
            self.report.unchecked.append(f"{name}: there is no ssh-keygen here to check its signature")
        else:
            self.report.keys[key] = self.report.keys.get(key, 0) + 1

    def chain(self, head: str) -> None:
        """Each record follows the one before, from the first to the head; those of the bundle are of the chain."""
        index = document(read(self.folder, CHAIN), CHAIN)
        rows = index.get("rows")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise Wrong(f"{CHAIN} does not list records")
        previous = FIRST
        hashes: dict[str, str] = {}
        for number, row in enumerate(rows, 1):
            if not counted(row.get("number"), number) or row.get("previous") != previous:
                raise Wrong(f"the chain is cut at {number}: {plain(row.get('id'))} does not follow")
            name, hashed = row.get("id"), row.get("sha256")
            if not isinstance(name, str) or name in hashes:
                raise Wrong(f"the chain is broken at {number}: its record has no name of its own")
            if not isinstance(hashed, str) or not _DIGEST.fullmatch(hashed):
                raise Wrong(f"the chain is broken at {number}: there is no hash of record {plain(name)}")
            previous = hashes[name] = hashed
        for place in (index, self.manifest):
            if not counted(place.get("count"), len(rows)) or place.get("head") != previous:
                raise Wrong(f"the end of the chain is cut: there are {len(rows)} records, not what was counted")
        if head and head not in hashes.values():
            raise Wrong(f"the chain does not have the record with the hash {plain(head)}")
        self.records({row["id"]: row for row in rows})
        self.report.said.append(f"chain: {len(rows)} record{'' if len(rows) == 1 else 's'}, head {previous}")

    def records(self, rows: dict[str, dict[str, Any]]) -> None:
        there, said = [name[8:-5] for name in self.own], self.manifest.get("records")
        if not isinstance(said, list) or there != sorted(map(str, said)):
            raise Wrong("the bundle does not have the records that it says it has")
        for one in there:
            data, row = read(self.folder, f"records/{one}.json"), rows.get(one)
            if row is None or digest(data) != row["sha256"]:
                raise Wrong(f"record {one} is not the one in the chain")
            record = document(data, f"record {one}")
            if any(record.get(key) != row.get(key) for key in ("id", "operation", "previous")):
                raise Wrong(f"record {one} says another place in the chain than its own")
            if not counted(record.get("number", row["number"]), row["number"]):
                raise Wrong(f"record {one} says another number than its own")
            if any(row.get(key) and str(record.get(key)) != row[key] for key in _SAID):
                raise Wrong(f"the chain says something else of record {one} than the record itself")
            if row.get("signed_by") and f"records/{one}.json{SIG}" not in self.files:
                raise Wrong(f"record {one} was signed when it was written, and its signature is gone")
        self.report.said.append(f"records in the bundle: {len(there)} of {len(rows)}")


def verify(folder: str, signers: bytes | None = None, head: str = "") -> Report:
    """``signers``: an allowed_signers file that did not come with the bundle; ``head``: a hash the chain must have."""
    report = Report()
    try:
        Bundle(folder, signers, report).check(head)
    except Wrong as error:
        report.wrong.append(str(error))
    except Exception as error:  # whatever a bundle holds, it gets an answer, and never a good one
        report.wrong.append(f"it cannot be checked as what a bundle is: {type(error).__name__}")
    return report


def lines(report: Report, allow_unsigned: bool = False) -> list[str]:
    """The report for a person, the verdict last."""
    found = list(report.said)
    found += [f"signed by {key}: {count} file{'' if count == 1 else 's'}" for key, count in sorted(report.keys.items())]
    found += [f"CHANGED: {text}" for text in report.wrong]
    found += [f"unsigned: {text}" for text in report.unsigned]
    found += [f"not checked: {text}" for text in report.unchecked]
    if report.wrong:
        return [*found, "NOT INTACT"]
    if report.unchecked:
        return [*found, "hashes and chain are intact; the signatures were not checked"]
    if report.unsigned:
        also = ", which was allowed" if allow_unsigned else ": whoever could write here could have made it all"
        return [*found, f"hashes and chain are intact, but not everything is signed{also}"]
    return [*found, "intact and signed"]


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check a bundle of Lazarus evidence.")
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument("folder", nargs="?", default=here, help="the bundle (default: the folder of this file)")
    parser.add_argument("--signers", help="an allowed_signers file that did not come with the bundle")
    parser.add_argument("--head", help="sha256 of a record that the chain must have")
    parser.add_argument("--allow-unsigned", action="store_true", help="0 instead of 4 when something is not signed")
    signers = None
    try:
        wanted = parser.parse_args(words)
        if wanted.head == "":
            parser.error("--head is empty: name the sha256 that the chain must have, or leave it out")
        if wanted.signers is not None:
            with open(wanted.signers, "rb") as file:
                signers = file.read()
    except SystemExit as ended:
        return USAGE if ended.code else OK
    except OSError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        return USAGE
    report = verify(wanted.folder, signers, wanted.head or "")
    sys.stdout.write("\n".join(lines(report, wanted.allow_unsigned)) + "\n")
    return report.code(wanted.allow_unsigned)


if __name__ == "__main__":
    sys.exit(main())
