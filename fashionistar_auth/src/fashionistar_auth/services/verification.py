"""Proving that an address is one's own."""

import math

from django.db import transaction
from django.utils import timezone
from fashionistar_common import audit
from fashionistar_common.db import lock_rows
from fashionistar_common.events import event_bus
from fashionistar_common.types import Actor, Role

from ..codes import code_for, code_matches, new_nonce
from ..conf import conf
from ..events import EmailVerified, VerificationRequested
from ..exceptions import InvalidCodeError
from ..models import LONGEST_PAUSE, EmailVerification, User
from ..selectors import user_by_email
from ..types import CodeToMail


def verify_email(*, email: str, code: str) -> User:
    """Spend a code and mark the address as verified.

    The user's verification row is locked, so of any number of submits at once one succeeds. A wrong code is counted
    even though this raises: the count is committed first, which is why this refuses to run inside another transaction.

    Publishes `auth.email_verified`.

    Raises:
        InvalidCodeError: wrong, expired, locked, used, or nobody has this address; it does not say which.
        RuntimeError: called inside a transaction.
    """
    with transaction.atomic(durable=True):
        user = _spend(email, code)
    if user is None:
        raise InvalidCodeError
    return user


@transaction.atomic
def resend_verification(*, email: str) -> None:
    """Replace the user's code and have it mailed.

    Does nothing, and tells nothing, for an address that is unknown, verified or switched off, and in the pause behind
    the last code: `VERIFICATION_COOLDOWN`, doubled with each code in a row, at most a day. The row is locked: of two
    requests at once one counts.

    Publishes `auth.verification_requested`.
    """
    user = user_by_email(email)
    if user is None or user.is_email_verified or not user.is_active:
        return
    verification, created = EmailVerification.objects.get_or_create(user=user, defaults={"nonce": new_nonce()})
    if not created:
        (verification,) = lock_rows(EmailVerification.objects.filter(pk=verification.pk))
        now = timezone.now()
        if now < verification.next_code_at:
            return
        verification.codes = verification.codes + 1 if now < verification.requested_at + LONGEST_PAUSE else 1
        verification.nonce = new_nonce()
        verification.tries = 0
        verification.requested_at = now
        verification.sent_at = verification.expires_at = verification.used_at = None
        verification.save()
    event_bus.publish(VerificationRequested(user_id=str(user.public_id)))


@transaction.atomic
def take_code_to_mail(*, user_id: str) -> CodeToMail | None:
    """The user's present code, to be mailed now; None when there is nothing to verify any more.

    The first call starts the code's time. A later one, from a mail that is tried again, gives the same code under the
    same key and leaves the time alone, unless it has run out. So whatever was mailed last is what is valid.
    """
    pending = EmailVerification.objects.select_related("user").filter(
        user__public_id=user_id, user__is_active=True, user__email_verified_at__isnull=True, used_at__isnull=True
    )
    verification = next(iter(lock_rows(pending)), None)
    if verification is None:
        return None
    now = timezone.now()
    if verification.expires_at is None or verification.expires_at <= now:
        verification.expires_at = now + conf.VERIFICATION_LIFETIME
        verification.sent_at = verification.sent_at or now
        verification.save(update_fields=["expires_at", "sent_at"])
    user = verification.user
    return CodeToMail(
        code=code_for(user.public_id, verification.nonce),
        key=verification.mail_key,
        minutes=math.ceil(conf.VERIFICATION_LIFETIME.total_seconds() / 60),
    )


def _spend(email: str, code: str) -> User | None:
    """The user whose code this was; None if it was not. Counts a wrong try."""
    user = user_by_email(email)
    if user is None or not user.is_active:
        return None
    verification = next(iter(lock_rows(EmailVerification.objects.filter(user=user))), None)
    now = timezone.now()
    if verification is None or not verification.accepts_codes_at(now):
        return None
    if not code_matches(code, user.public_id, verification.nonce):
        verification.tries += 1
        verification.save(update_fields=["tries"])
        return None
    verification.used_at = now
    verification.save(update_fields=["used_at"])
    user.email_verified_at = now
    user.save(update_fields=["email_verified_at", "updated_at"])
    event_bus.publish(EmailVerified(user_id=str(user.public_id), email=user.email, role=user.role))
    audit.record("auth.email_verified", user, actor=Actor(id=str(user.public_id), role=Role(user.role)))
    return user
