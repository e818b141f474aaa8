"""TCP: whether connections are taken and kept, and what is said on them."""

from __future__ import annotations

import contextlib
import re

from lazarus_tui.model.clock import listened
from lazarus_tui.model.steps import Reader
from lazarus_tui.model.streams import Streams
from lazarus_tui.prove.checks.compare import MATCHED
from lazarus_tui.prove.checks.outcome import Attempt, CouldNot, Found, Wrong, hashed
from lazarus_tui.prove.checks.place import place_of
from lazarus_tui.prove.wanted import TcpCheck


async def look(reader: Reader, check: TcpCheck, attempt: Attempt) -> Found:
    """A forwarded connection stands before the pod's port was tried, so it is kept open until that is known."""
    place = await place_of(
        reader, check.namespace, check.port, service=check.service, pod=check.pod, workload=check.workload
    )
    async with reader.forward(place.namespace, place.pod, place.port) as streams:
        attempt.reached = True
        try:
            heard, ended = await _listen(streams, check)
        except OSError as error:
            raise CouldNot(f"the way there broke: {type(error).__name__}") from None
    where = f"{place.namespace}/{place.pod}:{place.port}"
    evidence = {"place": where, "bytes": len(heard), "sha256": hashed(heard)}
    if check.matches and not _said(check, heard):
        raise Wrong(f"{where} did not say {check.matches!r}", evidence)
    if ended and not check.matches:
        raise Wrong(f"{where} closes the connection at once", evidence)
    return Found(f"{where} takes connections", evidence)


async def _listen(streams: Streams, check: TcpCheck) -> tuple[bytes, bool]:
    """What came, and whether the other side closed."""
    reader, writer = streams
    heard = bytearray()
    if check.send:
        writer.write(check.send.encode())
        await writer.drain()

    async def ended() -> bool:
        while not (check.matches and (len(heard) == MATCHED or _said(check, heard))):
            data = await reader.read(MATCHED)
            if not data:
                return True
            heard.extend(data[: MATCHED - len(heard)])  # of one that says more only whether it stays
        return False

    over = False
    with contextlib.suppress(TimeoutError):
        over = await listened(check.stays, ended())
    return bytes(heard), over or reader.at_eof()  # closed in the moment that the time was up


def _said(check: TcpCheck, heard: bytes | bytearray) -> bool:
    """Silence says nothing, whatever the pattern: a connection that is refused is silent too."""
    return bool(heard) and re.search(check.matches, heard.decode("utf-8", "replace")) is not None
