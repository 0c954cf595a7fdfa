"""An amount of money on a model: one attribute, two columns."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models

from ..money import CurrencyMismatchError, Money, MoneyError, exponent

CURRENCY_CODE = RegexValidator(r"^[A-Z]{3}\Z", "Three capital letters, as in ISO 4217.")


class MoneyField(property):
    """`price = MoneyField()` is a `Money`, kept in the columns `price_minor` (bigint) and `price_currency` (char 3).

    The columns are plain fields: migrations, `filter(price_minor__lt=500)`, `order_by("price_minor")`,
    `Sum("price_minor")`, constraints and indexes name them. Compare amounts together with their currency.
    `Model(price=...)`, assignment and reading take and give `Money`, or None while there is no amount.

    Args:
        currency: the name of a currency column that the model declares itself, above this; several amounts may share
            it. It takes the currency of the first amount assigned, and refuses another one.
        null: whether there may be no amount.
        signed: whether it may be below zero; otherwise the database refuses that.
    """

    def __init__(
        self, *, currency: str = "", null: bool = False, signed: bool = False, verbose_name: Any = None
    ) -> None:
        self.shared, self.null, self.signed, self.verbose_name = bool(currency), null, signed, verbose_name
        self.minor_column, self.currency_column = "", currency
        super().__init__(self._read, self._write)

    def contribute_to_class(self, cls: type[models.Model], name: str) -> None:
        """Called by Django when the model is made."""
        self.minor_column = f"{name}_minor"
        self.currency_column = self.currency_column or f"{name}_currency"
        kind = models.BigIntegerField if self.signed else models.PositiveBigIntegerField
        minor = kind(self.verbose_name, null=self.null, blank=self.null, help_text="In the currency's minor unit.")
        minor.contribute_to_class(cls, self.minor_column)
        if not self.shared:
            code = models.CharField(max_length=3, blank=self.null, default="", validators=[CURRENCY_CODE])
            code.contribute_to_class(cls, self.currency_column)
        setattr(cls, name, self)

    def _read(self, row: models.Model) -> Money | None:
        amount = getattr(row, self.minor_column)
        return None if amount is None else Money(amount, getattr(row, self.currency_column))

    def _write(self, row: models.Model, value: Money | None) -> None:
        if value is None:
            setattr(row, self.minor_column, None)
            return
        if not isinstance(value, Money):
            raise MoneyError(f"{value!r} is not Money.")
        present = getattr(row, self.currency_column)
        if self.shared and present and present != value.currency:
            raise CurrencyMismatchError(left=present, right=value.currency)
        setattr(row, self.minor_column, value.amount_minor)
        setattr(row, self.currency_column, value.currency)


class MoneyFormField(forms.MultiValueField):
    """An amount in major units and a currency, as two inputs; its value is `Money` or None."""

    def __init__(
        self, *, currencies: list[str] | None = None, min_value: Decimal | None = Decimal(0), **kwargs: Any
    ) -> None:
        code: forms.Field = forms.CharField(min_length=3, max_length=3)
        if currencies:
            code = forms.ChoiceField(choices=[(name, name) for name in currencies])
        # No currency has more decimals than three; whether this one has so many is for Money to say.
        fields = (forms.DecimalField(min_value=min_value, max_digits=18, decimal_places=3), code)
        self.widget = _MoneyWidget([fields[0].widget, code.widget])
        super().__init__(fields=fields, require_all_fields=False, **kwargs)

    def compress(self, data_list: list[Any]) -> Money | None:
        amount, currency = data_list or (None, None)
        if amount is None:
            return None
        try:
            return Money.parse(f"{amount.normalize():f}", str(currency or "").upper())
        except MoneyError as error:
            raise ValidationError(error.detail, code=error.code) from error


class _MoneyWidget(forms.MultiWidget):
    def decompress(self, value: Money | None) -> list[Any]:
        if value is None:
            return [None, None]
        return [f"{value.amount:.{exponent(value.currency)}f}", value.currency]


class MoneyModelForm(forms.ModelForm):  # type: ignore[type-arg]
    """A model form, also for an admin, whose declared `MoneyFormField`s are the model's `MoneyField`s of that name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self._amounts():
            self.initial.setdefault(name, getattr(self.instance, name))

    def _amounts(self) -> list[str]:
        return [name for name, field in self.fields.items() if isinstance(field, MoneyFormField)]

    def _post_clean(self) -> None:
        for name in self._amounts():
            if name in self.cleaned_data:
                try:
                    setattr(self.instance, name, self.cleaned_data[name])
                except CurrencyMismatchError as error:
                    self.add_error(name, error.detail)
        super()._post_clean()  # type: ignore[misc]
