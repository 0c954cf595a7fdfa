"""Builders for the tests of whoever uses this app."""

from itertools import count

from django.utils import timezone
from fashionistar_common.types import Role

from .codes import code_for
from .models import EmailVerification, User
from .tokens import issue_tokens
from .types import TokenPair

PASSWORD = "correct horse battery staple"  # noqa: S105 - of test accounts
_number = count(1)


def make_user(
    *,
    email: str | None = None,
    role: Role = Role.CLIENT,
    password: str = PASSWORD,
    verified: bool = True,
    **fields: object,
) -> User:
    """An account that can log in; with `verified=False`, one that waits for its code."""
    email = email or f"{role.value}{next(_number)}@shop.example"
    fields.setdefault("email_verified_at", timezone.now() if verified else None)
    return User.objects.create_user(email, password, role=role.value, **fields)


def tokens_for(user: User) -> TokenPair:
    """A new access and refresh token."""
    return issue_tokens(user.actor)


def bearer_header(user: User) -> dict[str, str]:
    """For a test client: `client.get(url, headers=bearer_header(user))`."""
    return {"Authorization": f"Bearer {tokens_for(user).access}"}


def mailed_code(user: User) -> str:
    """The code that the user's next or last verification mail holds."""
    return code_for(user.public_id, EmailVerification.objects.get(user=user).nonce)
