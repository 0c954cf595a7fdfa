"""What happens after a booking has been committed; `manage.py relay_events` calls it."""

from dataclasses import dataclass

from fashionistar_common.events import event_bus

from .tasks import send_receipt


@dataclass(frozen=True)
class SeenRide:
    """What the receipt needs of `rides.ride_booked`."""

    ride: int


@event_bus.subscribe("rides.ride_booked", version=1)
def enqueue_receipt_on_ride_booked(event: SeenRide) -> None:
    """The passenger gets a receipt, once, however often this is delivered."""
    send_receipt.using(key=f"receipt/{event.ride}").enqueue(event.ride)
