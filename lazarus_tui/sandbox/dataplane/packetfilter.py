"""Socket filters for a pod's way out: the kernel itself drops what a policy refuses, before it answers the SYN.

A connection that is refused therefore neither opens nor fails: it stays unanswered until its caller gives up, which is
what a CNI's dropped packet looks like. The programs are classic BPF (``<linux/filter.h>``), which needs no privilege.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Iterable, Sequence

from lazarus_tui.sandbox.dataplane.policy import EVERYWHERE, Block, Network

# <asm-generic/socket.h>; absent from the socket module.
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
# BPF_LD|W|ABS, BPF_LD|MEM, BPF_ST, BPF_ALU|AND|K, BPF_JMP|JEQ|K, BPF_JMP|JA, BPF_RET|K
_LOAD, _RECALL, _KEEP, _AND, _EQUAL, _JUMP, _RETURN = 0x20, 0x60, 0x02, 0x54, 0x15, 0x05, 0x06
# SKF_NET_OFF, where the IP header begins, and in it the destination.
_DESTINATION = (1 << 32) - 0x100000 + 16
_ALL, _NOTHING = 0xFFFFFFFF, 0
# BPF_MAXINSNS: the kernel takes no longer program.
_MOST = 4096

# Operation, jump if true, jump if false, operand.
Instruction = tuple[int, int, int, int]


def program(known: Iterable[tuple[str, bool]], blocks: Sequence[Block]) -> list[Instruction]:
    """Judges a packet by its destination: ``known`` addresses pass or not as they say, others if a block holds them.

    Of what the blocks say already nothing is repeated, so that most pods that come and go change no program.
    Raises ``ValueError`` when that is more than a filter can say.
    """
    code: list[Instruction] = [(_LOAD, 0, 0, _DESTINATION), (_KEEP, 0, 0, 0)]
    all_pass = EVERYWHERE in blocks
    for address, passes in known:
        if passes == (all_pass or any(block.holds(address) for block in blocks)):
            continue
        code += [
            (_EQUAL, 0, 1, int.from_bytes(socket.inet_aton(address))),
            (_RETURN, 0, 0, _ALL if passes else _NOTHING),
        ]
    for block in blocks:
        if block.range.version == 4:
            code += _block(block)
    code.append((_RETURN, 0, 0, _NOTHING))
    if len(code) > _MOST:
        raise ValueError(f"{len(code)} instructions are more than a socket filter may have")
    return code


def _block(block: Block) -> list[Instruction]:
    """Passes what is in the block; what is not, or is excepted, goes on behind it."""
    passing: list[Instruction] = [(_RETURN, 0, 0, _ALL)]
    for one in block.excepted:
        if one.version == 4:
            passing = [*_compared(one), (_EQUAL, 0, 1, int(one.network_address)), (_JUMP, 0, 0, len(passing)), *passing]
    inside = (_EQUAL, 1, 0, int(block.range.network_address))
    return [*_compared(block.range), inside, (_JUMP, 0, 0, len(passing)), *passing]


def _compared(network: Network) -> list[Instruction]:
    return [(_RECALL, 0, 0, 0), (_AND, 0, 0, int(network.netmask))]


def attach(listener: socket.socket, code: Sequence[Instruction]) -> None:
    """Has the kernel judge what comes to ``listener``; connections that are open already are not touched."""
    data = b"".join(struct.pack("=HBBI", *one) for one in code)
    kept = ctypes.create_string_buffer(data, len(data))
    listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", len(code), ctypes.addressof(kept)))


def detach(listener: socket.socket) -> None:
    """Everything passes again."""
    listener.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, 0)
