"""The private endpoint: GET lists, POST adds, DELETE clears (``?id=`` one, else all)."""

from __future__ import annotations

from typing import Any

import msgspec

from lazarus_tui.model.http import HttpRequest
from lazarus_tui.sandbox.api.answers import Answer, json_answer
from lazarus_tui.sandbox.api.errors import ApiError, bad_request, method_not_allowed
from lazarus_tui.sandbox.faults.faults import Faults
from lazarus_tui.sandbox.faults.model import FaultRefused, Match, Told, Wanted
from lazarus_tui.sandbox.faults.parameters import meant


class Endpoint:
    """Every answer is a ``Told``, or a Status with one sentence."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    async def __call__(self, request: HttpRequest) -> Answer:
        try:
            return json_answer(await self._told(request))
        except FaultRefused as error:
            raise ApiError(422, "Invalid", str(error)) from None

    async def _told(self, request: HttpRequest) -> Told:
        if request.method == "GET":
            return Told(self._faults.active(), list(self._faults.log), self._faults.dropped)
        if request.method == "POST":
            return Told([await self._faults.add(wanted_of(request.body))])
        if request.method == "DELETE":
            return Told(await self._faults.clear(dict(request.query).get("id", "")))
        raise method_not_allowed()


def wanted_of(body: bytes) -> Wanted:
    """The fault that a body asks for; raises ``FaultRefused`` or ``ApiError`` 400."""
    try:
        raw: Any = msgspec.json.decode(body)
        if not isinstance(raw, dict):
            raise bad_request("a fault is a JSON object")
        _known(raw, Wanted, "a fault")
        _known(raw.get("match"), Match, "match")
        return msgspec.convert(raw, Wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise bad_request(f"this is not a fault: {error}") from None


def _known(raw: Any, struct: type[msgspec.Struct], what: str) -> None:
    fields = struct.__struct_encode_fields__
    for name in raw if isinstance(raw, dict) else ():
        if name not in fields:
            raise FaultRefused(f"{what} has no field {name!r}{meant(str(name), fields)}")
