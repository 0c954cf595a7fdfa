"""What people want to hear, and by which channel."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.core import signing
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from ..conf import conf
from ..exceptions import FieldError, InvalidError, NotFoundError
from ..models import Category, Channel, NotificationPreference

DEFAULTS = {Category.TRANSACTIONAL: True, Category.UPDATES: True, Category.MARKETING: False}
_SALT = "fashionistar_common.notifications.unsubscribe"


class PreferenceLockedError(InvalidError):
    """What somebody must be told cannot be switched off."""

    code = "preference_locked"


@dataclass(frozen=True, kw_only=True)
class Preference:
    """Whether a user wants a category by a channel.

    Attributes:
        locked: it cannot be switched off.
    """

    category: Category
    channel: Channel
    enabled: bool

    @property
    def locked(self) -> bool:
        return self.category == Category.TRANSACTIONAL


def channels_switched_on(user_id: str, category: Category) -> set[Channel]:
    """The channels by which a user wants a category: one query, none for what cannot be switched off.

    A guest has nowhere to switch anything off, so gets nothing that could be.
    """
    if category == Category.TRANSACTIONAL:
        return set(Channel)
    if not user_id:
        return set()
    chosen = _chosen(user_id)
    return {channel for channel in Channel if chosen.get((category, channel), DEFAULTS[category])}


def preferences_of(user_id: str) -> list[Preference]:
    """Every category by every channel that this project has. One query."""
    chosen = _chosen(user_id)
    return [
        Preference(category=category, channel=channel, enabled=chosen.get((category, channel), DEFAULTS[category]))
        for category in Category
        for channel in Channel
        if channel in conf.NOTIFICATION_PROVIDERS
    ]


@transaction.atomic
def set_preferences(user_id: str, wanted: Iterable[Preference]) -> list[Preference]:
    """Replace a user's preferences; what is not mentioned returns to its category's default.

    All rows are written in one order, so of two calls at once one is whole.

    Raises:
        PreferenceLockedError: on switching off what cannot be.
    """
    choices = {(category, channel): DEFAULTS[category] for category in Category for channel in Channel}
    for index, preference in enumerate(wanted):
        if preference.locked and not preference.enabled:
            fault = FieldError(pointer=f"/preferences/{index}/enabled", detail=f"{preference.category} stays on.")
            raise PreferenceLockedError(errors=[fault])
        choices[preference.category, preference.channel] = preference.enabled
    _store(user_id, {place: on for place, on in choices.items() if place[0] != Category.TRANSACTIONAL})
    return preferences_of(user_id)


def unsubscribe_url(user_id: str, category: Category, channel: Channel) -> str:
    """The address behind which a category can be switched off without logging in; empty where there is none.

    It does not expire: people unsubscribe from old mail.
    """
    if category == Category.TRANSACTIONAL or not user_id or not conf.PUBLIC_URL:
        return ""
    token = signing.Signer(salt=_SALT).sign_object([user_id, category, channel])
    path = reverse("fashionistar_common:unsubscribe", args=[token])
    return f"{conf.PUBLIC_URL.rstrip('/')}{path}"


def read_unsubscribe_token(token: str) -> tuple[str, Category, Channel]:
    """The user, category and channel of a link.

    Raises:
        NotFoundError: we have not signed it.
    """
    try:
        user_id, category, channel = signing.Signer(salt=_SALT).unsign_object(token)
        return user_id, Category(category), Channel(channel)
    except (signing.BadSignature, ValueError, TypeError) as error:
        raise NotFoundError from error


def unsubscribe(token: str) -> Category:
    """Switch off what a link is for; again and again is the same.

    Raises:
        NotFoundError: we have not signed it.
    """
    user_id, category, channel = read_unsubscribe_token(token)
    _store(user_id, {(category, channel): False})
    return category


def _chosen(user_id: str) -> dict[tuple[str, str], bool]:
    rows = NotificationPreference.objects.filter(user_id=user_id)
    return {(category, channel): on for category, channel, on in rows.values_list("category", "channel", "enabled")}


def _store(user_id: str, choices: dict[tuple[Category, Channel], bool]) -> None:
    NotificationPreference.objects.bulk_create(
        [
            NotificationPreference(
                user_id=user_id, category=category, channel=channel, enabled=enabled, changed_at=timezone.now()
            )
            for (category, channel), enabled in choices.items()
        ],
        update_conflicts=True,
        unique_fields=["user_id", "category", "channel"],
        update_fields=["enabled", "changed_at"],
    )
