"""E-mail, by whatever this project's Django sends mail with."""

import smtplib

from django.core.mail import EmailMultiAlternatives

from ...conf import conf
from ...mail import mail_connection
from . import DeliveryError, Message, PermanentDeliveryError


class EmailProvider:
    """Sends through Django's mail settings: `MAILERS` (Django 6.1) or `EMAIL_*`.

    The message's id is the `Message-ID`, by which most mailboxes know a repetition. Where the project's mail goes
    through `mail.QueuedEmailBackend`, this goes straight to what stands behind that queue: it comes from a queue.

    Args:
        mailer: an alias of MAILERS; empty: the default.
        from_email: who writes; empty: DEFAULT_FROM_EMAIL.
    """

    def __init__(self, *, mailer: str = "", from_email: str = "") -> None:
        self.mailer, self.from_email = mailer, from_email

    def send(self, message: Message) -> str:
        name = f"<{message.id}@{conf.MAIL_DOMAIN}>"
        email = EmailMultiAlternatives(
            subject=message.subject,
            body=message.text,
            from_email=self.from_email or None,
            to=[message.to],
            headers={"Message-ID": name, **message.headers},
        )
        if message.html:
            email.attach_alternative(message.html, "text/html")
        try:
            mail_connection(self.mailer).send_messages([email])
        except smtplib.SMTPRecipientsRefused as error:
            # The codes alone, and no cause: what the server says repeats the address.
            codes = sorted({code for code, _ in error.recipients.values()})
            kind = PermanentDeliveryError if codes[0] >= 500 else DeliveryError
            raise kind(f"the mail server refuses it: {', '.join(map(str, codes))}") from None
        except smtplib.SMTPDataError as error:
            if error.smtp_code >= 500:
                raise PermanentDeliveryError(f"the mail server refuses it: {error.smtp_code}") from error
            raise
        return name
