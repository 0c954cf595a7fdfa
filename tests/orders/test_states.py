"""Totals, splits and transitions, without a database."""

import pytest
from fashionistar_common.money import CurrencyMismatchError, Money
from fashionistar_orders.exceptions import TransitionError
from fashionistar_orders.models import NUMBER_ALPHABET, new_order_number
from fashionistar_orders.states import next_status, payment_outcome, split_by_vendor, total_of
from fashionistar_orders.types import OrderStatus, PaymentOutcome, PricedLine
from hypothesis import given
from hypothesis import strategies as st

currencies = st.sampled_from(["NGN", "USD", "JPY", "KWD"])


@st.composite
def priced_lines(draw: st.DrawFn) -> tuple[str, list[PricedLine]]:
    currency = draw(currencies)
    skus = draw(st.lists(st.text("ABCDEF0123456789", min_size=1, max_size=8), min_size=1, max_size=20, unique=True))
    return currency, [
        PricedLine(
            sku=sku,
            product_name=sku,
            vendor_id=draw(st.sampled_from(["adire", "bonwire", "itoko"])),
            vendor_name="A vendor",
            unit_price=Money(draw(st.integers(0, 10**10)), currency),
            quantity=draw(st.integers(1, 99)),
        )
        for sku in skus
    ]


@given(priced_lines())
def test_the_shares_of_the_vendors_add_up_to_the_total(drawn: tuple[str, list[PricedLine]]) -> None:
    currency, lines = drawn
    shares = split_by_vendor(lines, currency)
    assert Money.sum((share.subtotal for share in shares), currency) == total_of(lines, currency)
    assert total_of(lines, currency).amount_minor == sum(line.unit_price.amount_minor * line.quantity for line in lines)


@given(priced_lines())
def test_every_line_goes_to_its_own_vendor_once_and_in_order(drawn: tuple[str, list[PricedLine]]) -> None:
    currency, lines = drawn
    shares = split_by_vendor(lines, currency)
    assert [share.vendor_id for share in shares] == list(dict.fromkeys(line.vendor_id for line in lines))
    for share in shares:
        assert list(share.lines) == [line for line in lines if line.vendor_id == share.vendor_id]


def test_two_currencies_do_not_add_up() -> None:
    line = PricedLine(sku="A", product_name="A", vendor_id="v", vendor_name="V", unit_price=Money(1, "USD"), quantity=1)
    with pytest.raises(CurrencyMismatchError):
        total_of([line], "NGN")


PLACED, PAID, CANCELLED = OrderStatus.PLACED, OrderStatus.PAID, OrderStatus.CANCELLED


@pytest.mark.parametrize("current", OrderStatus)
@pytest.mark.parametrize("target", OrderStatus)
def test_only_a_placed_order_moves(current: OrderStatus, target: OrderStatus) -> None:
    if (current, target) in {(PLACED, PAID), (PLACED, CANCELLED)}:
        assert next_status(current, target) == target
    else:
        with pytest.raises(TransitionError, match=f"that is {current} cannot become {target}"):
            next_status(current, target)


@pytest.mark.parametrize(
    ("status", "paid", "known_payment", "outcome"),
    [
        (PLACED, 500, "", PaymentOutcome.ACCEPTED),
        (PLACED, 499, "", PaymentOutcome.AMOUNT_MISMATCH),
        (PLACED, 501, "", PaymentOutcome.AMOUNT_MISMATCH),
        (PAID, 500, "p1", PaymentOutcome.REPEATED),
        (PAID, 500, "p0", PaymentOutcome.ALREADY_PAID),
        (CANCELLED, 500, "", PaymentOutcome.ORDER_CANCELLED),
        (CANCELLED, 1, "", PaymentOutcome.ORDER_CANCELLED),
        (CANCELLED, 500, "p1", PaymentOutcome.REPEATED),
        (CANCELLED, 500, "p0", PaymentOutcome.ORDER_CANCELLED),
    ],
)
def test_what_arriving_money_means(status: OrderStatus, paid: int, known_payment: str, outcome: PaymentOutcome) -> None:
    seen = payment_outcome(
        status, total=Money(500, "NGN"), paid=Money(paid, "NGN"), known_payment=known_payment, payment_id="p1"
    )
    assert seen == outcome


def test_money_of_another_currency_is_a_mismatch() -> None:
    seen = payment_outcome(PLACED, total=Money(500, "NGN"), paid=Money(500, "USD"), known_payment="", payment_id="p1")
    assert seen == PaymentOutcome.AMOUNT_MISMATCH


def test_order_numbers_are_random_and_readable(settings: object) -> None:
    numbers = {new_order_number() for _ in range(1000)}
    assert len(numbers) == 1000
    for number in numbers:
        prefix, _, random = number.partition("-")
        assert prefix == "FS"
        assert len(random) == 12
        assert set(random) <= set(NUMBER_ALPHABET)
