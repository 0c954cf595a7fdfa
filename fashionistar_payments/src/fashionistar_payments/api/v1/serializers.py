"""The bodies of v1."""

from datetime import UTC
from typing import Any

from fashionistar_common.http.drf import MoneyField
from rest_framework import serializers

from ...types import PaymentStatus


class PaymentIn(serializers.Serializer[Any]):
    """Which order to pay, and by whom."""

    order_number = serializers.CharField(min_length=1, max_length=32)
    provider = serializers.CharField(max_length=64, required=False, allow_blank=True, default="")


class NextActionOut(serializers.Serializer[Any]):
    """What the customer's device has to do now."""

    type = serializers.CharField()
    url = serializers.CharField(allow_blank=True)
    data = serializers.DictField(child=serializers.CharField())  # type: ignore[assignment]


class PaymentOut(serializers.Serializer[Any]):
    """A payment."""

    id = serializers.CharField(source="public_id")
    order_number = serializers.CharField()
    amount = MoneyField()
    provider = serializers.CharField()
    status = serializers.ChoiceField(choices=[status.value for status in PaymentStatus])
    failure_code = serializers.CharField(allow_blank=True)
    next_action = NextActionOut(source="open_action", allow_null=True)
    created_at = serializers.DateTimeField(default_timezone=UTC)


class WebhookOut(serializers.Serializer[Any]):
    """What became of the events."""

    received = serializers.IntegerField()
    processed = serializers.IntegerField()
