"""Whose address a request comes from, when proxies stand in front.

A proxy appends the address it was called from to a header. Everything in that header that no proxy of ours has written
was sent by the caller and may be a lie, so it is read from the right and only as far as our proxies vouch for it.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from ..conf import conf

type Address = IPv4Address | IPv6Address
type Network = IPv4Network | IPv6Network

#: One parameter of one hop in `Forwarded` (RFC 7239); a quoted value may hold the characters that divide hops.
_FOR = re.compile(r'(?:^|;)\s*for\s*=\s*(?:"([^"\\]*)"|([^\s;",]+))\s*(?=;|$)', re.IGNORECASE)
_HOPS = re.compile(r'(?:[^,"]|"[^"]*")+')


def client_ip(meta: Mapping[str, Any]) -> str:
    """The caller's address in its shortest form; empty when the server knows none, as behind a Unix socket.

    It is `REMOTE_ADDR`, unless that is in `TRUSTED_PROXIES`: then the last address in `FORWARDED_HEADER` that is not.
    What is no address ends the walk, with the last one that a trusted proxy has named.
    """
    found = _address(str(meta.get("REMOTE_ADDR") or ""))
    trusted = _networks(tuple(conf.TRUSTED_PROXIES))
    if found and trusted and _is_in(found, trusted):
        for hop in _hops(meta):
            address = _address(hop)
            if address is None:
                break
            found = address
            if not _is_in(found, trusted):
                break
    return str(found or "")


def _hops(meta: Mapping[str, Any]) -> Iterator[str]:
    """What the proxies have written, the nearest one first."""
    value = str(meta.get("HTTP_" + conf.FORWARDED_HEADER.upper().replace("-", "_"), ""))
    if conf.FORWARDED_HEADER.lower() != "forwarded":
        yield from reversed(value.split(","))
    elif value.count('"') % 2 == 0:  # else a quote that the caller has left open would swallow what our proxy wrote
        for hop in reversed(_HOPS.findall(value)):
            named = _FOR.search(hop)
            yield (named[1] or named[2] or "") if named else ""


def _address(text: str) -> Address | None:
    """Read `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1` or `[2001:db8::1]:443`; None for anything else."""
    text = text.strip()
    if text.startswith("["):
        text, _, port = text[1:].partition("]")
        if port and not re.fullmatch(r":[0-9]{1,5}", port):
            return None
    elif re.fullmatch(r"[0-9.]{7,15}:[0-9]{1,5}", text):
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])  # a zone is a name on the proxy's own machine
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(maxsize=8)
def _networks(written: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(network) for network in written)


def _is_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)
