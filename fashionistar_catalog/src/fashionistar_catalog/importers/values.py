"""From the text of a cell to a value. Every function raises `InvalidValueError` with a sentence for a person."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Literal
from urllib.parse import urlsplit

from django.utils.text import slugify
from fashionistar_common.money import Money, MoneyError

from ..exceptions import InvalidValueError

type Converter[T] = Callable[[str], T]

LARGEST = 2**63 - 1  # what a bigint column holds
_WHOLE = re.compile(r"-?[0-9]{1,18}")


def text(limit: int, *, needed: Literal["needed", "optional"] = "optional") -> Converter[str]:
    """A converter for text of at most `limit` characters."""

    def convert(value: str) -> str:
        if not value and needed == "needed":
            raise InvalidValueError("This is empty, and it is needed.")
        if len(value) > limit:
            raise InvalidValueError(f"This has {len(value)} characters; at most {limit} are kept.")
        return value

    return convert


def price(currency: str) -> Converter[Money]:
    """A converter for a decimal amount such as `129.00`, zero or more, in this currency."""

    def convert(value: str) -> Money:
        if not value:
            raise InvalidValueError("A price is needed.")
        try:
            money = Money.parse(value, currency)
        except MoneyError as error:
            raise InvalidValueError(error.detail) from error
        if money.amount_minor < 0:
            raise InvalidValueError(f"{value} is below zero.")
        if money.amount_minor > LARGEST:
            raise InvalidValueError(f"{value} is more than any price.")
        return money

    return convert


def former_price(currency: str) -> Converter[Money | None]:
    """As `price`, but an empty cell and zero mean that there is none."""
    convert = price(currency)

    def convert_former(value: str) -> Money | None:
        return (convert(value) or None) if value else None

    return convert_former


def stock(value: str) -> int | None:
    """Whole pieces, zero or more; None for an empty cell."""
    if not value:
        return None
    if not _WHOLE.fullmatch(value):
        raise InvalidValueError(f"{value!r} is not a whole number.")
    if int(value) < 0:
        raise InvalidValueError(f"A stock of {value} is below zero.")
    return int(value)


def position(value: str) -> int | None:
    """A whole number from 1 to 32767; None for an empty cell."""
    number = stock(value)
    if number is not None and not 1 <= number <= 32767:
        raise InvalidValueError(f"{value} is not a position from 1 to 32767.")
    return number


def address(value: str) -> str:
    """A web address of at most 1000 characters."""
    try:
        parts = urlsplit(text(1000)(value))
    except ValueError as error:
        raise InvalidValueError(f"{value!r} is not a web address.") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[\s<>\"]", value):
        raise InvalidValueError(f"{value!r} is not a web address that starts with http:// or https://.")
    return value


def address_or_nothing(value: str) -> str:
    """As `address`, but an empty text is no address."""
    return address(value) if value else ""


def one_of(values: Mapping[str, str]) -> Converter[str]:
    """A converter for one of these words, in any case."""

    def convert(value: str) -> str:
        try:
            return values[value.casefold()]
        except KeyError:
            raise InvalidValueError(f"{value!r} is none of {', '.join(values)}.") from None

    return convert


def slug_of(value: str, *, limit: int = 255) -> str:
    """A slug for this text; text that leaves nothing, or too much, gets a digest of itself."""
    slug = slugify(value)
    if slug and len(slug) <= limit:
        return slug
    return f"{slug[: limit - 9].rstrip('-')}-{digest(value)}".lstrip("-")


def sku_of(handle: str, options: Iterable[str]) -> str:
    """The SKU of a variant that has none: always the same for the same handle and options."""
    parts = [handle, *options]
    words = [slugify(part) for part in parts]
    sku = "-".join(word for word in words if word).upper()
    if all(words) and len(sku) <= 100:
        return sku
    return f"{sku[:91]}-{digest(chr(31).join(parts)).upper()}".lstrip("-")


def digest(value: str) -> str:
    """Eight stable characters for any text."""
    return hashlib.sha256(value.encode()).hexdigest()[:8]
