"""Moments on a command line."""

from argparse import ArgumentTypeError
from datetime import datetime

from django.utils import timezone


def moment(written: str) -> datetime:
    """Read a date or a moment (ISO 8601); without a zone it is the project's."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError as error:
        raise ArgumentTypeError(f"{written!r} is no date or moment.") from error
    return found if timezone.is_aware(found) else timezone.make_aware(found)
