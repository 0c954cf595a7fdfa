"""Who carries a message: one provider for each channel, named in `FASHIONISTAR_COMMON["NOTIFICATION_PROVIDERS"]`."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from ...conf import conf


@dataclass(frozen=True, kw_only=True)
class Message:
    """A rendered message.

    Attributes:
        id: 32 hexadecimal digits, the same each time this message is sent. Hand it to the provider in whatever way it
            recognises a repetition by.
        to: an e-mail address, a phone number (E.164), or a push endpoint.
        subject: one line; empty for SMS.
        html: empty if there is only text.
        headers: of an e-mail.
        keys: of a push subscription, `p256dh` and `auth`.
        url: what a push message opens.
    """

    id: str
    to: str
    text: str
    subject: str = ""
    html: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    url: str = ""


class Provider(Protocol):
    """Carries messages of one channel. Made once in a process from its OPTIONS; `send` is called by many threads."""

    def send(self, message: Message) -> str:
        """Hand the message over; returns the provider's name for it, or an empty string.

        Never called inside a transaction. Must come to an end, so give every connection a timeout.

        Raises:
            PermanentDeliveryError: it will never arrive there. Anything else raised is tried again.
        """
        ...


class DeliveryError(Exception):
    """This message has not arrived; it is tried again. The text is shown to whoever looks after the site."""


class PermanentDeliveryError(DeliveryError):
    """This message will not arrive at this address, however often it is sent."""


class GoneError(PermanentDeliveryError):
    """The address is no more."""


def provider_for(channel: str) -> Provider:
    """The provider of a channel, as configured now.

    Raises:
        ImproperlyConfigured: there is none, or it cannot be made.
    """
    config = conf.NOTIFICATION_PROVIDERS.get(channel)
    if config is None:
        raise ImproperlyConfigured(f'FASHIONISTAR_COMMON["NOTIFICATION_PROVIDERS"] has no {channel!r}.')
    return _made(config["BACKEND"], _Options(config.get("OPTIONS", {})))


class _Options(dict[str, Any]):
    """Options that can be a cache's key."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(repr(sorted(self.items())))


@functools.lru_cache(maxsize=16)
def _made(backend: str, options: _Options) -> Provider:
    try:
        provider: Provider = import_string(backend)(**options)
    except (ImportError, TypeError, ValueError) as error:
        raise ImproperlyConfigured(f"The notification provider {backend}: {error}") from error
    return provider
