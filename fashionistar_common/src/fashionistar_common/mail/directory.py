import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage

from ..conf import conf


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
