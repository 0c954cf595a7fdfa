"""The rules: what a ride costs, and what happens when one is booked."""

from django.db import transaction
from fashionistar_common import audit
from fashionistar_common.events import event_bus
from fashionistar_common.exceptions import NotFoundError
from fashionistar_common.money import Money

from .events import RideBooked
from .models import Ride

FARES = {"ikeja": Money(250_000, "NGN"), "yaba": Money(180_000, "NGN")}


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
    """Book a ride; its event and its entry in the audit log are part of the transaction."""
    fare = fare_to(district)
    ride = Ride.objects.create(district=district, passenger=passenger, fare_minor=fare.amount_minor)
    audit.record("rides.ride_booked", ride, changes={"fare": [None, fare.to_json()]})
    event_bus.publish(RideBooked(ride=ride.pk, passenger=passenger))
    return fare
