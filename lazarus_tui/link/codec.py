"""Lines of the link: one JSON object each, decoded into the messages of ``protocol``; no I/O here.

Both ends import this module, so it needs nothing but msgspec: a command's start time depends on it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lazarus_tui.link.protocol import Answer, Call, Fault

# What a client may send in one line: a plan with thousands of effects is well below it.
MAX_CALL = 4 * 1024 * 1024

_call_decoder = msgspec.json.Decoder(Call)
_answer_decoder = msgspec.json.Decoder(Answer)
_encoder = msgspec.json.Encoder()


class LinkFault(Exception):
    """The engine refused or failed a call; ``fault`` says what, where and what to do next."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.what)
        self.fault = fault


class LinkLost(Exception):
    """Nobody listens, the engine went away, or it stopped answering. What it was asked may or may not be done."""


class BadLine(ValueError):
    """A line that is no message of the protocol. ``id`` is the call's number when it could be read."""

    def __init__(self, what: str, id: int = -1) -> None:
        super().__init__(what)
        self.id = id


class _Numbered(msgspec.Struct):
    id: int = -1


def encode_call(id: int, method: str, params: dict[str, Any]) -> bytes:
    return _encoder.encode(Call(id, method, params)) + b"\n"


def decode_call(line: bytes) -> Call:
    """The call in ``line``; raises ``BadLine`` for anything else, with the call's id if that much is readable."""
    try:
        return _call_decoder.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadLine(f"not a call: {str(error)[:200]}", _number(line)) from None


def _number(line: bytes) -> int:
    try:
        return msgspec.json.decode(line, type=_Numbered).id
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return -1


def answer_parts(id: int, result: bytes) -> list[bytes]:
    """The pieces of an answer line; ``result`` is JSON already and is not copied here."""
    return [b'{"id":%d,"result":' % id, result, b"}\n"]


def encode_fault(id: int, fault: Fault) -> bytes:
    return _encoder.encode(Answer(id, fault=fault)) + b"\n"


def decode_answer(line: bytes) -> Answer:
    """The answer in ``line``; raises ``BadLine`` for anything else."""
    try:
        return _answer_decoder.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadLine(f"not an answer: {str(error)[:200]}") from None


def encode(value: object) -> bytes:
    """JSON of any record or plain value; text that is not Unicode (lone surrogates) is replaced, not an error."""
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_printable(msgspec.to_builtins(value)))


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {_printable(key): _printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(item) for item in value]
    return value
