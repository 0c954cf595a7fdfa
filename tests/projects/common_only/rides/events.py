"""What this app tells."""

from dataclasses import dataclass

from fashionistar_common.events import Event


@dataclass(frozen=True, kw_only=True)
class RideBooked(Event, name="rides.ride_booked", version=1, aggregate="ride"):
    """Somebody wants to go there."""

    ride: int
    passenger: str
