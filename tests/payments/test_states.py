import pytest
from fashionistar_payments.states import LIVE, status_after
from fashionistar_payments.types import NoticeKind, PaymentStatus

CHANGES = {
    ("pending", "payment_succeeded"): "succeeded",
    ("pending", "payment_failed"): "failed",
    ("pending", "payment_cancelled"): "cancelled",
    ("failed", "payment_succeeded"): "succeeded",  # another card on the same payment page
    ("cancelled", "payment_succeeded"): "succeeded",  # money is a fact
}


@pytest.mark.parametrize("kind", NoticeKind)
@pytest.mark.parametrize("status", PaymentStatus)
def test_nothing_but_these_five_changes_is_possible(status: PaymentStatus, kind: NoticeKind) -> None:
    assert status_after(status, kind) == CHANGES.get((status.value, kind.value), status.value)


def test_what_counts_for_an_order_is_pending_or_succeeded() -> None:
    assert set(LIVE) == {PaymentStatus.PENDING, PaymentStatus.SUCCEEDED}
