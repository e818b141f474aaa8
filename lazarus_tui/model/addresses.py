"""Which network addresses checks, downloads and webhooks may reach (reference: reliability §5.7). Pure.

``ipaddress`` alone is not enough: it calls 64:ff9b::a9fe:a9fe and 2002:a9fe:a9fe:: global, though both lead to
169.254.169.254. So every form that carries an IPv4 address is unwrapped, and each address inside is judged too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(item) for item in text.split())


# Reliability §5.7; a policy may name a network inside these to open it.
_DENIED = _networks(
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.168.0.0/16"
    " 198.18.0.0/15 224.0.0.0/4 240.0.0.0/4 ::/128 ::1/128 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 2002::/16"
    " 2001::/32 fc00::/7 fe80::/10 ff00::/8"
)

# Cloud metadata services (AWS, GCP, Azure; AWS over IPv6; Alibaba; Azure's wire server; AWS containers). Never opened.
_METADATA = _networks("169.254.169.254/32 169.254.170.2/32 fd00:ec2::254/128 100.100.100.200/32 168.63.129.16/32")

LOOPBACK = _networks("127.0.0.0/8 ::1/128")

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """``allow`` opens networks of the deny list; ``never`` closes single addresses (the API server's)."""

    allow: tuple[Network, ...] = ()
    never: frozenset[Address] = frozenset()

    def refusal(self, address: str) -> str:
        """Why ``address`` (a literal) may not be reached, or "" when it may."""
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return f"{address!r} is not an address"
        forms = tuple(embedded(found))
        for form in (found, *forms):
            if form in self.never or any(form in network for network in _METADATA):
                return f"{address} is never reached from Lazarus (metadata service or API server)"
        # A wrapped address is opened by naming the address it leads to, or the wrapper itself.
        if self._denied(found) and not (forms and all(self._opened(form) for form in forms)):
            return f"{address} is in a private, local or reserved network"
        if any(self._denied(form) for form in forms) and not self._opened(found):
            return f"{address} leads to a private, local or reserved network"
        return ""

    def allows_by_name(self, address: str) -> bool:
        """Whether a network that was opened holds ``address`` (a literal)."""
        try:
            return self._opened(ipaddress.ip_address(address.partition("%")[0]))
        except ValueError:
            return False

    def _opened(self, address: Address) -> bool:
        return any(address in network for network in self.allow)

    def _denied(self, address: Address) -> bool:
        return any(address in network for network in _DENIED) and not self._opened(address)


def policy(allow: Iterable[str] = (), *, loopback: bool = False, never: Iterable[str] = ()) -> AddressPolicy:
    """A policy from CIDR strings; raises ``ValueError`` on a bad one. ``loopback`` is for the sandbox alone."""
    opened = tuple(ipaddress.ip_network(item) for item in allow) + (LOOPBACK if loopback else ())
    return AddressPolicy(opened, frozenset(ipaddress.ip_address(item) for item in never))


def embedded(address: Address) -> Iterable[ipaddress.IPv4Address]:
    """The IPv4 addresses an IPv6 address leads to: mapped, compatible, NAT64, 6to4, Teredo."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    low = int(address) & 0xFFFFFFFF
    if address in _NAT64 or address in _NAT64_LOCAL or (int(address) >> 32 == 0 and low > 0xFFFF):
        yield ipaddress.IPv4Address(low)
