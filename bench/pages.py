"""A server that replays recorded pages of 10 000 Velero Backups: constant work, so that only the client is measured."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.servers import served

PAGE = 500


def backup(number: int) -> dict[str, object]:
    """A Backup as Velero writes it, about 3.8 KB: managedFields, hooks and a status with progress."""
    name = f"daily-{20250101000000 + number}"
    managed = [
        {
            "manager": "velero-server",
            "operation": "Update",
            "apiVersion": "velero.io/v1",
            "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {f"f:field{n}": {"f:part": {}, "f:other": {}} for n in range(40)},
        }
    ]
    hook = {
        "name": "quiesce",
        "includedNamespaces": ["shop"],
        "pre": [{"exec": {"container": "db", "command": ["/bin/true"], "onError": "Fail", "timeout": "30s"}}],
    }
    status = {
        "phase": "Completed",
        "startTimestamp": "2026-01-01T02:00:00Z",
        "expiration": "2026-02-01T02:00:00Z",
        "completionTimestamp": "2026-01-01T02:03:00Z",
        "progress": {"totalItems": 120, "itemsBackedUp": 120},
        "formatVersion": "1.1.0",
        "version": 1,
    }
    return {
        "apiVersion": "velero.io/v1",
        "kind": "Backup",
        "metadata": {
            "name": name,
            "namespace": "velero",
            "uid": f"00000000-0000-4000-8000-{number:012d}",
            "resourceVersion": str(number + 1),
            "creationTimestamp": "2026-01-01T02:00:00Z",
            "generation": 7,
            "labels": {"velero.io/schedule-name": "daily", "velero.io/storage-location": "default"},
            "managedFields": managed,
        },
        "spec": {
            "includedNamespaces": ["shop"],
            "storageLocation": "default",
            "ttl": "720h0m0s",
            "hooks": {"resources": [hook] * 4},
        },
        "status": status,
    }


def pages(count: int) -> list[bytes]:
    """Whole list answers of ``PAGE`` items; the continue token is the index of the next page."""
    items = [json.dumps(backup(n)) for n in range(count)]
    answers = []
    for start in range(0, count, PAGE):
        more = start + PAGE < count
        meta = {"resourceVersion": str(count + 1)} | ({"continue": str(start // PAGE + 1)} if more else {})
        head = f'{{"apiVersion":"velero.io/v1","kind":"BackupList","metadata":{json.dumps(meta)},"items":['
        answers.append((head + ",".join(items[start : start + PAGE]) + "]}").encode())
    return answers


async def serve(count: int) -> None:
    from aiohttp import web

    recorded = pages(count)

    async def answer(request: web.BaseRequest) -> web.Response:
        index = int(request.query.get("continue") or 0)
        return web.Response(body=recorded[index], content_type="application/json")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)  # type: ignore[union-attr]
    await asyncio.Event().wait()


@contextmanager
def page_server(count: int) -> Iterator[str]:
    """The URL of a page server in a process of its own."""
    with served("bench.pages", str(count)) as port:
        yield f"http://127.0.0.1:{int(port)}"


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
