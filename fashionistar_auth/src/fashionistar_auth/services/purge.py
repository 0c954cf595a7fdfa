"""Forgetting what no longer matters."""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from ..selectors import dead_refresh_tokens, dead_verifications


@dataclass(frozen=True, kw_only=True)
class Purged:
    """How many rows went."""

    verifications: int
    refresh_tokens: int


@transaction.atomic
def purge_expired() -> Purged:
    """Delete codes that are used or have expired, and spent refresh tokens that have expired. Safe at any time."""
    now = timezone.now()
    verifications, _ = dead_verifications(at=now).delete()
    refresh_tokens, _ = dead_refresh_tokens(at=now).delete()
    return Purged(verifications=verifications, refresh_tokens=refresh_tokens)
