"""The shop's order book: HTTP in front of SQLite on the claim. An order is answered with 201 once it is on disk."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import threading
from datetime import UTC, datetime

from wire import say, serve  # type: ignore[import-not-found]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, item TEXT NOT NULL, chain TEXT NOT NULL
)
"""


_EVER = "9999"


class Book:
    """All orders. ``chain`` of an order is sha256(chain before, id, at, item): the newest one vouches for all."""

    def __init__(self, folder: str) -> None:
        os.makedirs(folder, exist_ok=True)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(os.path.join(folder, "orders.db"), check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute(_SCHEMA)

    def add(self, item: str) -> dict[str, object]:
        """The new order, durable."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                row = self._db.execute("SELECT id, chain FROM orders ORDER BY id DESC LIMIT 1").fetchone() or (0, "")
                number = self._next(row[0])
                at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                chain = hashlib.sha256(f"{row[1]}|{number}|{at}|{item}".encode()).hexdigest()
                self._db.execute("INSERT INTO orders VALUES (?, ?, ?, ?)", (number, at, item, chain))
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
        return {"id": number, "at": at}

    def _next(self, newest: int) -> int:
        kept = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'orders'").fetchone()
        return int(max(newest, kept[0] if kept else 0)) + 1

    def stats(self, until: str = _EVER) -> dict[str, object]:
        """What there is of orders placed at ``until`` or before."""
        with self._lock:
            count = self._db.execute("SELECT count(*) FROM orders WHERE at <= ?", (until,)).fetchone()[0]
            newest = self._db.execute(
                "SELECT id, at, chain FROM orders WHERE at <= ? ORDER BY id DESC LIMIT 1", (until,)
            ).fetchone()
        number, at, chain = newest or (0, "", "")
        return {"orders": count, "last_id": number, "last_at": at, "checksum": chain}

    def check(self) -> None:
        """Raises when the file cannot be read."""
        with self._lock:
            self._db.execute("SELECT max(id) FROM orders").fetchone()

    def close(self) -> None:
        """Lets an order that is being written finish, then closes the file."""
        with self._lock:
            self._db.close()

    def ids(self, until: str = _EVER) -> list[int]:
        with self._lock:
            return [row[0] for row in self._db.execute("SELECT id FROM orders WHERE at <= ? ORDER BY id", (until,))]


def main() -> None:
    book = Book(os.environ.get("DATA_DIR", "."))

    def handle(method: str, path: str, body: bytes) -> tuple[int, str, bytes]:
        if path == "/healthz":
            book.check()
            return 200, "text/plain", b"ok"
        if path == "/stats":
            return 200, "application/json", json.dumps(book.stats()).encode()
        if path == "/orders/ids":
            return 200, "application/json", json.dumps(book.ids()).encode()
        if path.startswith("/until/"):
            return _until(book, path)
        if path == "/orders" and method == "POST":
            return 201, "application/json", json.dumps(book.add(_item(body))).encode()
        return 404, "text/plain", b"not found\n"

    say(f"order book open: {json.dumps(book.stats())}")
    try:
        serve(8080, handle)
    finally:
        book.close()


def _until(book: Book, path: str) -> tuple[int, str, bytes]:
    """``/until/<milliseconds since 1970>/stats`` and ``…/ids``: the book as it was at that moment."""
    moment, _, what = path[len("/until/") :].partition("/")
    if not moment.isdigit() or len(moment) > 14 or what not in ("stats", "ids"):
        return 404, "text/plain", b"not found\n"
    until = datetime.fromtimestamp(int(moment) / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    found = book.stats(until) if what == "stats" else book.ids(until)
    return 200, "application/json", json.dumps(found).encode()


def _item(body: bytes) -> str:
    try:
        order = json.loads(body or b"{}")
    except ValueError:
        return ""
    return str(order.get("item", ""))[:200] if isinstance(order, dict) else ""


if __name__ == "__main__":
    main()
