"""Who is written to, and where."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.utils.crypto import salted_hmac
from django.utils.translation import get_supported_language_variant

from ..db import storable
from ..models import Channel, PushSubscription

_SALT = "fashionistar_common.notifications"
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """Somebody. What is not known is left out, and is no way to reach them.

    Attributes:
        user_id: the public id, by which preferences and push subscriptions are found; empty for a guest.
        phone: in international form, `+2348012345678`.
        locale: a language code such as `fr`; LANGUAGE_CODE if empty or not among LANGUAGES.
    """

    user_id: str = ""
    email: str = ""
    phone: str = ""
    locale: str = ""


def addresses(recipient: Recipient, channel: Channel) -> Iterator[str]:
    """The recipient's addresses on a channel. For web push: public ids of subscriptions, one query."""
    match channel:
        case Channel.EMAIL:
            if recipient.email:
                yield recipient.email.strip()
        case Channel.SMS:
            if recipient.phone:
                yield re.sub(r"[\s().-]", "", recipient.phone)
        case Channel.WEBPUSH:
            if recipient.user_id:
                found = PushSubscription.objects.filter(user_id=recipient.user_id).order_by("pk")
                yield from map(str, found.values_list("public_id", flat=True))


def is_valid(address: str, channel: Channel) -> bool:
    """Whether a provider could be asked to write there. No address that passes can hold a second header."""
    match channel:
        case Channel.EMAIL:
            try:
                validate_email(address)
            except ValidationError:
                return False
            return len(address) <= 254 and address.isprintable()
        case Channel.SMS:
            return _E164.fullmatch(address) is not None
    return True


def address_hash(address: str) -> str:
    """What stands for an address once it is forgotten. Keyed, so that nobody can try all phone numbers."""
    return salted_hmac(_SALT, storable(address.casefold()), algorithm="sha256").hexdigest()


def masked(address: str, channel: str) -> str:
    """Enough of an address to recognise it, not enough to use it."""
    match channel:
        case Channel.EMAIL:
            local, _, domain = address.rpartition("@")
            return f"{local[:1]}***@{domain}" if local else "***"
        case Channel.SMS:
            return f"***{address[-3:]}"
    return address


def language(locale: str) -> str:
    """The nearest of LANGUAGES, else LANGUAGE_CODE."""
    try:
        return get_supported_language_variant(locale)
    except LookupError:
        return settings.LANGUAGE_CODE
