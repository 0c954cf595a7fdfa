"""Writes: what can be done with an account."""

from .accounts import register_user, update_profile
from .purge import Purged, purge_expired
from .sessions import login, refresh
from .verification import resend_verification, take_code_to_mail, verify_email

__all__ = [
    "Purged",
    "login",
    "purge_expired",
    "refresh",
    "register_user",
    "resend_verification",
    "take_code_to_mail",
    "update_profile",
    "verify_email",
]
