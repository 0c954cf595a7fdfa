"""Messages that a browser shows."""

import json
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from . import GoneError, Message, PermanentDeliveryError


class WebPushProvider:
    """Web push (RFC 8030, 8188, 8291) signed with a VAPID key (RFC 8292). Needs the extra `webpush`.

    The page's service worker gets `{"title", "body", "url", "tag"}`. The tag is the message's id: a browser that shows
    a notification with it replaces the one before. A push service that still holds the message replaces it, too.

    Args:
        private_key: VAPID, as `vapid --gen` writes it: the path of a PEM file, or the key itself in base64url.
        subject: whom the push service may write to about us, `mailto:ops@shop.example`.
        ttl: seconds that the push service keeps a message for a browser that is away.
        timeout: seconds to wait for it.
    """

    def __init__(self, *, private_key: str, subject: str, ttl: int = 86_400, timeout: float = 10) -> None:
        try:
            import pywebpush
            import requests
        except ImportError as error:
            raise ImproperlyConfigured('WebPushProvider needs pip install "fashionistar-common[webpush]".') from error
        if not subject.startswith(("mailto:", "https:")):
            raise ImproperlyConfigured("The subject of WebPushProvider begins with mailto: or https:.")
        self._pywebpush, self._requests = pywebpush, requests
        self.private_key, self.subject, self.ttl, self.timeout = private_key, subject, ttl, timeout

    def send(self, message: Message) -> str:
        payload = {"title": message.subject, "body": message.text, "url": message.url, "tag": message.id}
        with self._requests.Session() as session:
            session.max_redirects = 0  # a push service answers itself; elsewhere we do not go
            try:
                answer: Any = self._pywebpush.webpush(
                    subscription_info={"endpoint": message.to, "keys": dict(message.keys)},
                    data=json.dumps(payload),
                    vapid_private_key=self.private_key,
                    vapid_claims={"sub": self.subject},
                    ttl=self.ttl,
                    timeout=self.timeout,
                    headers={"Topic": message.id},
                    requests_session=session,
                )
            except self._pywebpush.WebPushException as error:
                status = error.response.status_code if error.response is not None else None
                if status in {404, 410}:
                    raise GoneError(f"the push service has forgotten it: {status}") from error
                if status == 413:
                    raise PermanentDeliveryError("the push service finds it too long") from error
                raise
        return str(answer.headers.get("Location", ""))
