"""Taking an operation back, taking it over, or closing it as it stands: that is read first, and the name is typed."""

from __future__ import annotations

from collections.abc import Sequence

from lazarus_tui.model.operation import Operation, OpState
from lazarus_tui.view import plans
from lazarus_tui.view.text import Line
from screens.approval import Approval


class UndoScreen(Approval):
    """Dismissed with the operation as it is being undone, or None."""

    mode = "undo"
    shown_mode = "operations"
    word = "Take it back"

    def __init__(self, operation: Operation) -> None:
        # What stands still may have been in use since; the engine asks for the name too.
        target = "" if operation.state in (OpState.RUNNING, OpState.UNDOING) else operation.target
        super().__init__(target, operation.title)
        self._operation = operation
        self.trail = (operation.id, "take back")

    def card(self, width: int) -> Sequence[Line]:
        return plans.undo_card(self._operation, self.host.now(), width)

    async def approve(self, confirm: str) -> Operation:
        params = {"id": self._operation.id, "confirm": confirm}
        return await self.host.source.call("operation.undo", params, Operation)


class CloseScreen(Approval):
    """Dismissed with the operation as it was closed, or None."""

    mode = "undo"
    shown_mode = "operations"
    word = "Close it"

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation.target, operation.title)
        self._operation = operation
        self.trail = (operation.id, "close")

    def card(self, width: int) -> Sequence[Line]:
        return plans.close_card(self._operation, self.host.now(), width)

    async def approve(self, confirm: str) -> Operation:
        params = {"id": self._operation.id, "confirm": confirm}
        return await self.host.source.call("operation.close", params, Operation)


class TakeOverScreen(Approval):
    """Dismissed with the operation as it goes on here, or None."""

    mode = "undo"
    shown_mode = "operations"
    word = "Take it over"

    def __init__(self, operation: Operation) -> None:
        super().__init__(operation.target, operation.title)
        self._operation = operation
        self.trail = (operation.id, "take over")

    def card(self, width: int) -> Sequence[Line]:
        return plans.take_over_card(self._operation, self.host.now(), width)

    async def approve(self, confirm: str) -> Operation:
        params = {"id": self._operation.id, "confirm": confirm}
        return await self.host.source.call("operation.resume", params, Operation)
