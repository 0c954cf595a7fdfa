"""Six-digit codes that are derived, not stored."""

import secrets
from uuid import UUID

from django.utils.crypto import constant_time_compare, salted_hmac

_SALT = "fashionistar_auth.email_verification"


def new_nonce() -> str:
    """128 random bits: what the next code is derived from."""
    return secrets.token_hex(16)


def code_for(public_id: UUID, nonce: str) -> str:
    """The six digits of this user's nonce under `SECRET_KEY`; the same each time."""
    digest = salted_hmac(_SALT, f"{public_id}:{nonce}", algorithm="sha256").digest()
    return f"{int.from_bytes(digest[:8]) % 1_000_000:06d}"


def code_matches(code: str, public_id: UUID, nonce: str) -> bool:
    """Compare in constant time."""
    return constant_time_compare(code, code_for(public_id, nonce))
