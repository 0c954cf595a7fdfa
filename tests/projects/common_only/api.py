"""The same read and write in v2: same rules, same bodies."""

from asgiref.sync import sync_to_async
from django.http import HttpRequest
from fashionistar_common.http.ninja import PROBLEMS, Bearer, actor_of, install_problem_handlers
from fashionistar_common.money import Money
from fashionistar_common.types import Role
from ninja import NinjaAPI, Schema
from ninja.responses import Status
from rides.services import book_ride, fare_to

api = NinjaAPI(title="Common only, v2", version="2.0.0", auth=Bearer(Role.CLIENT))
install_problem_handlers(api)


class FareOut(Schema):
    """A fare."""

    district: str
    fare: Money


@api.get("/fares/{district}", response={200: FareOut, **PROBLEMS})
async def fare(request: HttpRequest, district: str) -> FareOut:
    return FareOut(district=district, fare=fare_to(district))


@api.post("/fares/{district}", response={201: FareOut, **PROBLEMS})
async def book(request: HttpRequest, district: str) -> Status[FareOut]:
    price = await sync_to_async(book_ride)(district, passenger=actor_of(request).id)
    return Status(201, FareOut(district=district, fare=price))
