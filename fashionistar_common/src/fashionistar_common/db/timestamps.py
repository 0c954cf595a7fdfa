"""When a row was made and last changed, whichever way it was changed."""

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.utils import timezone


class TimeStampedQuerySet[M: models.Model](models.QuerySet[M]):
    """Sets `updated_at` where Django's own `auto_now` does not: in bulk changes."""

    def update(self, **values: Any) -> int:
        """Also what `bulk_update()` is made of."""
        return super().update(**{"updated_at": timezone.now(), **values})

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(self, objs: Iterable[M], *args: Any, **kwargs: Any) -> list[M]:
        """Rows that are there already and get changed (`update_conflicts`) are changed now."""
        if kwargs.get("update_fields"):
            kwargs["update_fields"] = [*dict.fromkeys([*kwargs["update_fields"], "updated_at"])]
        return super().bulk_create(objs, *args, **kwargs)

    bulk_create.alters_data = True  # type: ignore[attr-defined]


class TimeStamped(models.Model):
    """A row that knows when it was made and last changed (aware, UTC, the clock of the process that writes).

    `updated_at` follows `save()`, also with `update_fields`, `bulk_update()`, upserts and `queryset.update()`, unless
    that names it. Raw SQL and database cascades go past it.
    """

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = TimeStampedQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, **kwargs: Any) -> None:
        if kwargs.get("update_fields"):
            kwargs["update_fields"] = {*kwargs["update_fields"], "updated_at"}
        super().save(**kwargs)

    save.alters_data = True  # type: ignore[attr-defined]
