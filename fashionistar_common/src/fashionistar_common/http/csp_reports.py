"""Where browsers tell what the content security policy has refused: `POST /csp-reports`.

Anybody can write here, so a report is small, is logged once, and only so many different ones are logged in an hour.
What is logged are routes and hosts: an address may hold what belongs to a person, and a sample of code anything at all.
"""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import NoReverseMatch, Resolver404, resolve, reverse
from django.views.decorators.csrf import csrf_exempt

from ..db.text import storable
from .middleware import _Middleware
from .problems import problem

logger = logging.getLogger(__name__)

#: Bytes of a body.
LARGEST = 64 * 1024
#: Reports of one body that are looked at.
MOST_AT_ONCE = 20
#: Different violations that one process logs in an hour.
MOST_IN_AN_HOUR = 100

#: The names of the same facts in the old form (`report-uri`) and in the Reporting API's.
OLD = {
    "directive": "effective-directive",
    "blocked": "blocked-uri",
    "document": "document-uri",
    "source": "source-file",
}
NEW = {"directive": "effectiveDirective", "blocked": "blockedURL", "document": "documentURL", "source": "sourceFile"}


class ReportingEndpointsMiddleware(_Middleware):
    """Tells browsers where `report-to csp` leads, on each answer with a policy."""

    def after(self, request: HttpRequest, response: HttpResponseBase, state: Any) -> HttpResponseBase:
        if "Content-Security-Policy" in response or "Content-Security-Policy-Report-Only" in response:
            with contextlib.suppress(NoReverseMatch):  # the project has not included our URLs
                where = reverse("fashionistar_common:csp-reports")
                response.headers.setdefault("Reporting-Endpoints", f'csp="{where}"')
        return response


@csrf_exempt
async def csp_reports(request: HttpRequest) -> HttpResponse:
    """Log each different violation once; 204."""
    if request.method != "POST":
        return problem(405, detail="Reports are posted.", headers={"Allow": "POST"})
    if request.content_type not in {"application/csp-report", "application/reports+json"}:
        return problem(415, detail="Not a report of a browser.")
    body = request.read(LARGEST + 1)
    if len(body) > LARGEST:
        return problem(413, detail="A report is smaller.")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return problem(400, detail="The report cannot be read.")
    for violation in _violations(told, request.get_host()):
        if _is_new(tuple(violation.values())):
            extra = {f"csp_{name}": value for name, value in violation.items()}
            logger.warning("content security policy violated", extra=extra)
    return HttpResponse(status=204)


def _violations(told: Any, host: str) -> Iterator[dict[str, str]]:
    """What a body tells of pages of ours."""
    reports: list[tuple[Any, Mapping[str, str]]] = []
    if isinstance(told, dict):
        reports = [(told.get("csp-report"), OLD)]
    elif isinstance(told, list):
        reports = [
            (report.get("body"), NEW)
            for report in told[:MOST_AT_ONCE]
            if isinstance(report, dict) and report.get("type") == "csp-violation"
        ]
    for report, names in reports:
        if not isinstance(report, dict):
            continue
        facts = {name: value if isinstance(value := report.get(key), str) else "" for name, key in names.items()}
        if _host(facts["document"]) == host:
            directive = (facts["directive"] or str(report.get("violated-directive", ""))).split(" ")[0]
            places = {name: _place(facts[name], host) for name in ("blocked", "document", "source")}
            yield {"directive": storable(directive)[:40], **places}


def _host(address: str) -> str:
    try:
        return urlsplit(address).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


def _place(address: str, host: str) -> str:
    """A route of ours, a static file, another host; or a word such as `inline` and `data`."""
    there = _host(address)
    if not there:
        return storable(address.partition(":")[0])[:20]
    if there != host:
        return storable(there)[:100]
    path = urlsplit(address).path
    if settings.STATIC_URL and path.startswith(settings.STATIC_URL):
        return storable(path)[:200]
    try:
        return f"/{resolve(path).route}"
    except Resolver404:
        return "an unknown path"


_lock = threading.Lock()
_seen: set[tuple[str, ...]] = set()
_since = 0.0


def _is_new(violation: tuple[str, ...]) -> bool:
    global _since
    with _lock:
        if time.monotonic() - _since > 3600:
            _seen.clear()
            _since = time.monotonic()
        if violation in _seen or len(_seen) >= MOST_IN_AN_HOUR:
            return False
        _seen.add(violation)
        return True
