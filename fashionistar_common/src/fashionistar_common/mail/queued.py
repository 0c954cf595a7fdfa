"""Django's own mail through the queue `emails`."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.core.mail.backends.base import BaseEmailBackend
from django.core.mail.message import EmailMessage

from ..conf import conf
from ..tasks import task
from .carrying import MailTooLargeError, packed, unpacked

__all__ = ["MailTooLargeError", "QueuedEmailBackend", "mail_connection", "send_queued_email"]


class QueuedEmailBackend(BaseEmailBackend):
    """An e-mail backend that queues every message, in the present transaction; a task sends it.

    Whoever calls Django's mail functions, as password resets and `mail_admins` do, waits for no mail server and loses
    no mail to one that is down. Each message gets its Message-ID and Date here, so that tried again it is the same one.

        MAILERS = {  # Django 6.1
            "default": {"BACKEND": "fashionistar_common.mail.QueuedEmailBackend", "OPTIONS": {"mailer": "smtp"}},
            "smtp": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": {"host": ...}},
        }

    With the EMAIL_* settings, EMAIL_BACKEND names this class and FASHIONISTAR_COMMON["MAIL_BACKEND"] what sends.

    Args:
        mailer: the alias of MAILERS that the task sends through.
    """

    def __init__(self, *, mailer: str = "", fail_silently: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.mailer, self.fail_silently = mailer, fail_silently

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Queue the messages; returns how many.

        Raises:
            MailTooLargeError: one is larger than MAIL_QUEUE_BYTES. None has been queued.
            TypeError: one is no plain EmailMessage or EmailMultiAlternatives. None has been queued.
        """
        carried = [packed(message) for message in email_messages if message.recipients()]
        for message in carried:
            send_queued_email.enqueue(message, self.mailer)
        return len(carried)


@task(queue_name="emails")
def send_queued_email(message: dict[str, Any], mailer: str = "") -> None:
    """Send one message through the backend behind the queue."""
    _behind_the_queue(mailer).send_messages([unpacked(message)])


def mail_connection(mailer: str = "") -> BaseEmailBackend:
    """What really sends this project's mail: its backend, or what is behind the queue.

    Args:
        mailer: an alias of MAILERS; empty: the default.
    """
    connection = mail.mailers[mailer] if mailer else _default()
    if isinstance(connection, QueuedEmailBackend):
        return _behind_the_queue(connection.mailer)
    return connection


def _default() -> BaseEmailBackend:
    return mail.mailers.default if hasattr(settings, "MAILERS") else mail.get_connection()


def _behind_the_queue(mailer: str) -> BaseEmailBackend:
    """Raises ImproperlyConfigured where that is the queue again, or nothing."""
    if hasattr(settings, "MAILERS"):
        if not mailer:
            raise ImproperlyConfigured("The OPTIONS of QueuedEmailBackend need a mailer, an alias of MAILERS.")
        connection: BaseEmailBackend = mail.mailers[mailer]
    else:
        connection = mail.get_connection(conf.MAIL_BACKEND)
    if isinstance(connection, QueuedEmailBackend):
        raise ImproperlyConfigured("QueuedEmailBackend sends through itself.")
    return connection
