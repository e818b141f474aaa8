"""300 kill -9 of the sandbox's server while eight clients write: what was acknowledged is there afterwards.

Each life is a process of its own with the whole sandbox in it (API server over TLS, controllers, state file), forked
from one that has imported it all, so that three hundred lives fit into a minute or two. Every client owns its objects:
it counts one up, and makes and deletes others. What it was told has happened must hold in the next life; of the one
write that was under way when the server died either outcome is right.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from bench.rows import Row, below
from bench.server_client import Address, Connection
from bench.servers import served

KILLS, CLIENTS = 300, 8
TOKEN = "bench"
CM = "/api/v1/namespaces/default/configmaps"
JSON, MERGE = "application/json", "application/merge-patch+json"
# Seconds of writing before a kill: from before the first commit to some hundred of them.
SHORTEST, LONGEST = 0.0, 0.12


def rows(kills: int = KILLS) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="lzb") as folder, served("bench.server_lives", folder) as port:
        found = asyncio.run(run(int(port), Path(folder), kills))
    return [
        below(f"{kills} kill -9 while writing, acknowledged writes lost", found.lost, 0, "writes"),
        Row(f"{kills} kill -9 while writing, writes acknowledged", found.acknowledged, "writes", None, "", None),
    ]


@dataclass
class Count:
    acknowledged: int = 0
    lost: int = 0


@dataclass
class Lane:
    """One client's objects: the counter as it was acknowledged, and the names that must be there."""

    number: int
    counted: int = 0
    trying: int = 0
    there: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    made: int = 0

    @property
    def counter(self) -> str:
        return f"counter-{self.number}"

    async def write(self, connection: Connection, count: Count) -> None:
        """One write after the other, until the connection breaks."""
        while True:
            self.trying = self.counted + 1
            change = json.dumps({"data": {"n": str(self.trying)}}).encode()
            await self._told(connection, "PATCH", f"{CM}/{self.counter}", change, MERGE, 200)
            self.counted = self.trying
            self.made += 1
            name = f"object-{self.number}-{self.made}"
            self.unsure.add(name)
            body = json.dumps({"metadata": {"name": name}}).encode()
            await self._told(connection, "POST", CM, body, JSON, 201)
            self.unsure.discard(name)
            self.there.add(name)
            count.acknowledged += 2
            if len(self.there) > 3:
                old = self.there.pop()
                self.unsure.add(old)
                await self._told(connection, "DELETE", f"{CM}/{old}", b"", "", 200)
                self.unsure.discard(old)
                count.acknowledged += 1

    @staticmethod
    async def _told(connection: Connection, method: str, path: str, body: bytes, kind: str, wanted: int) -> None:
        status, answer = await connection.ask(method, path, body, kind)
        if status != wanted:
            raise RuntimeError(f"{method} {path}: {status} {answer[:200]!r}")

    def lost(self, found: dict[str, str]) -> int:
        """How much of what was acknowledged is not so; afterwards what was found is the truth."""
        kept = int(found.get(self.counter, "-1"))
        mine = {name for name in found if name.startswith(f"object-{self.number}-")}
        wrong = (kept not in (self.counted, self.trying)) + len((mine ^ self.there) - self.unsure)
        self.counted, self.there, self.unsure = kept, mine, set()
        return wrong


async def run(control: int, folder: Path, kills: int) -> Count:
    rng, count = random.Random(300), Count()
    reader, writer = await asyncio.open_connection("127.0.0.1", control)
    lanes = [Lane(number) for number in range(CLIENTS)]
    for life in range(kills + 1):
        writer.write(b"live\n")
        pid, port = (int(part) for part in (await reader.readline()).split())
        address = Address("127.0.0.1", port, (folder / "ca.pem").read_bytes(), TOKEN)
        connections = [await Connection.open(address) for _ in lanes]
        if life == 0:
            for lane in lanes:
                body = json.dumps({"metadata": {"name": lane.counter}, "data": {"n": "0"}}).encode()
                await Lane._told(connections[0], "POST", CM, body, JSON, 201)
        else:
            _, answer = await connections[0].ask("GET", CM)
            found = {
                item["metadata"]["name"]: item.get("data", {}).get("n", "") for item in json.loads(answer)["items"]
            }
            count.lost += sum(lane.lost(found) for lane in lanes)
        writing = [asyncio.ensure_future(one.write(way, count)) for one, way in zip(lanes, connections, strict=True)]
        await asyncio.sleep(rng.uniform(SHORTEST, LONGEST))
        os.kill(pid, signal.SIGKILL)
        for error in await asyncio.gather(*writing, return_exceptions=True):
            if not isinstance(error, OSError | EOFError):
                raise RuntimeError("a client ended otherwise than by the kill") from error
        await asyncio.gather(*(connection.close() for connection in connections))
    writer.close()
    return count


if __name__ == "__main__":
    print(*(row.as_dict() for row in rows(int(sys.argv[1]))), sep="\n")
