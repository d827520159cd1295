"""Addresses that may be dialled when somebody else names them."""

import ipaddress
from typing import Final

PORTS: Final = frozenset({80, 443})  # where shops are; whoever may name any port of any host scans with our address
_GIVEN_OUT = ipaddress.IPv6Network("2000::/3")
# IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890 and its updates), as far as Python's is_global lets them pass.
_SPECIAL = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.0.0/24",  # protocol assignments, also those said to be global
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # 6to4 relays
            "192.175.48.0/24",  # AS112
            "2001::/23",  # Teredo, benchmarks, ORCHID and other protocol assignments
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)


def is_public(address: str) -> bool:
    """Whether an address is somebody's on the internet.

    IPv6: only what IANA has given out, 2000::/3, without its special ranges; so nothing that leads to an IPv4 address through
    a translator or a tunnel, which would be a second spelling of every private one.
    """
    parsed = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped  # no tunnel: the system itself calls the IPv4 address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed not in _GIVEN_OUT:
        return False
    return parsed.is_global and not parsed.is_multicast and not any(parsed in special for special in _SPECIAL)
