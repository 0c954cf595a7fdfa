"""One read and one write, in v1. What their services raise becomes a problem document."""

from drf_spectacular.utils import extend_schema
from fashionistar_common.http.drf import ApiView, IsAuthenticated, MoneyField, actor_of, bearer
from fashionistar_common.types import Role
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rides.services import book_ride, fare_to


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
