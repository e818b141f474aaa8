"""An operation that stops and waits for a person says so in the cluster too, where its subject knows how."""

from __future__ import annotations

import asyncio
import logging

from lazarus_tui.engine.errors import GateClosed, StopAsked
from lazarus_tui.journal import JournalError
from lazarus_tui.kube.errors import KubeError
from lazarus_tui.model.steps import OperationType, StepContext, StepStopped

log = logging.getLogger(__name__)

# Seconds it may take: parking comes first for whoever waits at a screen.
_PATIENCE = 10.0


async def tell(stop: StepStopped | JournalError, kind: OperationType, context: StepContext | None) -> None:
    """Best effort. Where nothing can be written (a closed gate, a lost journal) it is not tried."""
    closed = isinstance(stop, GateClosed | JournalError) and not isinstance(stop, StopAsked)
    if kind.waits is None or context is None or closed:
        return
    try:
        async with asyncio.timeout(_PATIENCE):
            await kind.waits(context, stop.what)
    except (StepStopped, JournalError, KubeError, OSError, TimeoutError) as error:
        log.info("%s: that it waits could not be told: %s", context.op, error)
