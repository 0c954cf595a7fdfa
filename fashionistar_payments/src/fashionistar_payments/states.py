"""What a payment may become. Pure: no database, no clock."""

from .types import NoticeKind, PaymentStatus

#: At most one payment of an order is in one of these.
LIVE = (PaymentStatus.PENDING, PaymentStatus.SUCCEEDED)

_PENDING, _SUCCEEDED = PaymentStatus.PENDING, PaymentStatus.SUCCEEDED
_FAILED, _CANCELLED = PaymentStatus.FAILED, PaymentStatus.CANCELLED

# Gateways deliver out of order, and a failed attempt may be followed by a good one on the same reference.
# So success is believed in every state, because money has moved, and nothing but a refund undoes it.
_AFTER: dict[tuple[PaymentStatus, NoticeKind], PaymentStatus] = {
    (_PENDING, NoticeKind.PAYMENT_SUCCEEDED): _SUCCEEDED,
    (_PENDING, NoticeKind.PAYMENT_FAILED): _FAILED,
    (_PENDING, NoticeKind.PAYMENT_CANCELLED): _CANCELLED,
    (_FAILED, NoticeKind.PAYMENT_SUCCEEDED): _SUCCEEDED,
    (_CANCELLED, NoticeKind.PAYMENT_SUCCEEDED): _SUCCEEDED,
}


def status_after(status: PaymentStatus, kind: NoticeKind) -> PaymentStatus:
    """The status once a gateway has said `kind`; the same status when that changes nothing."""
    return _AFTER.get((status, kind), status)
