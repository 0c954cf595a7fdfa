"""What this app writes to people."""

from collections.abc import Mapping
from typing import Any

from fashionistar_common.notifications import Category, Channel, NotificationKind, Recipient, notify

from . import services
from .selectors import user_by_public_id, waiting_verification


def _code(stored: Mapping[str, Any]) -> dict[str, Any] | None:
    """The code, which is nowhere stored; None once the address is verified or a newer code is on its way."""
    mail = services.take_code_to_mail(user_id=stored["user_id"])
    if mail is None or mail.key != stored["key"]:
        return None
    return {"code": mail.code, "minutes": mail.minutes}


def _account(stored: Mapping[str, Any]) -> dict[str, Any] | None:
    user = user_by_public_id(stored["user_id"])
    return {"verified": user.is_email_verified} if user else None


VERIFY_EMAIL = NotificationKind(
    name="auth.verify_email",
    category=Category.TRANSACTIONAL,
    channels=(Channel.EMAIL,),
    template="fashionistar_auth/mail/verify_email.html",
    description="The code that proves an address.",
    context=_code,
    urgent=True,
)
ACCOUNT_EXISTS = NotificationKind(
    name="auth.account_exists",
    category=Category.TRANSACTIONAL,
    channels=(Channel.EMAIL,),
    template="fashionistar_auth/mail/account_exists.html",
    description="Somebody tried to register an address that has an account.",
    context=_account,
)


def send_code(user_id: str) -> None:
    """Have the user's present code mailed, once; nothing, when there is nothing to verify any more."""
    verification = waiting_verification(user_id)
    if verification is not None:
        key = verification.mail_key
        to = Recipient(user_id=user_id, email=verification.user.email)
        notify(VERIFY_EMAIL, to=to, key=key, context={"user_id": user_id, "key": key})


def tell_owner(user_id: str, *, event_id: str) -> None:
    """Tell the owner of an account that somebody tried to register its address again."""
    user = user_by_public_id(user_id)
    if user is not None:
        to = Recipient(user_id=user_id, email=user.email)
        notify(ACCOUNT_EXISTS, to=to, key=f"auth/account-exists/{event_id}", context={"user_id": user_id})
