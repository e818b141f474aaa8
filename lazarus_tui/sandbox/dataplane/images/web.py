"""The shop's front: one page with the number of orders, asked from the order book."""

from __future__ import annotations

import json

from wire import ask, peer, serve  # type: ignore[import-not-found]

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Shop</title></head>
<body><h1>Shop</h1><p>Orders: <b>{orders}</b></p><p>Newest: {last_at}</p></body></html>
"""


def handle(method: str, path: str, body: bytes) -> tuple[int, str, bytes]:
    if path == "/healthz":
        return 200, "text/plain", b"ok"
    if path != "/":
        return 404, "text/plain", b"not found\n"
    try:
        status, answer = ask("GET", peer("ORDERS", "http://orders:8080"), "/stats")
        stats = json.loads(answer) if status == 200 else None
    except (OSError, ValueError):
        stats = None
    if stats is None:
        return (
            503,
            "text/html; charset=utf-8",
            b"<!doctype html><title>Shop</title><p>The order book does not answer.</p>\n",
        )
    return 200, "text/html; charset=utf-8", _PAGE.format(**stats).encode()


if __name__ == "__main__":
    serve(8080, handle)
