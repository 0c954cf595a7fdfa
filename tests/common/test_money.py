from decimal import Decimal

import pytest
from fashionistar_common.money import CurrencyMismatchError, Money, MoneyError, exponent
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

currencies = st.sampled_from(["NGN", "EUR", "JPY", "KWD"])
amounts = st.integers(min_value=-(10**14), max_value=10**14)
money = st.builds(Money, amounts, currencies)


@pytest.mark.parametrize(("currency", "decimals"), [("NGN", 2), ("USD", 2), ("JPY", 0), ("XOF", 0), ("KWD", 3)])
def test_a_currency_has_its_iso_4217_exponent(currency, decimals):
    assert exponent(currency) == decimals


@given(money)
def test_json_keeps_every_minor_unit(amount):
    assert Money.from_json(amount.to_json()) == amount
    assert Decimal(amount.to_json()["amount"]) == amount.amount


@pytest.mark.parametrize(
    ("minor", "currency", "text", "shown"),
    [
        (12900, "NGN", "129.00", "NGN 129.00"),
        (5, "NGN", "0.05", "NGN 0.05"),
        (-5, "NGN", "-0.05", "NGN -0.05"),
        (129, "JPY", "129", "JPY 129"),
        (129001, "KWD", "129.001", "KWD 129.001"),
        (123456789, "NGN", "1234567.89", "NGN 1,234,567.89"),
    ],
)
def test_money_is_written_with_the_currencys_decimals(minor, currency, text, shown):
    amount = Money(minor, currency)
    assert amount.to_json() == {"amount": text, "currency": currency}
    assert str(amount) == shown
    assert Money.parse(text, currency) == amount


@given(money, st.lists(st.integers(min_value=0, max_value=10**6), min_size=1, max_size=20).filter(any))
def test_allocated_parts_add_up_and_differ_from_proportion_by_less_than_one_unit(amount, weights):
    parts = amount.allocate(weights)
    assert Money.sum(parts, amount.currency) == amount
    for part, weight in zip(parts, weights, strict=True):
        exact = Decimal(amount.amount_minor) * weight / sum(weights)
        assert abs(Decimal(part.amount_minor) - exact) < 1


@given(amounts, amounts, currencies, st.integers(-1000, 1000))
def test_arithmetic_is_that_of_whole_numbers(a, b, currency, factor):
    left, right = Money(a, currency), Money(b, currency)
    assert (left + right).amount_minor == a + b
    assert (left - right).amount_minor == a - b
    assert (left * factor).amount_minor == (factor * left).amount_minor == a * factor
    assert (-left).amount_minor == -a
    assert (left < right) == (a < b)
    assert bool(left) == bool(a)


def test_currencies_do_not_mix():
    naira, euro = Money(1, "NGN"), Money(1, "EUR")
    for operation in (lambda: naira + euro, lambda: naira - euro, lambda: naira < euro):
        with pytest.raises(CurrencyMismatchError, match="NGN and EUR"):
            operation()
    assert naira != euro


@pytest.mark.parametrize(
    "amount", ["", "1,000.00", "1e3", "NaN", "Infinity", "1.", ".5", " 1", "1.001", "١", 1, 1.5, None]
)
def test_what_is_not_a_decimal_string_is_not_money(amount):
    with pytest.raises(MoneyError):
        Money.parse(amount, "NGN")


@pytest.mark.parametrize(
    ("minor", "currency"), [(1.0, "NGN"), (True, "NGN"), ("1", "NGN"), (1, "ngn"), (1, "NAIRA"), (1, None)]
)
def test_money_is_built_from_whole_units_and_a_currency_code_only(minor, currency):
    with pytest.raises(MoneyError):
        Money(minor, currency)


@pytest.mark.parametrize("weights", [[], [0, 0], [2, -1]])
def test_weights_that_mean_nothing_are_refused(weights):
    with pytest.raises(MoneyError):
        Money(1, "NGN").allocate(weights)


def test_money_goes_with_money_only():
    with pytest.raises(TypeError):
        Money(1, "NGN") + 1
    with pytest.raises(TypeError):
        Money(1, "NGN") * 1.5


class Priced(BaseModel):
    price: Money


def test_money_is_a_schema_field_both_ways():
    priced = Priced.model_validate({"price": {"amount": "129.00", "currency": "NGN"}})
    assert priced.price == Money(12900, "NGN")
    assert priced.model_dump_json() == '{"price":{"amount":"129.00","currency":"NGN"}}'
    assert Priced.model_json_schema()["properties"]["price"]["required"] == ["amount", "currency"]


@pytest.mark.parametrize(
    "value",
    [12.5, "129.00", {"amount": "129.00"}, {"amount": 129, "currency": "NGN"}, {"amount": "1", "currency": []}, None],
)
def test_a_schema_refuses_other_forms_of_money(value):
    with pytest.raises(ValidationError):
        Priced.model_validate({"price": value})
