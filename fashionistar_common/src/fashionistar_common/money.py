"""Money: whole minor units and an ISO 4217 currency. No float comes near it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import total_ordering
from typing import TYPE_CHECKING, Any

from .exceptions import InvalidError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

# Source: ISO 4217:2015, table A.1, column "minor unit"; every other currency has two.
ZERO_DECIMAL = frozenset(
    {
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    }
)
THREE_DECIMAL = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})

_CURRENCY = re.compile(r"[A-Z]{3}")
_AMOUNT = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,3})?")
JSON_SCHEMA = {
    "type": "object",
    "title": "Money",
    "properties": {
        "amount": {"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "example": "129.00"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$", "example": "NGN"},
    },
    "required": ["amount", "currency"],
}


class MoneyError(InvalidError):
    """This is not an amount of money."""

    code = "invalid_money"


class CurrencyMismatchError(MoneyError):
    """{left} and {right} cannot be combined."""

    code = "currency_mismatch"


def exponent(currency: str) -> int:
    """How many decimals the currency has: 0, 2 or 3 (ISO 4217)."""
    if currency in ZERO_DECIMAL:
        return 0
    return 3 if currency in THREE_DECIMAL else 2


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount.

    Attributes:
        amount_minor: whole minor units (kobo, cents); may be negative.
        currency: ISO 4217 code in capitals.

    Raises:
        MoneyError: when built from anything but an integer and a three-letter code.
        CurrencyMismatchError: when two currencies meet in one calculation or comparison.
    """

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise MoneyError(f"An amount is whole minor units, not {self.amount_minor!r}.")
        if not isinstance(self.currency, str) or not _CURRENCY.fullmatch(self.currency):
            raise MoneyError(f"{self.currency!r} is not an ISO 4217 currency code.")

    @classmethod
    def zero(cls, currency: str) -> Money:
        return cls(0, currency)

    @classmethod
    def sum(cls, amounts: Iterable[Money], currency: str) -> Money:
        """Add up; the currency is needed for the sum of nothing."""
        total = cls.zero(currency)
        for amount in amounts:
            total += amount
        return total

    @classmethod
    def parse(cls, amount: str, currency: str) -> Money:
        """Read a decimal string such as `"129.00"`.

        Raises:
            MoneyError: for anything else, or more decimals than the currency has.
        """
        if not isinstance(amount, str) or not _AMOUNT.fullmatch(amount):
            raise MoneyError(f"{amount!r} is not a decimal amount.")
        cls(0, currency)
        minor = Decimal(amount).scaleb(exponent(currency))
        if minor != minor.to_integral_value():
            raise MoneyError(f"{amount} has more decimals than {currency}.")
        return cls(int(minor), currency)

    @property
    def amount(self) -> Decimal:
        """The amount in major units, exact, with all the currency's decimals."""
        return Decimal(self.amount_minor).scaleb(-exponent(self.currency))

    def __str__(self) -> str:
        return f"{self.currency} {self.amount:,f}"

    def __bool__(self) -> bool:
        return self.amount_minor != 0

    def __add__(self, other: Money) -> Money:
        return Money(self.amount_minor + self._minor_of(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount_minor - self._minor_of(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount_minor, self.currency)

    def __mul__(self, quantity: int) -> Money:
        if type(quantity) is not int:
            return NotImplemented
        return Money(self.amount_minor * quantity, self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: Money) -> bool:
        return self.amount_minor < self._minor_of(other)

    def _minor_of(self, other: Money) -> int:
        if not isinstance(other, Money):
            raise TypeError(f"Money goes with money, not with {type(other).__name__}.")
        if other.currency != self.currency:
            raise CurrencyMismatchError(left=self.currency, right=other.currency)
        return other.amount_minor

    def allocate(self, weights: Sequence[int]) -> list[Money]:
        """Split in proportion to the weights; the parts add up to the whole (largest remainder, first wins a tie).

        Raises:
            MoneyError: when a weight is negative or all are zero.
        """
        total = sum(weights)
        if total <= 0 or min(weights) < 0:
            raise MoneyError("Weights are not negative, and at least one is above zero.")
        sign = -1 if self.amount_minor < 0 else 1
        shares = [divmod(abs(self.amount_minor) * weight, total) for weight in weights]
        left = abs(self.amount_minor) - sum(whole for whole, _ in shares)
        by_remainder = sorted(range(len(shares)), key=lambda index: -shares[index][1])
        extra = set(by_remainder[:left])
        return [Money(sign * (whole + (index in extra)), self.currency) for index, (whole, _) in enumerate(shares)]

    def to_json(self) -> dict[str, str]:
        """The form in which money leaves: `{"amount": "129.00", "currency": "NGN"}`."""
        return {"amount": f"{self.amount:f}", "currency": self.currency}

    @classmethod
    def from_json(cls, value: object) -> Money:
        """The inverse of `to_json`.

        Raises:
            MoneyError: when the value has another form.
        """
        if isinstance(value, Money):
            return value
        if not isinstance(value, dict) or set(value) != {"amount", "currency"}:
            raise MoneyError('Money is {"amount": "129.00", "currency": "NGN"}.')
        return cls.parse(value["amount"], value["currency"])

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        """Makes `Money` usable as a field of a Ninja schema."""
        from pydantic_core import PydanticCustomError, core_schema

        def validate(value: object) -> Money:
            try:
                return cls.from_json(value)
            except MoneyError as error:
                raise PydanticCustomError("invalid_money", "{reason}", {"reason": error.detail}) from error

        return core_schema.no_info_plain_validator_function(
            validate, serialization=core_schema.plain_serializer_function_ser_schema(cls.to_json)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(JSON_SCHEMA)
