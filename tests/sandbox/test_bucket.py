"""The object store: keys that stay inside, writes that are whole, and what HTTP answers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lazarus_tui.sandbox.bucket import Bucket, BucketServer, ObjectStore
from lazarus_tui.sandbox.clock import VirtualClock


def store(root: Path) -> ObjectStore:
    return ObjectStore(root, VirtualClock(datetime(2026, 1, 1, tzinfo=UTC)), b"k" * 32)


@pytest.mark.parametrize("key", ["../other", "/etc/passwd", "a/../../b", "", "a\0b", "./."])
def test_a_key_never_leaves_the_bucket(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="illegal object key"):
        Bucket(tmp_path / "b").put(key, b"x")


def test_objects_are_put_listed_linked_and_removed(tmp_path: Path) -> None:
    bucket = Bucket(tmp_path / "b")
    bucket.put("backups/one/a", b"1")
    bucket.put("backups/one/a", b"2")
    bucket.link("backups/two/a", "backups/one/a")
    bucket.put("backups/one/a", b"3")  # replaces the name, not the shared bytes

    assert bucket.get("backups/two/a") == b"2"
    assert bucket.prefixes() == ["backups"]
    assert bucket.prefixes("backups") == ["one", "two"]
    assert list(bucket.keys("backups")) == ["backups/one/a", "backups/two/a"]
    bucket.remove("backups/one")
    bucket.remove("backups/one")
    assert bucket.prefixes("backups") == ["two"]
    with pytest.raises(FileNotFoundError):
        bucket.get("backups/one/a")


def test_a_write_that_was_cut_is_not_an_object(tmp_path: Path) -> None:
    bucket = Bucket(tmp_path / "b")
    bucket.put("backups/one/a", b"1")
    (tmp_path / "b" / "backups" / "one" / ".part-123").write_bytes(b"half")
    assert list(bucket.keys("backups")) == ["backups/one/a"]


async def http(url: str, method: str = "GET") -> tuple[int, bytes]:
    host, _, rest = url.removeprefix("http://").partition("/")
    reader, writer = await asyncio.open_connection(*host.split(":"))
    writer.write(f"{method} /{rest} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    data = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def test_over_http_only_signed_reads_are_served(tmp_path: Path) -> None:
    objects = store(tmp_path)
    objects.bucket("b").put("a dir/ä+b.gz", b"\x1f\x8bdata")
    server = BucketServer(objects)
    base = await server.start()
    try:
        url = objects.sign("b", "a dir/ä+b.gz", 600)
        assert base.startswith("http://127.0.0.1:")
        assert url.startswith(base)
        assert await http(url) == (200, b"\x1f\x8bdata")
        assert (await http(objects.sign("b", "absent", 600)))[0] == 404
        assert (await http(objects.sign("b", "a dir", 600)))[0] == 404
        assert (await http(f"{base}/b/a%20dir"))[0] == 403
        assert (await http(url, "PUT"))[0] == 405
        assert (await http(url, "DELETE"))[0] == 405
        assert (await http(url.replace("signature=", "signature=%C3%A9")))[0] == 403
    finally:
        await server.stop()


async def test_a_taken_port_is_no_obstacle(tmp_path: Path) -> None:
    first, second = BucketServer(store(tmp_path)), BucketServer(store(tmp_path))
    port = int((await first.start()).rpartition(":")[2])
    try:
        assert int((await second.start(port)).rpartition(":")[2]) != port
    finally:
        await first.stop()
        await second.stop()


def test_a_signature_of_one_store_is_nothing_to_another(tmp_path: Path) -> None:
    ours, theirs = store(tmp_path), ObjectStore(tmp_path, VirtualClock(), b"z" * 32)
    ours.bucket("b").put("a", b"1")
    path, _, query = theirs.sign("b", "a", 10**8).partition("?")
    assert ours.answer(path, query)[0] == 403
