"""Names for rows that leave the house: they tell nothing and cannot be guessed."""

import secrets
from typing import Any

from django.db import IntegrityError, models, transaction

# Crockford's base 32 in lower case: no i, l, o, u, so that an id can be read out, and 5 random bits a character.
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TRIES = 5


def new_public_id(prefix: str = "", length: int = 20) -> str:
    """Such as `pay_7k2m9qxw4t1b8r3n6c5d`: the prefix, and 5 random bits for each character behind it."""
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(length))


class PublicIdField(models.CharField[str, str]):
    """A unique public id that the row gets when it is first saved, unless it has one.

    Args:
        prefix: put before it, such as `"pay_"`; says of what kind it is.
        length: random characters; 20 are 100 bits, 12 (60 bits) are enough for numbers that people type.
    """

    def __init__(self, *args: Any, prefix: str = "", length: int = 20, **kwargs: Any) -> None:
        self.prefix, self.length = prefix, length
        kwargs |= {"max_length": len(prefix) + length, "unique": True, "editable": False}
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        for fixed in ("max_length", "unique", "editable"):
            kwargs.pop(fixed, None)
        if self.prefix:
            kwargs["prefix"] = self.prefix
        return name, path, args, {**kwargs, "length": self.length}

    def new(self) -> str:
        return new_public_id(self.prefix, self.length)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        if not getattr(model_instance, self.attname):
            setattr(model_instance, self.attname, self.new())
        return super().pre_save(model_instance, add)


class PublicId(models.Model):
    """A row with a `public_id`, drawn again in the unlikely case that another row has it.

    `save()` inserts within a savepoint for that. `bulk_create()` draws once, and a collision fails it. Give the field a
    prefix by declaring it again: `public_id = PublicIdField(prefix="pay_")`.
    """

    public_id = PublicIdField()

    class Meta:
        abstract = True

    def save(self, **kwargs: Any) -> None:
        field = self._meta.get_field("public_id")
        if not self._state.adding or self.public_id or not isinstance(field, PublicIdField):
            return super().save(**kwargs)
        for tries_left in reversed(range(_TRIES)):
            self.public_id = field.new()
            try:
                with transaction.atomic(using=kwargs.get("using")):
                    return super().save(**kwargs)
            except IntegrityError:
                taken = type(self)._base_manager.filter(public_id=self.public_id).exists()  # noqa: SLF001 - hides nothing
                self.public_id = ""
                if not taken or not tries_left:
                    raise
        return None

    save.alters_data = True  # type: ignore[attr-defined]
