"""What can be wrong with the settings of messages.

E070 a provider cannot be made, E071 PUBLIC_URL is no address or has no page to unsubscribe, E072 the e-mail queue leads
nowhere, E073 a kind's template lacks a partial, W070 mail that people must be able to refuse has no link for that.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import django
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.template import TemplateDoesNotExist, TemplateSyntaxError
from django.template.loader import get_template
from django.urls import NoReverseMatch, reverse

from ..conf import conf
from ..mail import mail_connection
from ..models import Category, Channel
from ..notifications.kinds import kinds
from ..notifications.providers import provider_for
from ..notifications.rendering import PARTIALS

PREFIX = "fashionistar_common"


@register()
def check_notifications(**kwargs: Any) -> list[CheckMessage]:
    """The providers, the queue of e-mail, and every registered kind."""
    providers = conf.NOTIFICATION_PROVIDERS
    if not isinstance(providers, dict) or not all(isinstance(config, dict) for config in providers.values()):
        return []  # E002 says so
    return [*_providers(), *_public_url(), *_queue(), *_templates()]


def _providers() -> Iterator[CheckMessage]:
    for channel, config in conf.NOTIFICATION_PROVIDERS.items():
        place = f'FASHIONISTAR_COMMON["NOTIFICATION_PROVIDERS"][{channel!r}]'
        if channel not in Channel.values:
            yield Error(f"{place} is no channel.", hint=f"Known: {', '.join(Channel.values)}.", id=f"{PREFIX}.E070")
        elif not isinstance(config.get("BACKEND"), str) or config.keys() - {"BACKEND", "OPTIONS"}:
            yield Error(f"{place} has the keys BACKEND and OPTIONS, and no others.", id=f"{PREFIX}.E070")
        else:
            try:
                provider_for(channel)
            except ImproperlyConfigured as error:
                yield Error(f"{place}: {error}", id=f"{PREFIX}.E070")


def _public_url() -> Iterator[CheckMessage]:
    if conf.PUBLIC_URL:
        parts = urlsplit(conf.PUBLIC_URL)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
            yield Error('FASHIONISTAR_COMMON["PUBLIC_URL"] has the form https://shop.example.', id=f"{PREFIX}.E071")
        try:
            reverse("fashionistar_common:unsubscribe", args=["token"])
        except NoReverseMatch:
            yield Error(
                'FASHIONISTAR_COMMON["PUBLIC_URL"] is set, but there is no page to unsubscribe.',
                hint='Put path("", include("fashionistar_common.urls")) into the project\'s urls.',
                id=f"{PREFIX}.E071",
            )
        return
    for kind in kinds.values():
        if kind.category != Category.TRANSACTIONAL and Channel.EMAIL in kind.channels:
            yield checks.Warning(
                f"Mails of the kind {kind.name} have no link to unsubscribe.",
                hint='Set FASHIONISTAR_COMMON["PUBLIC_URL"].',
                id=f"{PREFIX}.W070",
            )


def _queue() -> Iterator[CheckMessage]:
    if django.VERSION >= (6, 1) and not hasattr(settings, "MAILERS"):
        return  # Django warns of its older settings whoever reads them, and reads them itself where mail is sent
    try:
        mail_connection()
    except (ImproperlyConfigured, ImportError) as error:
        yield Error(f"Mail cannot be sent: {error}", id=f"{PREFIX}.E072")


def _templates() -> Iterator[CheckMessage]:
    for kind in kinds.values():
        for partial in dict.fromkeys(partial for channel in kind.channels for partial in PARTIALS[channel]):
            try:
                get_template(f"{kind.template}#{partial}")
            except (TemplateDoesNotExist, TemplateSyntaxError) as error:
                yield Error(
                    f"The notification kind {kind.name} needs {kind.template}#{partial}: {error}", id=f"{PREFIX}.E073"
                )
