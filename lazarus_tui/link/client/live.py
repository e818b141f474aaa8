"""The console's client: many calls under way on one connection, answers matched by id."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from lazarus_tui.link.client.greeting import greeting
from lazarus_tui.link.codec import BadLine, LinkFault, LinkLost, decode_answer, encode_call
from lazarus_tui.link.protocol import MAX_LINE, Answer, Hello
from lazarus_tui.model.clock import listened

T = TypeVar("T")


class Client:
    """One connection to the engine; ``lost`` is done when it is gone, and every later call raises ``LinkLost``."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._last = 0
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._why = ""
        self.lost = asyncio.Event()
        self.hello: Hello
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, path: Path | str, *, kubeconfig: str | None = None, timeout: float = 10.0) -> Client:
        """Connect and say hello; raises ``LinkLost`` when nobody listens, ``LinkFault`` when the engine refuses.

        ``timeout``: seconds for which it is listened for each; those for which this process is held up do not count.
        """
        try:
            reader, writer = await listened(timeout, asyncio.open_unix_connection(str(path), limit=MAX_LINE))
        except OSError as error:
            raise LinkLost(f"no engine listens at {path}: {error}") from error
        client = cls(reader, writer)
        try:
            client.hello = await listened(timeout, client.call("hello", greeting(kubeconfig), Hello, timeout=None))
        except TimeoutError:
            await client.close()
            raise LinkLost(f"the engine did not answer hello within {timeout:.0f} s") from None
        except BaseException:
            await client.close()
            raise
        return client

    async def call(self, method: str, params: dict[str, Any], type: type[T], *, timeout: float | None = 60.0) -> T:
        """Ask and decode; raises ``LinkFault`` or ``LinkLost`` (also after ``timeout`` seconds without an answer)."""
        raw = await self.raw(method, params, timeout=timeout)
        try:
            return msgspec.json.decode(raw, type=type)
        except msgspec.MsgspecError as error:
            raise LinkLost(f"the engine's answer to {method} is not understood: {error}") from None

    async def raw(self, method: str, params: dict[str, Any], *, timeout: float | None = 60.0) -> msgspec.Raw:
        """The answer's JSON."""
        if self.lost.is_set():
            raise LinkLost(self._why)
        self._last += 1
        number = self._last
        answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answered
        try:
            async with asyncio.timeout(timeout):
                self._writer.write(encode_call(number, method, params))
                await self._writer.drain()
                answer = await answered
        except TimeoutError:
            raise LinkLost(f"the engine did not answer {method} within {timeout:.0f} s") from None
        except OSError as error:
            raise LinkLost(f"the engine closed the connection: {error}") from error
        finally:
            self._waiting.pop(number, None)
        if answer.fault is not None:
            raise LinkFault(answer.fault)
        return answer.result

    async def _read(self) -> None:
        why = "the engine went away"
        try:
            while line := await self._reader.readline():
                answer = decode_answer(line)
                waiting = self._waiting.get(answer.id)
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        except BadLine as error:
            why = f"not an engine of Lazarus: {error}"
        except (OSError, ValueError) as error:
            why = f"the link broke: {error}"
        finally:
            self._lose(why)

    def _lose(self, why: str) -> None:
        if self.lost.is_set():
            return
        self._why = why
        self.lost.set()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(LinkLost(why))
        self._writer.close()

    async def close(self) -> None:
        """Close; calls under way raise ``LinkLost``. Whoever is cancelled while it waits here stays cancelled."""
        self._lose("the link was closed")
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
