"""An engine's end of the link with made-up topics at a chosen rate: what the console's figures are measured against.

``python -m bench.feeder SOCKET EVENTS_PER_SECOND BACKUPS`` serves until it is ended. The hub and the server are the
product's own; only the source of the records is not.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import msgspec

from bench.pages import backup
from lazarus_tui import __version__
from lazarus_tui.engine.heartbeat import Heartbeat
from lazarus_tui.engine.hub import Hub
from lazarus_tui.link.protocol import PROTOCOL, Hello
from lazarus_tui.link.server import LinkServer, Peer
from lazarus_tui.model.clock import SystemClock, rfc3339
from lazarus_tui.model.objects import Backup
from lazarus_tui.model.operation import Operation, OpState, StageProgress, StepState, StepView
from lazarus_tui.model.topics import ContextRow, LogLine, PointView, WorkloadRow

CONTEXT = "bench"


class Feeder:
    """Answers the calls a console makes and keeps the topics moving."""

    def __init__(self, backups: int) -> None:
        self.clock = SystemClock()
        self.hub = Hub(self.clock)
        self.heartbeat = Heartbeat()
        self.started = rfc3339(self.clock.now())
        self.row = ContextRow(
            name=CONTEXT,
            cluster=CONTEXT,
            server="https://127.0.0.1:6443",
            state="ready",
            cluster_uid="c0ffee00",
            current=True,
            velero=("velero",),
            velero_namespace="velero",
            velero_version="v1.18.2",
            write_until="always",
        )
        self._fill(backups)

    def _fill(self, backups: int) -> None:
        point = PointView(name="daily-1", kind="Velero backup", start=self.started, usable=True)
        workload = WorkloadRow(namespace="shop", kind="StatefulSet", name="orders", ready=1, desired=1, newest=point)
        self.publish("contexts", {CONTEXT: self.row})
        self.publish(f"overview/{CONTEXT}", {"orders": workload})
        decode = msgspec.json.Decoder(Backup).decode
        made = (decode(msgspec.json.encode(backup(n))) for n in range(backups))
        self.publish(f"backups/{CONTEXT}", {b.metadata.name: b for b in made})
        for name in ("schedules", "restores", "locations", "copies"):
            self.publish(f"{name}/{CONTEXT}", {})
        self.publish("operations", {"op1": self.operation(0)})
        self.publish("oplog/op1", {"1": LogLine(1, self.started, "started")})

    def publish(self, topic: str, records: dict[str, Any]) -> None:
        self.hub.publish(topic, records)
        self.hub.set_state(topic, "ready", as_of=self.started)

    def operation(self, n: int) -> Operation:
        bars = (
            StageProgress("items", min(n // 10, 900), 900, "items"),
            StageProgress("volumes", n * 4096, 1 << 30, "bytes"),
        )
        steps = (
            StepView(name="create", title="Create the Restore", state=StepState.DONE, mutates=True, seconds=0.2),
            StepView(
                name="volumes",
                title="Wait for the volumes",
                state=StepState.RUNNING,
                progress=bars,
                detail=f"event {n}",
            ),
            StepView(name="checks", title="Check the workloads", state=StepState.PLANNED),
        )
        return Operation(
            id="op1",
            kind="velero.restore",
            context=CONTEXT,
            target="shop",
            title="Restore shop from daily-1",
            state=OpState.RUNNING,
            plan_digest="d",
            started=self.started,
            changed=rfc3339(self.clock.now()),
            steps=steps,
        )

    async def storm(self, per_second: int) -> None:
        """``per_second`` progress events, in bursts as an event loop delivers them."""
        n = 0
        while per_second:
            burst = max(1, per_second // 50)
            for _ in range(burst):
                n += 1
                self.hub.publish("operations", {"op1": self.operation(n)})
            await asyncio.sleep(burst / per_second)

    async def answer(self, peer: Peer, method: str, params: dict[str, Any]) -> bytes:
        if method == "hello":
            peer.greeted = True
            hello = Hello(
                protocol=PROTOCOL,
                version=__version__,
                pid=os.getpid(),
                started=self.started,
                state_root="",
                sandbox=False,
            )
            return msgspec.json.encode(hello)
        if method == "pull":
            return await self.hub.pull(params["known"], params["wait"])
        if method == "stats":
            lag = self.heartbeat.worst
            if params.get("reset"):
                self.heartbeat.reset()
            return msgspec.json.encode({"loop_lag_max": lag})
        return msgspec.json.encode(self.row)


async def main(path: str, per_second: int, backups: int) -> None:
    feeder = Feeder(backups)
    server = LinkServer(Path(path), feeder)
    await server.start()
    print("ready", flush=True)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(feeder.heartbeat.run())
        tasks.create_task(feeder.storm(per_second))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
