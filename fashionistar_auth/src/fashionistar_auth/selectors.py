"""Reads."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet
from fashionistar_common.types import Actor

from .exceptions import InvalidTokenError
from .models import EmailVerification, SpentRefreshToken, User


def user_of(actor: Actor) -> User:
    """The account behind a verified token. One query.

    Raises:
        InvalidTokenError: the account is gone, switched off or has another role since the token was issued.
    """
    user = _active(actor.id).filter(role=actor.role).first()
    if user is None:
        raise InvalidTokenError
    return user


def user_by_public_id(public_id: str) -> User | None:
    """The active account that other apps know by this id."""
    return _active(public_id).first()


def waiting_verification(public_id: str) -> EmailVerification | None:
    """What an active user still has to prove, with the user. One query."""
    waiting = EmailVerification.objects.select_related("user").filter(user__in=_active(public_id), used_at__isnull=True)
    return waiting.filter(user__email_verified_at__isnull=True).first()


def user_by_email(email: str) -> User | None:
    """The account with this address in any case. One query."""
    if not email.isprintable():  # no address, and nothing that a database takes: NUL, half of a surrogate pair
        return None
    try:
        return User.objects.get_by_natural_key(email)
    except User.DoesNotExist:
        return None


def dead_verifications(*, at: datetime) -> QuerySet[EmailVerification]:
    """Codes that can no longer be used, a day after they were asked for: until then support may look at them."""
    over = Q(used_at__isnull=False) | Q(expires_at__lt=at) | Q(expires_at__isnull=True)
    return EmailVerification.objects.filter(over, requested_at__lt=at - timedelta(days=1))


def dead_refresh_tokens(*, at: datetime) -> QuerySet[SpentRefreshToken]:
    """Spent refresh tokens that have expired, so that forgetting them allows nothing."""
    return SpentRefreshToken.objects.filter(expires_at__lt=at)


def _active(public_id: str) -> QuerySet[User]:
    try:
        return User.objects.filter(public_id=UUID(public_id), is_active=True)
    except ValueError:
        return User.objects.none()
