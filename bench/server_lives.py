"""Lives of one sandbox: for each line that comes in, a fork of this process serves the same state file until killed.

Prints the port of its control connection; answers each line with the pid and the port of the next life.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

from lazarus_tui.model.clock import SystemClock
from lazarus_tui.sandbox.api import http
from lazarus_tui.sandbox.api.persist import Persistence
from lazarus_tui.sandbox.api.store import Store
from lazarus_tui.sandbox.cluster import SandboxCluster


async def live(root: Path, tell: int) -> None:
    keeper = Persistence.open(root / "cluster.db")
    store = Store(keeper=keeper)
    keeper.load(store)
    keeper.start()
    cluster = SandboxCluster(root, SystemClock(), token="bench", shop=False, serve_bucket=False, store=store)
    await cluster.start()
    serving = await http.serve(cluster.server, root / "pki")
    (root / "ca.pem").write_bytes(serving.ca_pem)
    os.write(tell, f"{os.getpid()} {serving.url.rpartition(':')[2]}\n".encode())
    await asyncio.Event().wait()


def main(root: Path) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        control, _ = listener.accept()
    with control, control.makefile("rb") as lines:
        for _ in lines:
            reading, telling = os.pipe()
            if os.fork() == 0:
                os.close(reading)
                asyncio.run(live(root, telling))
                os._exit(0)
            os.close(telling)
            with open(reading, "rb") as told:
                control.sendall(told.readline())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
