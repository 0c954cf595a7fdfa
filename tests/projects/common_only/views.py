"""One read and one write, in v1. What they raise becomes a problem document, what they create happens once."""

from dataclasses import dataclass

from django.db import transaction
from drf_spectacular.utils import extend_schema
from fashionistar_common.events import Event, event_bus
from fashionistar_common.exceptions import NotFoundError
from fashionistar_common.http.drf import ApiView, IsAuthenticated, MoneyField, actor_of, bearer
from fashionistar_common.money import Money
from fashionistar_common.types import Role
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

FARES = {"ikeja": Money(250_000, "NGN"), "yaba": Money(180_000, "NGN")}


@dataclass(frozen=True, kw_only=True)
class RideBooked(Event, name="rides.ride_booked", version=1, aggregate="district"):
    """Somebody wants to go there."""

    district: str
    passenger: str


def fare_to(district: str) -> Money:
    """What a ride costs.

    Raises:
        NotFoundError: nobody drives there.
    """
    if district not in FARES:
        raise NotFoundError
    return FARES[district]


@transaction.atomic
def book_ride(district: str, *, passenger: str) -> Money:
    """Book a ride; the event leaves with this transaction or not at all."""
    fare = fare_to(district)
    event_bus.publish(RideBooked(district=district, passenger=passenger))
    return fare


class FareOut(serializers.Serializer):
    """A fare."""

    district = serializers.CharField()
    fare = MoneyField()


class Fare(ApiView):
    """`GET api/v1/fares/yaba`, `POST` to book it."""

    authentication_classes = [bearer(Role.CLIENT)]
    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="fare", responses=FareOut)
    def get(self, request: Request, district: str) -> Response:
        return Response(FareOut({"district": district, "fare": fare_to(district)}).data)

    @extend_schema(operation_id="book", request=None, responses={201: FareOut})
    def post(self, request: Request, district: str) -> Response:
        fare = book_ride(district, passenger=actor_of(request).id)
        return Response(FareOut({"district": district, "fare": fare}).data, status=201)
