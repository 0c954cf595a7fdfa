"""v2: what somebody wants to be told, and in which browsers."""

from typing import Annotated
from uuid import UUID

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from ninja import Field, Router, Schema, Status
from pydantic import StrictBool

from ...http.ninja import PROBLEMS, Bearer, Text, actor_of
from ...models import Category, Channel, PushSubscription
from ...notifications.preferences import Preference, preferences_of, set_preferences
from ...notifications.subscriptions import subscribe_browser, unsubscribe_browser


class PreferenceIn(Schema):
    category: Category
    channel: Channel
    enabled: StrictBool


class PreferenceOut(Schema):
    category: Category
    channel: Channel
    enabled: bool
    locked: bool = Field(description="It cannot be switched off.")


class PreferencesIn(Schema):
    preferences: Annotated[list[PreferenceIn], Field(max_length=100)]


class PreferencesOut(Schema):
    preferences: list[PreferenceOut]


class PushKeys(Schema):
    p256dh: Annotated[Text, Field(min_length=1, max_length=200)]
    auth: Annotated[Text, Field(min_length=1, max_length=100)]


class PushSubscriptionIn(Schema):
    endpoint: Annotated[Text, Field(min_length=1, max_length=1000)]
    keys: PushKeys


class PushSubscriptionOut(Schema):
    id: UUID = Field(validation_alias="public_id")


async def notification_preferences(request: HttpRequest) -> dict[str, list[Preference]]:
    """Every category by every channel of this site."""
    return {"preferences": await sync_to_async(preferences_of)(actor_of(request).id)}


async def set_notification_preferences(request: HttpRequest, body: PreferencesIn) -> dict[str, list[Preference]]:
    """Replace them; what is left out returns to its default."""
    wanted = [
        Preference(category=item.category, channel=item.channel, enabled=item.enabled) for item in body.preferences
    ]
    return {"preferences": await sync_to_async(set_preferences)(actor_of(request).id, wanted)}


async def subscribe(request: HttpRequest, body: PushSubscriptionIn) -> Status[PushSubscription]:
    """Keep what `pushManager.subscribe()` gave; done twice it is one subscription."""
    made = await sync_to_async(subscribe_browser)(
        actor_of(request).id, endpoint=body.endpoint, p256dh=body.keys.p256dh, auth=body.keys.auth
    )
    return Status(201, made)


async def unsubscribe(request: HttpRequest, subscription_id: UUID) -> Status[None]:
    """Forget the subscription."""
    await sync_to_async(unsubscribe_browser)(actor_of(request).id, subscription_id)
    return Status(204, None)


def create_router() -> Router:
    """A new router; each can be mounted once."""
    router = Router(auth=Bearer(), tags=["notifications"])
    preferences = {200: PreferencesOut, **PROBLEMS}
    router.get(
        "/preferences",
        response=preferences,
        operation_id="notification_preferences",
        summary="What I want to be told",
    )(notification_preferences)
    router.put(
        "/preferences",
        response=preferences,
        operation_id="set_notification_preferences",
        summary="Change what I want to be told",
    )(set_notification_preferences)
    router.post(
        "/push-subscriptions",
        response={201: PushSubscriptionOut, **PROBLEMS},
        operation_id="subscribe_browser",
        summary="Show messages in this browser",
    )(subscribe)
    router.delete(
        "/push-subscriptions/{uuid:subscription_id}",
        response={204: None, **PROBLEMS},
        operation_id="unsubscribe_browser",
        summary="Show no more messages in this browser",
    )(unsubscribe)
    return router
