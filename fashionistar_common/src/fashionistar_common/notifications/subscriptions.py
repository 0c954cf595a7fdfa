"""Browsers that may be written to."""

import base64
import binascii
import hashlib
import re
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction

from ..conf import conf
from ..exceptions import FieldError, InvalidError, NotFoundError
from ..models import PushSubscription

#: A user's newest subscriptions that are kept; each message costs a call for each of them.
MAX_SUBSCRIPTIONS = 10


class InvalidPushSubscriptionError(InvalidError):
    """This is not a push subscription of a browser."""

    code = "invalid_push_subscription"


@transaction.atomic
def subscribe_browser(user_id: str, *, endpoint: str, p256dh: str, auth: str) -> PushSubscription:
    """Keep what `pushManager.subscribe()` gave a browser; done twice it is one subscription.

    A browser belongs to whoever subscribed in it last. Of a user's subscriptions the newest MAX_SUBSCRIPTIONS stay.

    Raises:
        InvalidPushSubscriptionError: an address outside of PUSH_ORIGINS, or keys that are none.
    """
    faults = [
        FieldError(pointer=pointer, detail=detail)
        for pointer, detail, fine in (
            ("/endpoint", "This is no address of a push service known here.", _is_push_service(endpoint)),
            ("/keys/p256dh", "This is no public key.", _has_bytes(p256dh, 65)),
            ("/keys/auth", "This is no authentication secret.", _has_bytes(auth, 16)),
        )
        if not fine
    ]
    if faults:
        raise InvalidPushSubscriptionError(errors=faults)
    subscription, _ = PushSubscription.objects.update_or_create(
        endpoint_hash=hashlib.sha256(endpoint.encode()).hexdigest(),
        defaults={"user_id": user_id, "endpoint": endpoint, "p256dh": p256dh, "auth": auth},
    )
    newest = PushSubscription.objects.filter(user_id=user_id).order_by("-created_at", "-pk")[:MAX_SUBSCRIPTIONS]
    kept = [*newest.values_list("pk", flat=True), subscription.pk]
    PushSubscription.objects.filter(user_id=user_id).exclude(pk__in=kept).delete()
    return subscription


def unsubscribe_browser(user_id: str, public_id: UUID) -> None:
    """Forget one of the user's subscriptions.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    if not PushSubscription.objects.filter(user_id=user_id, public_id=public_id).delete()[0]:
        raise NotFoundError


def _is_push_service(endpoint: str) -> bool:
    """Whether we may call it: a browser names the address, so it could name one inside our network."""
    if len(endpoint) > 1000 or not endpoint.isascii() or not endpoint.isprintable():
        return False
    try:
        parts = urlsplit(endpoint)
    except ValueError:
        return False
    # No user, no path for an origin: what is compared is what will be called.
    return any(
        re.fullmatch(
            re.escape(allowed).replace(r"\*", r"[a-z0-9-]+(\.[a-z0-9-]+)*"), f"{parts.scheme}://{parts.netloc}"
        )
        for allowed in conf.PUSH_ORIGINS
    )


def _has_bytes(text: str, length: int) -> bool:
    """Whether it is base64url, with or without padding, of so many bytes."""
    if not text.isascii() or len(text) > length * 2:
        return False
    try:
        padded = text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4)
        return len(base64.b64decode(padded, altchars=b"-_", validate=True)) == length
    except binascii.Error:
        return False
