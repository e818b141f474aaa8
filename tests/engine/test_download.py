"""Downloads: only where the policy allows, never further, never more than asked, never a secret in the error."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest

from lazarus_tui.engine.download import DownloadRefused, download, unpack
from lazarus_tui.model.addresses import AddressPolicy, policy

CANARY = "Canary9zQ4LmXw7Kp2"
URL = f"https://minio.example/velero/log.gz?X-Amz-Signature={CANARY}"


class Storage(httpx.AsyncBaseTransport):
    """Answers once and keeps what it was asked."""

    def __init__(self, body: bytes = b"hello", status: int = 200, **headers: str) -> None:
        self.body, self.status, self.headers, self.asked = body, status, headers, list[httpx.Request]()
        self.sent = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)

        async def parts() -> AsyncIterator[bytes]:
            for at in range(0, len(self.body), 1000):
                self.sent += 1
                yield self.body[at : at + 1000]

        return httpx.Response(self.status, headers=self.headers, content=parts())


def resolver(*addresses: str, fails: bool = False):  # type: ignore[no-untyped-def]
    async def find(host: str, port: int) -> Sequence[str]:
        if fails:
            raise OSError("no such name")
        return addresses

    return find


async def fetch(
    storage: Storage, url: str = URL, addresses: Sequence[str] = ("93.184.216.34",), limit: int = 10_000,
    allowed: AddressPolicy | None = None,
) -> bytes:  # fmt: skip
    return await download(
        url, limit=limit, policy=allowed or policy(), find=resolver(*addresses), transport=storage
    )  # fmt: skip


async def test_it_connects_to_the_judged_address_and_keeps_the_name() -> None:
    storage = Storage()
    assert await fetch(storage) == b"hello"
    (request,) = storage.asked
    assert request.url.host == "93.184.216.34"
    assert request.headers["host"] == "minio.example"
    assert request.extensions["sni_hostname"] == "minio.example"
    assert request.url.query == f"X-Amz-Signature={CANARY}".encode()


@pytest.mark.parametrize(
    "addresses",
    [("10.0.0.1",), ("93.184.216.34", "127.0.0.1"), ("169.254.169.254",), ("64:ff9b::a9fe:a9fe",), ("::1",), ()],
)
async def test_one_bad_address_refuses_the_name(addresses: Sequence[str]) -> None:
    storage = Storage()
    with pytest.raises(DownloadRefused, match=r"minio\.example"):
        await fetch(storage, addresses=addresses)
    assert storage.asked == []


async def test_the_sandbox_may_reach_its_own_machine_and_nobody_else() -> None:
    lab = policy(loopback=True)
    assert await fetch(Storage(), "http://127.0.0.1:9000/x?signature=s", ("127.0.0.1",), allowed=lab) == b"hello"
    with pytest.raises(DownloadRefused):
        await fetch(Storage(), addresses=("10.0.0.1",), allowed=lab)


@pytest.mark.parametrize("status", [301, 302, 307, 403, 404, 500])
async def test_only_200_is_an_object_and_redirects_are_not_followed(status: int) -> None:
    storage = Storage(status=status, location="http://169.254.169.254/")
    with pytest.raises(DownloadRefused, match=str(status)) as refused:
        await fetch(storage)
    assert len(storage.asked) == 1
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://x/", "//x", "", "https://", "http://[::1"])
async def test_only_web_addresses(url: str) -> None:
    with pytest.raises(DownloadRefused):
        await fetch(Storage(), url)


async def test_a_name_of_the_cluster_is_explained() -> None:
    with pytest.raises(DownloadRefused, match="publicUrl"):
        await download(URL, limit=10, policy=policy(), find=resolver(fails=True))


async def test_too_much_is_not_read_to_the_end() -> None:
    storage = Storage(b"x" * 1_000_000)
    with pytest.raises(DownloadRefused, match="larger than 10000 bytes"):
        await fetch(storage)
    assert storage.sent < 20


async def test_a_broken_connection_is_an_oserror_without_the_signature() -> None:
    class Broken(Storage):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ReadError(f"reset while reading {request.url}")

    with pytest.raises(OSError, match=r"minio\.example") as broken:
        await fetch(Broken())
    assert CANARY not in str(broken.value)


async def test_gzip_is_unpacked_also_in_several_members() -> None:
    assert await fetch(Storage(gzip.compress(b"one ") + gzip.compress(b"two"))) == b"one two"


async def test_a_content_encoding_is_not_unpacked_behind_our_back() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(DownloadRefused, match="when unpacked"):
        await fetch(Storage(bomb, **{"content-encoding": "gzip"}), limit=100_000)


def test_a_bomb_costs_no_more_than_the_limit() -> None:
    with pytest.raises(DownloadRefused, match="larger than 1000"):
        unpack(gzip.compress(bytes(10_000_000)), 1000)
    with pytest.raises(DownloadRefused, match="larger than 1000"):
        unpack(gzip.compress(bytes(600)) * 2, 1000)
    assert len(unpack(gzip.compress(bytes(1000)), 1000)) == 1000


@pytest.mark.parametrize("cut", [1, 5, 15])
def test_damaged_objects_are_refused(cut: int) -> None:
    whole = gzip.compress(b"hello world" * 10)
    with pytest.raises(DownloadRefused, match="too early"):
        unpack(whole[:-cut], 1000)
    with pytest.raises(DownloadRefused, match="damaged"):
        unpack(whole[:20] + b"\xff\xff" + whole[22:], 1000)
