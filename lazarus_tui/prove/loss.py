"""What a restored copy lacks, by count: the records its original holds, against those that came back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from lazarus_tui.model.operation import Figures
from lazarus_tui.model.steps import StepContext
from lazarus_tui.prove.checks.watermark import NotReadable, read_ids
from lazarus_tui.prove.wanted_data import WatermarkCheck

UNCOUNTED = "unknown: nobody counted the orders before the restore"


async def count(context: StepContext, mark: WatermarkCheck, sources: Mapping[str, str], until: datetime) -> Figures:
    """Orders in the original at ``until`` that the copy beside it lacks; a copy in its place can not be compared."""
    source = sources.get(mark.namespace, mark.namespace)
    if not mark.ids_path:
        return Figures()
    if source == mark.namespace:
        return Figures(lost_definition=UNCOUNTED)
    try:
        original = await read_ids(context.reader, context.clock, msgspec.structs.replace(mark, namespace=source), until)
        restored = await read_ids(context.reader, context.clock, mark, until)
    except NotReadable as error:
        return Figures(lost_definition=f"unknown: {error}")
    words = f"in {source} at the restore's request (T4), not in {mark.namespace}"
    return Figures(
        orders_at_loss=len(original),
        orders_restored=len(restored & original),
        orders_lost=len(original - restored),
        lost_definition=words,
    )
