"""E-mail: templates in, one message with a stable identity out."""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage
from django.template.loader import render_to_string

from .conf import conf


def send_mail(*, template: str, to: str, context: Mapping[str, Any], key: str) -> None:
    """Render and send one message.

    Args:
        template: path without ending; `.subject.txt`, `.txt` and `.html` are rendered.
        to: the one recipient.
        context: for the templates.
        key: what the message is about, such as `order-confirmation/FS-7K2M`. It makes the Message-ID, so that a message
            sent twice by an at-least-once task is one message to whoever receives it.
    """
    subject, text, html = (
        render_to_string(f"{template}{ending}", dict(context)) for ending in (".subject.txt", ".txt", ".html")
    )
    name = hashlib.sha256(f"{key}\n{to}".encode()).hexdigest()[:32]
    message = EmailMultiAlternatives(
        subject=" ".join(subject.split()),
        body=text,
        to=[to],
        headers={"Message-ID": f"<{name}@{conf.MAIL_DOMAIN}>"},
    )
    message.attach_alternative(html, "text/html")
    message.send()


class DirectoryEmailBackend(BaseEmailBackend):
    """Keeps each message as one `.eml` file in FASHIONISTAR_COMMON["MAIL_DIRECTORY"], named by its Message-ID.

    For development: what was "sent" can be opened in any mail program, and a message sent twice is one file.
    """

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        if not conf.MAIL_DIRECTORY:
            raise ImproperlyConfigured('DirectoryEmailBackend needs FASHIONISTAR_COMMON["MAIL_DIRECTORY"].')
        directory = Path(conf.MAIL_DIRECTORY)
        directory.mkdir(parents=True, exist_ok=True)
        for email in email_messages:
            message = email.message()
            name = hashlib.sha256(str(message["Message-ID"]).encode()).hexdigest()[:32]
            draft = directory / f".{name}.{os.getpid()}"
            draft.write_bytes(message.as_bytes())
            draft.replace(directory / f"{name}.eml")  # readers see whole messages only
        return len(email_messages)
