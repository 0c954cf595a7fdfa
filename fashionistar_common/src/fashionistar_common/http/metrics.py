"""`/metrics` for Prometheus: what was counted, and the readings of this moment."""

import hmac
import logging
from importlib.util import find_spec
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse

from ..conf import conf
from ..observability.metrics import Reader, Reading, exposition, readers
from ..observability.pool import sample_pools
from ..observability.probe import Probe
from .client_ip import client_ip
from .problems import problem

logger = logging.getLogger(__name__)

#: Milliseconds after which PostgreSQL gives one reading up; a number that is late is of no use.
STATEMENT_TIMEOUT = 2000
#: Seconds that a scrape waits for all readings. Prometheus waits ten by default.
PATIENCE = 5.0


async def metrics(request: HttpRequest) -> HttpResponse:
    """Answer a scrape in Prometheus' text format.

    Open to whoever has `METRICS_TOKEN` as a bearer token, and to the networks in `METRICS_NETWORKS`. With neither set
    there is no such page, but with DEBUG it is open. A reading that fails or hangs is left out, and
    `fashionistar_reading_failed` names it; the others are there.
    """
    if refusal := _refusal(request):
        return refusal
    if find_spec("prometheus_client") is None:
        return problem(503, detail="Metrics need the extra: pip install 'fashionistar-common[observability]'.")
    sample_pools(every=0)
    try:
        found = await _probe.ask(seconds=PATIENCE)
    except TimeoutError:
        found = [_failed(name) for name in sorted(readers)]
    body, content_type = exposition(found, accept=request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type, headers={"Cache-Control": "no-store"})


def _refusal(request: HttpRequest) -> HttpResponse | None:
    if not conf.METRICS_TOKEN and not conf.METRICS_NETWORKS:
        return None if settings.DEBUG else problem(404, detail="There is no such thing.")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    given = token.strip().encode("utf-8", "replace") if scheme.lower() == "bearer" else b""
    if conf.METRICS_TOKEN and hmac.compare_digest(given, conf.METRICS_TOKEN.encode()):
        return None
    address = client_ip(request.META)
    if address and any(ip_address(address) in ip_network(network) for network in conf.METRICS_NETWORKS):
        return None
    return problem(401, detail="Give METRICS_TOKEN as a bearer token, or ask from a network in METRICS_NETWORKS.")


def _read_all() -> list[Reading]:
    found: list[Reading] = []
    for name, reader in sorted(readers.items()):
        try:
            found += read(reader)
        except Exception:
            logger.exception("a reading failed", extra={"reader": name})
            found.append(_failed(name))
    return found


def read(reader: Reader) -> list[Reading]:
    """What one reader finds, in a transaction that PostgreSQL ends after `STATEMENT_TIMEOUT` for each statement."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(STATEMENT_TIMEOUT)])
        return list(reader())


def _failed(name: str) -> Reading:
    return Reading("reading_failed", "Readings that are missing from this scrape.", 1, {"reader": name})


_probe: Probe[list[Reading]] = Probe(_read_all)
