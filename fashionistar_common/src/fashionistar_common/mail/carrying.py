"""An EmailMessage as JSON and back."""

import base64
import email
import email.policy
import json
from email.message import Message as MimeMessage
from email.message import MIMEPart
from email.utils import format_datetime, make_msgid
from typing import Any

from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.utils import timezone

from ..conf import conf

_FIELDS = ("from_email", "to", "cc", "bcc", "reply_to", "content_subtype", "encoding")


class MailTooLargeError(ValueError):
    """A message is larger than a queue should carry."""


def packed(message: EmailMessage) -> dict[str, Any]:
    """The message as JSON, with a Message-ID and a Date of its own.

    Raises:
        MailTooLargeError: it is larger than MAIL_QUEUE_BYTES.
        TypeError: its class is another than Django's two, and might mean more than its fields say.
        ValueError: a header holds a line break.
    """
    if type(message) not in {EmailMessage, EmailMultiAlternatives}:
        raise TypeError(f"A queue carries EmailMessage and EmailMultiAlternatives, not {type(message).__name__}.")
    headers = {name: str(value) for name, value in message.extra_headers.items()}
    given = {name.lower() for name in headers}
    if "message-id" not in given:
        headers["Message-ID"] = make_msgid(domain=conf.MAIL_DOMAIN)
    if "date" not in given:
        headers["Date"] = format_datetime(timezone.now())
    found: dict[str, Any] = {
        **{name: _plain(getattr(message, name)) for name in _FIELDS},
        "subject": str(message.subject),
        "body": str(message.body),
        "headers": headers,
        "attachments": [_attachment(item) for item in message.attachments],
        "alternatives": [[str(text), kind] for text, kind in getattr(message, "alternatives", ())],
    }
    values = [*headers.values(), found["subject"], found["from_email"], *message.recipients(), *found["reply_to"]]
    if any("\n" in value or "\r" in value for value in values):
        raise ValueError("A header of a message holds a line break.")
    if (size := len(json.dumps(found))) > conf.MAIL_QUEUE_BYTES:
        limit = f'FASHIONISTAR_COMMON["MAIL_QUEUE_BYTES"] allows {conf.MAIL_QUEUE_BYTES}'
        raise MailTooLargeError(f"The message has {size} bytes, {limit}: put the file elsewhere and send a link.")
    return found


def unpacked(found: dict[str, Any]) -> EmailMultiAlternatives:
    """The message that `packed` was given."""
    message = EmailMultiAlternatives(found["subject"], found["body"], found["from_email"], found["to"])
    message.cc, message.bcc, message.reply_to = found["cc"], found["bcc"], found["reply_to"]
    message.content_subtype, message.encoding = found["content_subtype"], found["encoding"]
    message.extra_headers = found["headers"]
    for text, kind in found["alternatives"]:
        message.attach_alternative(text, kind)
    for item in found["attachments"]:
        content = base64.b64decode(item["content"])
        if "mime" in item:
            message.attach(email.message_from_bytes(content, policy=email.policy.default))
        else:
            message.attach(item["name"], content.decode() if item["text"] else content, item["kind"])
    return message


def _plain(value: Any) -> Any:
    return [str(item) for item in value] if isinstance(value, list | tuple) else value and str(value)


def _attachment(item: Any) -> dict[str, Any]:
    if isinstance(item, MIMEPart | MimeMessage):
        return {"mime": True, "content": _base64(item.as_bytes())}
    name, content, kind = item
    if isinstance(content, MimeMessage | EmailMessage):  # a forwarded message
        inner = content.message() if isinstance(content, EmailMessage) else content
        content = inner.as_bytes()
    text = isinstance(content, str)
    return {"name": name, "kind": kind, "text": text, "content": _base64(content.encode() if text else content)}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
