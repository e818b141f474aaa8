"""A key that cannot be used leaves a record unsigned, says why, and never keeps it from being written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lazarus_tui.evidence import EvidenceStore
from lazarus_tui.evidence.signing import Signer, Unsigned, public_key
from lazarus_tui.journal import Journal
from lazarus_tui.sandbox.clock import VirtualClock
from tests.evidence.keys import public_line, stand_in, write_key, write_locked


def test_a_signature_names_its_key_and_is_the_same_each_time(place: Path, keygen: None) -> None:
    signer = Signer(write_key(place))
    signature = signer.sign(b"record")
    assert signature == signer.sign(b"record")
    assert public_key(signature) == public_line()


@pytest.mark.parametrize(
    "text", [b"", b"hello", b"\xff", b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"]
)
def test_what_is_no_signature_has_no_key(text: bytes) -> None:
    assert public_key(text) == ""


def test_the_stand_in_speaks_as_ssh_keygen_does(place: Path, keygen: None) -> None:
    """Each of the two accepts what the other signed, and neither accepts anything else."""
    key = write_key(place)
    (place / "other").mkdir()
    other = str(stand_in(place / "other"))
    (place / "signers").write_text(f"lazarus {public_line()}\n")
    for signs, checks in (("ssh-keygen", other), (other, "ssh-keygen")):
        made = subprocess.run([signs, "-Y", "sign", "-f", str(key), "-n", "n"], input=b"x", capture_output=True)
        (place / "sig").write_bytes(made.stdout)
        words = ["-Y", "verify", "-n", "n", "-I", "lazarus", "-s", str(place / "sig"), "-f", str(place / "signers")]
        codes = [subprocess.run([checks, *words], input=data, capture_output=True).returncode for data in (b"x", b"y")]
        assert (codes[0], codes[1] != 0) == (0, True)


def test_keys_that_cannot_sign_say_why(place: Path, keygen: None, monkeypatch: pytest.MonkeyPatch) -> None:
    key, locked = write_key(place), write_locked(place)
    loose = write_key(place, 3)
    loose.chmod(0o644)
    (place / "linked").symlink_to(key)
    for path, why, hint in (
        (None, "no key is configured", "evidence.key"),
        (place / "none", "there is no", "evidence.key"),
        (place / "none.pub", "there is no", "evidence.key"),
        (loose, "is open to others (mode 644)", "chmod 600"),
        (place / "linked", "symbolic link", ""),
        (locked, "has a passphrase, and no agent", "ssh-add"),
    ):
        with pytest.raises(Unsigned) as refused:
            Signer(path).sign(b"record")
        assert why in refused.value.why
        assert hint in refused.value.hint
    monkeypatch.setenv("PATH", str(place))
    with pytest.raises(Unsigned, match="there is no ssh-keygen here"):
        Signer(key).sign(b"record")


async def test_a_record_is_written_signed_or_not(place: Path, keygen: None, journal: Journal) -> None:
    store = EvidenceStore(place / "evidence", journal, VirtualClock(), Signer(write_key(place)))
    signed = await store.write("op", {"verdict": "PASSED", "kind": "prove.run", "target": "shop"})
    assert (signed.number, signed.signed_by, signed.unsigned) == (1, public_line(), "")
    assert (signed.kind, signed.verdict, signed.about) == ("prove.run", "PASSED", "shop")
    beside = place / "evidence" / "op-1.json.sig"
    assert store.signature(signed) == beside.read_bytes()
    assert beside.stat().st_mode & 0o777 == 0o600
    (place / "key-1").chmod(0o644)
    unsigned = await store.write("op", {"verdict": "PASSED"})
    assert (unsigned.number, unsigned.signed_by, store.signature(unsigned)) == (2, "", b"")
    assert "is open to others" in unsigned.unsigned
    assert [row.signed_by != "" for row in await store.list()] == [True, False]
    assert list(await store.verify()) == []


async def test_a_signature_of_a_record_that_was_lost_does_not_stay(place: Path, keygen: None, journal: Journal) -> None:
    """A crash before the journal knew it: the next record takes the name, and no stale signature with it."""
    (place / "evidence").mkdir(mode=0o700)
    (place / "evidence" / "op-1.json.sig").write_bytes(b"stale")
    await EvidenceStore(place / "evidence", journal, VirtualClock()).write("op", {})
    assert not (place / "evidence" / "op-1.json.sig").exists()
