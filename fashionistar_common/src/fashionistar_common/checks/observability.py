"""What can be wrong with what is seen of a site."""

from ipaddress import ip_network
from typing import Any

from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 - its name in Django
from django.utils.module_loading import import_string

from ..conf import conf

#: A shorter token could be guessed.
TOKEN_LENGTH = 16


@register()
def check_metrics(**kwargs: Any) -> list[CheckMessage]:
    """E082: something in METRICS_NETWORKS is no network. E083: METRICS_TOKEN is short. W080: everybody may read."""
    messages: list[CheckMessage] = []
    networks, token = conf.METRICS_NETWORKS, conf.METRICS_TOKEN
    for written in networks if isinstance(networks, list) else []:
        try:
            if ip_network(written).prefixlen == 0:
                messages.append(
                    Warning(
                        f"FASHIONISTAR_COMMON['METRICS_NETWORKS'] lets everybody read ({written}).",
                        hint="Numbers of orders and failures tell strangers much. Name the scraper's network.",
                        id="fashionistar_common.W080",
                    )
                )
        except ValueError as error:
            messages.append(Error(f"FASHIONISTAR_COMMON['METRICS_NETWORKS']: {error}.", id="fashionistar_common.E082"))
    if isinstance(token, str) and 0 < len(token) < TOKEN_LENGTH:
        messages.append(
            Error(
                f"FASHIONISTAR_COMMON['METRICS_TOKEN'] is shorter than {TOKEN_LENGTH} characters.",
                hint='One that nobody guesses: python -c "import secrets; print(secrets.token_urlsafe(32))"',
                id="fashionistar_common.E083",
            )
        )
    return messages


@register()
def check_probes(**kwargs: Any) -> list[CheckMessage]:
    """E084: a path in READY_PROBES leads to nothing that can be called."""
    messages: list[CheckMessage] = []
    for name, path in conf.READY_PROBES.items() if isinstance(conf.READY_PROBES, dict) else []:
        try:
            problem = "" if callable(import_string(path)) else f"{path} cannot be called"
        except (ImportError, AttributeError, TypeError) as error:
            problem = str(error)
        if problem:
            place = f"FASHIONISTAR_COMMON['READY_PROBES'][{name!r}]"
            messages.append(Error(f"{place}: {problem}.", id="fashionistar_common.E084"))
    return messages
