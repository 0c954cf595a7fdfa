"""Logging in and staying so."""

from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.utils import timezone

from ..exceptions import AccountInactiveError, EmailNotVerifiedError, InvalidCredentialsError, InvalidTokenError
from ..models import SpentRefreshToken
from ..selectors import user_by_email, user_of
from ..tokens import issue_tokens, read_refresh_token
from ..types import TokenPair


def login(*, email: str, password: str) -> TokenPair:
    """Exchange address and password for tokens.

    An unknown address costs one password hash like a known one. Why an account may not log in is told to nobody but
    who has its password. No transaction is open while the password is hashed.

    Raises:
        InvalidCredentialsError: nobody has this address and password.
        EmailNotVerifiedError: right, but the address is not verified yet.
        AccountInactiveError: right, but the account is switched off.
    """
    user = user_by_email(email)
    if user is None:
        make_password(password)
        raise InvalidCredentialsError
    if not user.check_password(password):
        raise InvalidCredentialsError
    if not user.is_active:
        raise AccountInactiveError
    if not user.is_email_verified:
        raise EmailNotVerifiedError
    user.last_login = timezone.now()
    user.save(update_fields=["last_login"])
    return issue_tokens(user.actor)


@transaction.atomic
def refresh(*, refresh: str) -> TokenPair:
    """Exchange a refresh token for the next pair; the token is spent.

    The unique row of its `jti` decides, so of any number of exchanges at once one succeeds.

    Raises:
        InvalidTokenError: not ours, expired, spent, or its account is gone, switched off or has another role now.
    """
    token = read_refresh_token(refresh)
    user = user_of(token.actor)
    _, first_use = SpentRefreshToken.objects.get_or_create(
        jti=token.jti, defaults={"user": user, "expires_at": token.expires_at}
    )
    if not first_use:
        raise InvalidTokenError
    return issue_tokens(user.actor)
