"""Messages to people: e-mail, SMS and web push behind one door.

    ORDER_CONFIRMATION = NotificationKind(
        name="orders.order_confirmation",
        category=Category.TRANSACTIONAL,
        channels=(Channel.EMAIL,),
        template="fashionistar_orders/confirmation.html",
        description="The payment of an order has arrived.",
    )

    notify(ORDER_CONFIRMATION, to=Recipient(user_id=..., email=...), context={"number": number}, key=number)

`notify()` writes one row for each address and queues a task for it, in the caller's transaction. The task renders and
sends. One kind and key is one message to an address, however often it is asked for.
"""

from ..models import Category, Channel
from .addresses import Recipient
from .kinds import NotificationKind, kinds
from .notifying import notify
from .retention import erase_notifications, purge_notifications

__all__ = [
    "Category",
    "Channel",
    "NotificationKind",
    "Recipient",
    "erase_notifications",
    "kinds",
    "notify",
    "purge_notifications",
]
