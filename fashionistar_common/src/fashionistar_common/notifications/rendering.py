"""Templates in, a message out."""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any
from unicodedata import category

from django.template import Context, TemplateDoesNotExist
from django.template.loader import select_template
from django.utils.safestring import mark_safe
from django.utils.translation import get_language_info, override

from ..models import Category, Channel, NotificationDelivery, PushSubscription
from .kinds import NotificationKind
from .preferences import unsubscribe_url
from .providers import GoneError, Message

LAYOUT = "fashionistar_common/notifications/layout.html"
#: The partials that a kind's template must hold for a channel.
PARTIALS = {Channel.EMAIL: ("subject", "text"), Channel.SMS: ("sms",), Channel.WEBPUSH: ("subject", "push")}
#: Control characters, separators of lines and of paragraphs.
_BREAKS = {"Cc", "Zl", "Zp"}


def compose(delivery: NotificationDelivery, kind: NotificationKind) -> Message | None:
    """The message as it leaves now, in the recipient's language; None if its kind says that it should not any more.

    Raises:
        GoneError: the browser that it was for is no longer subscribed.
        TemplateDoesNotExist: the template or a partial that the channel needs is missing.
    """
    with override(delivery.locale):
        context = kind.context(delivery.context) if kind.context else delivery.context
        if context is None:
            return None
        match delivery.channel:
            case Channel.EMAIL:
                return _email(delivery, kind, context)
            case Channel.SMS:
                text = render(kind.template, "sms", context, delivery.locale)
                return Message(id=message_id(delivery), to=delivery.address, text=text)
    return _push(delivery, kind, context)


def _email(delivery: NotificationDelivery, kind: NotificationKind, context: Mapping[str, Any]) -> Message:
    template, locale = kind.template, delivery.locale
    url = unsubscribe_url(delivery.user_id, Category(kind.category), Channel.EMAIL)
    subject = one_line(render(template, "subject", context, locale))
    around = {"subject": subject, "unsubscribe_url": url, "language": get_language_info(locale)}
    text = render(LAYOUT, "text", around | {"content": render(template, "text", context, locale)}, locale)
    try:
        # What autoescaping has made is safe, and goes into the layout as it is.
        content = mark_safe(render(template, "html", context, locale, html=True))  # noqa: S308
        html = render(LAYOUT, "html", around | {"content": content}, locale, html=True)
    except TemplateDoesNotExist:
        html = ""
    headers = {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if url else {}
    return Message(id=message_id(delivery), to=delivery.address, subject=subject, text=text, html=html, headers=headers)


def _push(delivery: NotificationDelivery, kind: NotificationKind, context: Mapping[str, Any]) -> Message:
    subscription = PushSubscription.objects.filter(public_id=delivery.address, user_id=delivery.user_id).first()
    if subscription is None:
        raise GoneError("the browser is no longer subscribed")
    return Message(
        id=message_id(delivery),
        to=subscription.endpoint,
        keys={"p256dh": subscription.p256dh, "auth": subscription.auth},
        subject=one_line(render(kind.template, "subject", context, delivery.locale)),
        text=render(kind.template, "push", context, delivery.locale),
        url=str(context.get("url", "")),
    )


def message_id(delivery: NotificationDelivery) -> str:
    """32 hexadecimal digits; the same whenever and however often this message is sent."""
    identity = "\n".join((delivery.kind, delivery.key, delivery.channel, delivery.address_hash))
    return hashlib.sha256(identity.encode()).hexdigest()[:32]


def render(template: str, partial: str, context: Mapping[str, Any], locale: str, *, html: bool = False) -> str:
    """One partial of a template, of the first of `app/fr-ca/x.html`, `app/fr/x.html`, `app/x.html` that holds it.

    Only HTML is escaped: what a text says of `Ada & Bo` is `Ada & Bo`.

    Raises:
        TemplateDoesNotExist: none of them does.
    """
    found = select_template([f"{name}#{partial}" for name in _localized(template, locale)])
    text: str = found.template.render(Context(dict(context), autoescape=html))
    return text.strip()


def one_line(text: str) -> str:
    """The text without line breaks and other control characters: a subject ends where the template ends."""
    return " ".join("".join(" " if category(character) in _BREAKS else character for character in text).split())


def _localized(template: str, locale: str) -> Iterator[str]:
    folder, _, name = template.rpartition("/")
    for language in dict.fromkeys((locale, locale.partition("-")[0])):
        yield f"{folder}/{language}/{name}" if folder else f"{language}/{name}"
    yield template
