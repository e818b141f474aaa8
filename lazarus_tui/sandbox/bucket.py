"""The sandbox's object store: directories for buckets, and expiring signed URLs over loopback HTTP.

Writes land under a temporary name and are renamed, so a reader never sees half an object and a crash leaves none.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import hmac
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, unquote

if TYPE_CHECKING:
    from aiohttp import web

    from lazarus_tui.model.clock import Clock

HOST = "127.0.0.1"
# A partial write carries this prefix and is never listed.
_PARTIAL = ".part-"


@dataclass(slots=True)
class Outage:
    """What is wrong with an object store; asked at every use, so that it may change at any time.

    ``refused`` says why a bucket does not answer ("" if it does); ``full`` that nothing more can be written; downloads
    come ``late`` by so many seconds, and only their first ``share`` (0 to 1) comes.
    """

    refused: Callable[[str], str] = lambda bucket: ""
    full: bool = False
    late: float = 0.0
    share: float = 1.0


class Bucket:
    """One bucket: a directory whose files are the objects. Keys are relative POSIX paths."""

    def __init__(self, root: Path, outage: Outage | None = None) -> None:
        self.root = root
        self._outage = outage or Outage()

    def at(self, prefix: str) -> Bucket:
        """The part of the bucket under a folder key."""
        return Bucket(self.path(prefix), self._outage)

    def path(self, key: str) -> Path:
        """The file of a key; raises ``ValueError`` for a key that would leave the bucket."""
        pure = PurePosixPath(key)
        if pure.is_absolute() or not pure.parts or any(part in ("..", ".") for part in pure.parts) or "\0" in key:
            raise ValueError(f"illegal object key {key!r}")
        return self.root.joinpath(*pure.parts)

    def put(self, key: str, data: bytes) -> None:
        path = self.path(key)
        if self._outage.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(_PARTIAL + secrets.token_hex(6))
        partial.write_bytes(data)
        partial.replace(path)

    def link(self, key: str, source: str) -> None:
        """Give ``source`` a second key without copying it: objects are never changed in place, so sharing is safe."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        try:
            os.link(self.path(source), path)
        except OSError:
            shutil.copyfile(self.path(source), path)

    def get(self, key: str) -> bytes:
        """The object's bytes; raises ``FileNotFoundError``."""
        return self.path(key).read_bytes()

    def exists(self, key: str) -> bool:
        return self.path(key).is_file()

    def prefixes(self, prefix: str = "") -> list[str]:
        """Names of the folders directly under ``prefix`` (a folder key without the last slash; "" for the top)."""
        folder = self.path(prefix) if prefix else self.root
        if not folder.is_dir():
            return []
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir())

    def keys(self, prefix: str) -> Iterator[str]:
        folder = self.path(prefix)
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith(_PARTIAL):
                yield path.relative_to(self.root).as_posix()

    def remove(self, prefix: str) -> None:
        """Remove an object or everything under a folder; absent is fine."""
        path = self.path(prefix)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


class ObjectStore:
    """All buckets under one directory, and the signatures that open them to a client for a while."""

    def __init__(self, root: Path, clock: Clock, secret: bytes) -> None:
        self.root = root
        self.base_url = ""
        self.outage = Outage()
        self._clock = clock
        self._secret = secret

    def bucket(self, name: str) -> Bucket:
        if not name or "/" in name or name.startswith("."):
            raise ValueError(f"illegal bucket name {name!r}")
        return Bucket(self.root / name, self.outage)

    def has(self, name: str) -> bool:
        return (self.root / name).is_dir()

    def sign(self, bucket: str, key: str, seconds: float) -> str:
        """A URL that serves ``key`` for ``seconds`` from now, whether the object exists or not (as S3 does)."""
        expires = int(self._clock.now().timestamp() + seconds)
        path = f"/{bucket}/{key}"
        return f"{self.base_url}{quote(path)}?expires={expires}&signature={self._signature(path, expires)}"

    def _signature(self, path: str, expires: int) -> str:
        return hmac.new(self._secret, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()

    def answer(self, raw_path: str, query: str) -> tuple[int, bytes]:
        """Status and body for a GET: 403 without a valid signature that has not expired, 404 for no such object."""
        path = unquote(raw_path)
        fields = parse_qs(query)
        try:
            expires = int(fields["expires"][0])
            given = fields["signature"][0]
        except (KeyError, ValueError):
            return 403, _error("AccessDenied", "Access Denied")
        if not hmac.compare_digest(given.encode(), self._signature(path, expires).encode()):
            return 403, _error("SignatureDoesNotMatch", "The request signature does not match")
        if self._clock.now().timestamp() >= expires:
            return 403, _error("AccessDenied", "Request has expired")
        bucket, _, key = path.lstrip("/").partition("/")
        try:
            return 200, self.bucket(bucket).get(key)
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError, ValueError):
            return 404, _error("NoSuchKey", "The specified key does not exist.")


def _error(code: str, message: str) -> bytes:
    head = '<?xml version="1.0" encoding="UTF-8"?>'
    return f"{head}\n<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


class BucketServer:
    """Serves an ``ObjectStore`` on a loopback port. Only GET and HEAD: everything else is written in process."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._runner: web.ServerRunner | None = None

    async def start(self, port: int = 0) -> str:
        """Listen, on ``port`` if it is free, and return the base URL, which is also set on the store."""
        from aiohttp import web

        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None))
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, HOST, port).start()
        except OSError:
            await web.TCPSite(self._runner, HOST, 0).start()
        bound = self._runner.addresses[0][1]
        self._store.base_url = f"http://{HOST}:{bound}"
        return self._store.base_url

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        from aiohttp import web

        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, body=_error("MethodNotAllowed", "Only GET is served here"))
        outage, path = self._store.outage, request.rel_url.raw_path
        if outage.late:
            await asyncio.sleep(outage.late)
        if outage.refused(path.lstrip("/").partition("/")[0]):
            assert request.transport is not None
            request.transport.abort()
            return web.Response(status=503)
        status, body = self._store.answer(path, request.rel_url.raw_query_string)
        if outage.share < 1 and status == 200:
            return await self._part(request, body, int(len(body) * outage.share))
        kind = "application/octet-stream" if status == 200 else "application/xml"
        return web.Response(status=status, body=body, content_type=kind)

    @staticmethod
    async def _part(request: web.BaseRequest, body: bytes, size: int) -> web.Response:
        """Promise the whole, send a part, break."""
        from aiohttp import web

        whole = web.StreamResponse(headers={"content-length": str(len(body))})
        await whole.prepare(request)
        await whole.write(body[:size])
        if request.transport is not None:
            request.transport.close()
        return web.Response()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
