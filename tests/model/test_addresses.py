"""The address matrix: every way to write "inside" is refused unless it is named, and metadata services always are."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lazarus_tui.model.addresses import AddressPolicy, policy

STRICT = policy()

DENIED = """0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.1.2.3 169.254.1.1
169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.8 192.168.1.1 198.18.0.1 198.19.255.255 224.0.0.1
239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16 100.100.100.200 :: ::1 ::ffff:10.0.0.1 ::ffff:8.8.8.8
::ffff:169.254.169.254 ::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b::7f00:1 64:ff9b:1::a00:1 2002:a9fe:a9fe::
2002:7f00:1::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 fc00::1 fd12:3456::1 fd00:ec2::254 fe80::1 fe80::1%eth0 ff02::1
localhost 0x7f.1 2130706433 127.1 "" 1.2.3.4.5 ::ffff:0:a"""

OPEN = """1.1.1.1 8.8.8.8 93.184.216.34 172.15.0.1 172.32.0.1 100.63.255.255 100.128.0.1
2606:4700::1111 2a00:1450::1"""


@pytest.mark.parametrize("address", DENIED.split())
def test_denied(address: str) -> None:
    assert STRICT.refusal(address)


@pytest.mark.parametrize("address", OPEN.split())
def test_open(address: str) -> None:
    assert STRICT.refusal(address) == ""


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
def test_only_the_allowance_opens_loopback(address: str) -> None:
    assert STRICT.refusal(address)
    assert policy(loopback=True).refusal(address) == ""


@pytest.mark.parametrize("address", ["10.0.0.1", "169.254.1.1", "192.168.0.1", "::ffff:10.0.0.1", "fe80::1"])
def test_the_sandbox_allowance_opens_nothing_else(address: str) -> None:
    assert policy(loopback=True).refusal(address)


def test_a_named_network_opens_itself_in_all_its_forms() -> None:
    storage = policy(["10.20.0.0/16"])
    assert storage.refusal("10.20.1.1") == ""
    assert storage.refusal("::ffff:10.20.1.1") == ""
    assert storage.refusal("10.21.1.1")
    assert storage.refusal("64:ff9b::a15:101")


@pytest.mark.parametrize("allow", [["0.0.0.0/0", "::/0"], ["169.254.0.0/16", "fd00::/8", "168.63.0.0/16"]])
@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "2002:a9fe:a9fe::1", "fd00:ec2::254"])
def test_nothing_opens_a_metadata_service(allow: list[str], address: str) -> None:
    assert policy(allow).refusal(address)


def test_an_address_can_be_closed_for_good() -> None:
    assert policy(["10.0.0.0/8"], never=["10.0.0.1"]).refusal("10.0.0.1")
    assert policy(["0.0.0.0/0", "::/0"], never=["93.184.216.34"]).refusal("::ffff:93.184.216.34")


@given(st.ip_addresses(v=4))
def test_wrapping_never_opens_what_is_closed(inner: ipaddress.IPv4Address) -> None:
    low = int(inner)
    forms = [f"::ffff:{inner}", str(ipaddress.IPv6Address((0x0064FF9B << 96) | low))]
    forms.append(str(ipaddress.IPv6Address((0x2002 << 112) | (low << 80) | 1)))
    for allow in ((), ("10.0.0.0/8",), ("0.0.0.0/0",)):
        found: AddressPolicy = policy(allow)
        if found.refusal(str(inner)):
            assert all(found.refusal(form) for form in forms)


@given(st.ip_addresses())
def test_what_python_calls_private_is_closed(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    documentation = ipaddress.ip_network("2001:db8::/32" if address.version == 6 else "203.0.113.0/24")
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        assert STRICT.refusal(str(address))
    elif address not in documentation and STRICT.refusal(str(address)) == "":
        assert not address.is_reserved or address.version == 6
