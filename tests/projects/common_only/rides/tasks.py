"""What takes time: ids in, retried when it fails."""

from fashionistar_common.notifications import Category, Channel, NotificationKind, Recipient, notify
from fashionistar_common.tasks import task

from .models import Ride

RECEIPT = NotificationKind(
    name="rides.receipt",
    category=Category.TRANSACTIONAL,
    channels=(Channel.EMAIL,),
    template="rides/receipt.html",
    description="A ride was booked.",
)


@task(queue_name="emails", max_attempts=3)
def send_receipt(ride_id: int) -> None:
    """Write to the passenger."""
    ride = Ride.objects.get(pk=ride_id)
    notify(
        RECEIPT,
        to=Recipient(user_id=ride.passenger, email=f"{ride.passenger}@rides.example"),
        key=f"receipt/{ride_id}",
        context={"district": ride.district},
    )
