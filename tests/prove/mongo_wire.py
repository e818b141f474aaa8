"""A MongoDB at the level of its wire: enough of OP_MSG and of the first OP_QUERY for a driver to read from it.

It is no MongoDB: it holds a dictionary, filters by equality, and its hashes are its own. What it shows is that Lazarus
asks what it says it asks, reads only, and tells apart what can be answered.
"""

from __future__ import annotations

import asyncio
import hashlib
import struct
from datetime import datetime
from typing import Any

import bson

_OP_REPLY, _OP_QUERY, _OP_MSG = 1, 2004, 2013
_READS = frozenset({
    "hello", "ismaster", "ping", "find", "aggregate", "count", "dbStats", "dbHash", "replSetGetStatus",
    "listCollections", "endSessions", "buildInfo",
})  # fmt: skip


class MongoWire:
    """``collections`` hold documents; ``fails`` answers a command with an error code; ``asked`` are all commands."""

    def __init__(self) -> None:
        self.collections: dict[str, list[dict[str, Any]]] = {}
        self.primary = True
        self.members: list[dict[str, Any]] = []
        self.fails: dict[str, int] = {}
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            length, number, _, opcode = struct.unpack("<iiii", await reader.readexactly(16))
            body = await reader.readexactly(length - 16)
            writer.write(self._message(number, opcode, body))
            await writer.drain()

    def _message(self, number: int, opcode: int, body: bytes) -> bytes:
        if opcode == _OP_QUERY:
            at = body.index(b"\0", 4) + 9
            answer = bson.encode(self._answer(bson.decode(body[at:])))
            reply, kind = struct.pack("<iqii", 8, 0, 0, 1) + answer, _OP_REPLY
        else:
            assert opcode == _OP_MSG
            assert body[4] == 0, "no command of a reader has document sequences"
            reply, kind = b"\0\0\0\0\0" + bson.encode(self._answer(bson.decode(body[5:]))), _OP_MSG
        return struct.pack("<iiii", len(reply) + 16, 1, number, kind) + reply

    def _answer(self, command: dict[str, Any]) -> dict[str, Any]:
        name = next(iter(command))
        self.asked.append(name)
        if name not in _READS:
            return {"ok": 0, "code": 13, "codeName": "Unauthorized", "errmsg": f"{name} is no reading"}
        if name in self.fails:
            return {"ok": 0, "code": self.fails[name], "errmsg": "secret-in-the-words"}
        return {**getattr(self, f"_{name.lower()}", lambda _: {})(command), "ok": 1.0}

    def _hello(self, command: dict[str, Any]) -> dict[str, Any]:
        limits = {"maxBsonObjectSize": 16777216, "maxMessageSizeBytes": 48000000, "maxWriteBatchSize": 100000}
        own = {"setName": "rs0", "secondary": not self.primary, "hosts": ["db.production:27017"], "me": "db:27017"}
        return {"isWritablePrimary": self.primary, "ismaster": self.primary, "helloOk": True, "minWireVersion": 0,
                "maxWireVersion": 21, **limits, **own}  # fmt: skip

    _ismaster = _hello

    def _dbstats(self, command: dict[str, Any]) -> dict[str, Any]:
        objects = sum(len(one) for one in self.collections.values())
        return {"collections": len(self.collections), "objects": objects, "indexes": len(self.collections)}

    def _listcollections(self, command: dict[str, Any]) -> dict[str, Any]:
        wanted = command.get("filter", {}).get("name")
        names = [name for name in self.collections if wanted in (None, name)]
        return _cursor("$cmd.listCollections", [{"name": name, "type": "collection"} for name in names])

    def _aggregate(self, command: dict[str, Any]) -> dict[str, Any]:
        """A pipeline that counts what a filter finds."""
        match = next((stage["$match"] for stage in command["pipeline"] if "$match" in stage), {})
        found = _matching(self.collections.get(command["aggregate"], []), match)
        return _cursor(command["aggregate"], [{"_id": 1, "n": len(found)}] if found else [])

    def _find(self, command: dict[str, Any]) -> dict[str, Any]:
        found = [
            one for one in self.collections.get(command["find"], []) if all(key in one for key in command["filter"])
        ]
        for key, way in command.get("sort", {}).items():
            found.sort(key=lambda one: one[key], reverse=way < 0)
        return _cursor(command["find"], found[: command.get("limit") or None])

    def _dbhash(self, command: dict[str, Any]) -> dict[str, Any]:
        hashes = {
            name: hashlib.md5(bson.encode({"all": self.collections[name]})).hexdigest()
            for name in command["collections"]
            if name in self.collections
        }
        return {"collections": hashes}

    def _replsetgetstatus(self, command: dict[str, Any]) -> dict[str, Any]:
        return {"set": "rs0", "members": self.members}

    def member(self, at: datetime, *, own: bool = False) -> None:
        self.members.append({"name": f"m{len(self.members)}", "optimeDate": at, **({"self": True} if own else {})})


def _cursor(name: str, batch: list[dict[str, Any]]) -> dict[str, Any]:
    return {"cursor": {"id": bson.Int64(0), "ns": f"app.{name}", "firstBatch": batch}}


def _matching(documents: list[dict[str, Any]], wanted: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in documents if all(one.get(key) == value for key, value in wanted.items())]
