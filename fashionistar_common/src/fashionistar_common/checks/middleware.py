"""What can be wrong with the chain of middleware and the proxies before it."""

from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - its name in Django
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string

from ..conf import conf
from ..http.middleware import OriginMiddleware, ProblemMiddleware, RequestIDMiddleware, ServerTimingMiddleware
from ..http.observe import ObserveMiddleware

#: Ours, from the outside inwards: a problem carries the request id, the time is that of everything within, and what is
#: logged of a request knows its user.
ORDER = (RequestIDMiddleware, ServerTimingMiddleware, OriginMiddleware, ObserveMiddleware, ProblemMiddleware)
OPTIONAL = {ServerTimingMiddleware, ObserveMiddleware}


@register()
def check_proxies(**kwargs: Any) -> list[CheckMessage]:
    """E050: something in TRUSTED_PROXIES is no network. E051: it is all of them, so addresses can be made up."""
    messages: list[CheckMessage] = []
    for written in conf.TRUSTED_PROXIES if isinstance(conf.TRUSTED_PROXIES, list) else []:
        try:
            everybody = ip_network(written).prefixlen == 0
        except ValueError as error:
            messages.append(
                Error(f"FASHIONISTAR_COMMON['TRUSTED_PROXIES']: {error}.", id="fashionistar_common.E050"),
            )
            continue
        if everybody:
            messages.append(
                Error(
                    f"FASHIONISTAR_COMMON['TRUSTED_PROXIES'] trusts everybody ({written}).",
                    hint="Callers could make up their address. Name the networks of your own proxies.",
                    id="fashionistar_common.E051",
                )
            )
    return messages


@register()
def check_middleware(**kwargs: Any) -> list[CheckMessage]:
    """W050: somebody's makes async requests change threads. W051, W052: ours are missing or in another order."""
    chain = [(path, found) for path in settings.MIDDLEWARE if (found := _imported(path))]
    messages: list[CheckMessage] = [
        Warning(
            f"{path} makes each asynchronous request change threads ({hops}).",
            hint="Look for a newer version that serves both kinds of handler itself. "
            "Silence this where no request is served over ASGI.",
            id="fashionistar_common.W050",
        )
        for path, found in chain
        if not path.startswith("django.") and (hops := _thread_hops(found))
    ]
    ours = [kind for _, found in chain for kind in ORDER if isinstance(found, type) and issubclass(found, kind)]
    if missing := [kind for kind in ORDER if kind not in ours and kind not in OPTIONAL]:
        messages.append(
            Warning(
                f"MIDDLEWARE lacks {', '.join(map(_path, missing))}.",
                hint="Problems, logs and the audit log then say less. Silence this where nothing is served over HTTP.",
                id="fashionistar_common.W051",
            )
        )
    if ours != sorted(ours, key=ORDER.index):
        messages.append(
            Warning(
                f"MIDDLEWARE has ours in another order than {', '.join(map(_path, ORDER))}.",
                hint="In this order every problem has its request id.",
                id="fashionistar_common.W052",
            )
        )
    return messages


def _imported(path: str) -> Any:
    try:
        return import_string(path)
    except ImportError:
        return None  # Django says so itself, when it loads the chain


def _thread_hops(middleware: Any) -> str:
    """How an async request passes this middleware, if not on the event loop; Django's own are what they are."""
    if not getattr(middleware, "async_capable", False):
        return "it is synchronous"
    inherits = isinstance(middleware, type) and getattr(middleware, "__acall__", None) is MiddlewareMixin.__acall__
    if inherits and any(hasattr(middleware, name) for name in ("process_request", "process_response")):
        return "its MiddlewareMixin runs process_request and process_response in one"
    return ""


def _path(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
