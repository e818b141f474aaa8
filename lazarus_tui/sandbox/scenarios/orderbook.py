"""A year of orders for the shop's history: the same ones every time, denser towards the present.

The table and the chain of checksums are those of the shop's own program (dataplane/images/orders.py).
"""

from __future__ import annotations

import hashlib
import sqlite3
from bisect import bisect_right
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

_ORDERS = 1500
_SPAN = timedelta(days=370)
_ITEMS = ("lamp", "candle", "linen", "oil", "stone", "spade")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, item TEXT NOT NULL, chain TEXT NOT NULL
)
"""
FILE = "orders.db"


class OrderBook:
    """All orders up to ``now``; ``write`` makes the file as it was at an earlier moment."""

    def __init__(self, now: datetime) -> None:
        self._moments = [now - _SPAN * (1 - number / _ORDERS) ** 3 for number in range(1, _ORDERS)]

    @cached_property
    def _rows(self) -> list[tuple[int, str, str, str]]:
        rows, chain = [], ""
        for number, moment in enumerate(self._moments, start=1):
            at = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            item = _ITEMS[number % len(_ITEMS)]
            chain = hashlib.sha256(f"{chain}|{number}|{at}|{item}".encode()).hexdigest()
            rows.append((number, at, item, chain))
        return rows

    def count(self, moment: datetime) -> int:
        """Orders placed until ``moment``."""
        return bisect_right(self._moments, moment)

    def write(self, folder: Path, orders: int) -> None:
        """The first ``orders`` orders as a database in ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / FILE
        path.unlink(missing_ok=True)
        db = sqlite3.connect(path, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode=MEMORY")
            db.execute("PRAGMA synchronous=OFF")
            db.execute("BEGIN")
            db.execute(_SCHEMA)
            db.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", self._rows[:orders])
            db.execute("COMMIT")
        finally:
            db.close()
