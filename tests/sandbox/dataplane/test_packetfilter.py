"""Socket filters: a small machine runs the programs, and their answer is compared with plain address arithmetic."""

from __future__ import annotations

import ipaddress
import random

import pytest

from lazarus_tui.sandbox.dataplane.packetfilter import Instruction, program
from lazarus_tui.sandbox.dataplane.policy import EVERYWHERE, Block


def run(code: list[Instruction], destination: str) -> bool:
    """The seven operations the programs use, by their meaning in the kernel."""
    at, kept, value = 0, 0, 0
    while True:
        operation, if_true, if_false, operand = code[at]
        at += 1
        match operation:
            case 0x20:
                assert operand == 0xFFF00000 + 16
                value = int(ipaddress.ip_address(destination))
            case 0x02:
                kept = value
            case 0x60:
                value = kept
            case 0x54:
                value &= operand
            case 0x15:
                at += if_true if value == operand else if_false
            case 0x05:
                at += operand
            case 0x06:
                return operand != 0
            case _:
                raise AssertionError(operation)


def block(cidr: str, *excepted: str) -> Block:
    return Block.of({"cidr": cidr, "except": list(excepted)})


def test_known_addresses_come_first_and_blocks_with_their_exceptions_after() -> None:
    code = program(
        [("127.43.0.1", True), ("10.0.0.9", False)],
        [block("10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"), block("10.2.3.0/24")],
    )
    seen = {
        one: run(code, one)
        for one in ("127.43.0.1", "10.0.0.9", "10.0.0.8", "10.1.2.3", "10.2.2.2", "10.2.3.4", "11.0.0.1")
    }
    assert seen == {
        "127.43.0.1": True,
        "10.0.0.9": False,
        "10.0.0.8": True,
        "10.1.2.3": False,
        "10.2.2.2": False,
        "10.2.3.4": True,  # excepted by one block, held by another: policies only add
        "11.0.0.1": False,
    }


@pytest.mark.parametrize("seed", range(20))
def test_a_program_says_what_the_blocks_say(seed: int) -> None:
    dice = random.Random(seed)

    def network(within: ipaddress.IPv4Network, least: int) -> ipaddress.IPv4Network:
        length = dice.randint(least, 30)
        start = int(within.network_address) + dice.randrange(within.num_addresses)
        return ipaddress.ip_network((start, length), strict=False)

    world = ipaddress.ip_network("10.0.0.0/16")
    blocks = []
    for _ in range(dice.randint(0, 6)):
        outer = ipaddress.ip_network(network(world, 17).network_address).supernet(new_prefix=dice.randint(17, 28))
        blocks.append(Block(outer, tuple(network(outer, outer.prefixlen + 1) for _ in range(dice.randint(0, 4)))))
    known = {str(world[dice.randrange(world.num_addresses)]): dice.random() < 0.5 for _ in range(20)}
    code = program(known.items(), blocks)
    edges = [str(edge) for one in blocks for part in (one.range, *one.excepted) for edge in (part[0], part[-1])]
    for address in [*edges, *known, *(str(world[dice.randrange(world.num_addresses)]) for _ in range(100))]:
        by_blocks = any(one.holds(address) for one in blocks)
        assert run(code, address) == known.get(address, by_blocks), (address, known, blocks)


def test_everything_and_nothing() -> None:
    assert run(program([], [EVERYWHERE]), "1.1.1.1")
    assert not run(program([], []), "1.1.1.1")
    assert not run(program([], [block("2001:db8::/32")]), "1.1.1.1")


def test_more_than_the_kernel_takes_is_refused_here() -> None:
    with pytest.raises(ValueError, match="more than a socket filter may have"):
        program([(f"10.0.{index // 256}.{index % 256}", True) for index in range(3000)], [])


def test_what_the_blocks_say_already_is_not_said_again() -> None:
    blocks = [block("10.0.0.0/8", "10.1.0.0/16")]
    alike = [("10.0.0.1", True), ("10.1.0.1", False), ("11.0.0.1", False)]
    assert program(alike, blocks) == program([], blocks)
    assert program([("1.1.1.1", True)], [EVERYWHERE]) == program([], [EVERYWHERE])
    assert program([("1.1.1.1", False)], []) == program([], [])
