"""Places an order every second and never gives up, so that what a loss costs can be counted."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time

from wire import ask, peer, say  # type: ignore[import-not-found]

_ITEMS = ("lamp", "candle", "linen", "oil", "stone", "spade")


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    period = float(os.environ.get("PERIOD_SECONDS", "1"))
    placed = 0
    away = ""
    reported = time.monotonic()
    due = time.monotonic()
    while True:
        try:
            item = json.dumps({"item": _ITEMS[placed % len(_ITEMS)]}).encode()
            status, answer = ask("POST", peer("ORDERS", "http://orders:8080"), "/orders", item)
            trouble = "" if status == 201 else f"answered {status}"
        except (OSError, ValueError) as fault:
            trouble = str(fault) or type(fault).__name__
        if not trouble:
            placed += 1
        if bool(trouble) != bool(away) or (placed == 1 and not trouble):
            say(f"orders is away: {trouble}" if trouble else f"order {json.loads(answer)['id']} placed")
        if time.monotonic() - reported >= 60:
            reported = time.monotonic()
            say(f"{placed} orders placed" + (f"; orders is away: {trouble}" if trouble else ""))
        away = trouble
        due = max(due + period, time.monotonic())
        stop.wait(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
