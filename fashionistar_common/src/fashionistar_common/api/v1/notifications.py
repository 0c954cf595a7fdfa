"""v1: what somebody wants to be told, and in which browsers."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ...http.drf import ApiView, IsAuthenticated, actor_of, bearer
from ...models import Category, Channel
from ...notifications.preferences import Preference, preferences_of, set_preferences
from ...notifications.subscriptions import subscribe_browser, unsubscribe_browser


class PreferenceIn(serializers.Serializer[object]):
    category = serializers.ChoiceField(choices=Category.values)
    channel = serializers.ChoiceField(choices=Channel.values)
    enabled = serializers.BooleanField()


class PreferenceOut(PreferenceIn):
    locked = serializers.BooleanField(help_text="It cannot be switched off.")


class PreferencesIn(serializers.Serializer[object]):
    preferences = serializers.ListField(child=PreferenceIn(), max_length=100)


class PreferencesOut(serializers.Serializer[object]):
    preferences = PreferenceOut(many=True)


class PushKeys(serializers.Serializer[object]):
    p256dh = serializers.CharField(max_length=200)
    auth = serializers.CharField(max_length=100)


class PushSubscriptionIn(serializers.Serializer[object]):
    endpoint = serializers.CharField(max_length=1000)
    keys = PushKeys()


class PushSubscriptionOut(serializers.Serializer[object]):
    id = serializers.UUIDField(source="public_id")


@extend_schema(tags=["notifications"])
class Preferences(ApiView):
    authentication_classes = [bearer()]
    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="notification_preferences", summary="What I want to be told", responses=PreferencesOut)
    def get(self, request: Request) -> Response:
        """Every category by every channel of this site."""
        found = preferences_of(actor_of(request._request).id)
        return Response(PreferencesOut({"preferences": found}).data)

    @extend_schema(
        operation_id="set_notification_preferences",
        summary="Change what I want to be told",
        request=PreferencesIn,
        responses=PreferencesOut,
    )
    def put(self, request: Request) -> Response:
        """Replace them; what is left out returns to its default."""
        body = PreferencesIn(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = [
            Preference(category=Category(item["category"]), channel=Channel(item["channel"]), enabled=item["enabled"])
            for item in body.validated_data["preferences"]
        ]
        return Response(PreferencesOut({"preferences": set_preferences(actor_of(request._request).id, wanted)}).data)


@extend_schema(tags=["notifications"])
class PushSubscriptions(ApiView):
    authentication_classes = [bearer()]
    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="subscribe_browser",
        summary="Show messages in this browser",
        request=PushSubscriptionIn,
        responses={201: PushSubscriptionOut},
    )
    def post(self, request: Request) -> Response:
        """Keep what `pushManager.subscribe()` gave; done twice it is one subscription."""
        body = PushSubscriptionIn(data=request.data)
        body.is_valid(raise_exception=True)
        data = body.validated_data
        made = subscribe_browser(actor_of(request._request).id, endpoint=data["endpoint"], **data["keys"])
        return Response(PushSubscriptionOut(made).data, status=201)


@extend_schema(tags=["notifications"])
class PushSubscriptionDetail(ApiView):
    authentication_classes = [bearer()]
    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="unsubscribe_browser", summary="Show no more messages in this browser", responses={204: None}
    )
    def delete(self, request: Request, subscription_id: UUID) -> Response:
        """Forget the subscription."""
        unsubscribe_browser(actor_of(request._request).id, subscription_id)
        return Response(status=204)
