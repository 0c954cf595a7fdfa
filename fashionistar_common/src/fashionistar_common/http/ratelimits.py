"""What both faces share of rate limits: whose calls are counted together, and the headers that tell what is left."""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ..context import origin
from ..ratelimits import Allowance
from ..ratelimits.rates import headers
from ..types import Actor

type By = Callable[[HttpRequest], str]


def by_address(request: HttpRequest) -> str:
    """The caller's address, behind trusted proxies only; of IPv6 the first 64 bits, for a caller has them all."""
    now = origin.get()
    written = (now.ip if now else "") or request.META.get("REMOTE_ADDR", "")
    try:
        address = ip_address(written.partition("%")[0])
    except ValueError:
        return f"address {written}"
    if isinstance(address, IPv6Address):
        return f"address {address.ipv4_mapped or int(address) >> 64}"
    return f"address {address}"


def by_actor(request: HttpRequest) -> str:
    """Whoever is asking; the address of who is nobody."""
    actor = getattr(request, "auth", None)
    return f"actor {actor.id}" if isinstance(actor, Actor) else by_address(request)


def note(request: HttpRequest, allowance: Allowance | None) -> None:
    """Remember what is left, for the answer's headers."""
    if allowance is not None:
        request.__dict__.setdefault("rate_limit_allowances", []).append(allowance)


def add_headers(request: HttpRequest, response: HttpResponseBase) -> None:
    """Say what is left, unless the answer says so already: one that refuses names the limit that it is about."""
    if (found := request.__dict__.get("rate_limit_allowances")) and "RateLimit" not in response:
        for name, value in headers(found).items():
            response[name] = value
