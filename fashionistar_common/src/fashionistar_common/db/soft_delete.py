"""Rows that are deleted and can come back, and rows that really go."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, ClassVar, cast

from django.db import IntegrityError, models, router, transaction
from django.db.models.deletion import (
    Collector,
    ProtectedError,
    RestrictedError,
    get_candidate_relations_to_delete,
)
from django.utils import timezone

from ..exceptions import ConflictError
from .locks import lock_rows
from .timestamps import TimeStamped, TimeStampedQuerySet

_CASCADE = {models.CASCADE, getattr(models, "DB_CASCADE", models.CASCADE)}

type Keys = dict[type[models.Model], set[Any]]


class RestoreConflictError(ConflictError):
    """This cannot come back: {reason}."""

    code = "restore_conflict"


def unique_while_alive(*fields: str, name: str) -> models.UniqueConstraint:
    """A constraint for `Meta.constraints`: unique among the rows that are not deleted."""
    return models.UniqueConstraint(fields=fields, condition=models.Q(deleted_at__isnull=True), name=name)


class SoftDeleteQuerySet[M: "SoftDelete"](TimeStampedQuerySet[M]):
    """`delete()` hides the rows; `hard_delete()` removes them."""

    def alive(self) -> "SoftDeleteQuerySet[M]":
        return self.filter(deleted_at__isnull=True)

    def deleted(self) -> "SoftDeleteQuerySet[M]":
        return self.filter(deleted_at__isnull=False)

    def delete(self) -> tuple[int, dict[str, int]]:
        """As `SoftDelete.delete()`, for all rows of the queryset; as many queries as there are kinds of children."""
        self._not_support_combined_queries("delete")  # type: ignore[attr-defined]
        self._for_write = True  # hence `self.db` is the database that is written to
        with transaction.atomic(using=self.db):
            return _write(_family(self.alive()), timezone.now(), self.db)

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def hard_delete(self) -> tuple[int, dict[str, int]]:
        """As `SoftDelete.hard_delete()`, for all rows of the queryset."""
        self._for_write = True
        with transaction.atomic(using=self.db):
            refuse_living(self, self.db)
            return super().delete()

    hard_delete.alters_data = True  # type: ignore[attr-defined]
    hard_delete.queryset_only = True  # type: ignore[attr-defined]

    def restore(self) -> int:
        """As `SoftDelete.restore()`, for all rows of the queryset; returns how many rows came back, children too."""
        using = router.db_for_write(self.model)
        with transaction.atomic(using=using):
            moments = set(self.deleted().using(using).order_by().values_list("deleted_at", flat=True))
            family = _family(self.deleted().using(using), moments)
            _refuse_orphans(family, using)
            try:
                with transaction.atomic(using=using):
                    return _write(family, None, using)[0]
            except IntegrityError as error:
                raise RestoreConflictError(reason="something living has taken its place") from error

    restore.alters_data = True  # type: ignore[attr-defined]


class AliveManager(models.Manager.from_queryset(SoftDeleteQuerySet)):  # type: ignore[misc]
    """The rows that are not deleted."""

    def get_queryset(self) -> SoftDeleteQuerySet[Any]:
        return cast(SoftDeleteQuerySet[Any], super().get_queryset()).alive()


class SoftDelete(TimeStamped):
    """A row whose `delete()` hides it, until `restore()` brings it back or `purge_deleted` removes it.

    - `objects` and everything reached through relations to many show living rows; `all_objects` shows all. A foreign
      key to a deleted row still finds it.
    - Children that cascade go and come back together with their parent if they are `SoftDelete` themselves; others stay
      as they are, for their parent is still there. `PROTECT` and `RESTRICT` hold while a living row points here.
    - Declare what is unique with `unique_while_alive()`, or a deleted row keeps its name from everybody.

    It is also `TimeStamped`. Attributes:
        deleted_at: aware UTC; None while it lives.
        keep_deleted_days: for how many days `purge_deleted` leaves it, where not `SOFT_DELETE_DAYS`.
    """

    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    keep_deleted_days: ClassVar[int | None] = None

    objects = AliveManager()
    all_objects = SoftDeleteQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def is_deleted(self) -> bool:
        return self.deleted_at is not None

    def delete(self, using: str | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        """Hide the row and its cascading children; once more does nothing. Locks parents before children, by key.

        Returns:
            How many rows, and how many of each model, as Django's own.

        Raises:
            ProtectedError, RestrictedError: a living row that must not lose it points here.
        """
        if self.pk is None:
            raise ValueError(f"{self._meta.object_name} has no primary key: it was never saved.")
        done = self._rows(using).delete()
        self._reread("deleted_at", "updated_at", using=using)
        return done

    delete.alters_data = True  # type: ignore[attr-defined]

    def hard_delete(self, using: str | None = None) -> tuple[int, dict[str, int]]:
        """Remove the row and everything that cascades from it, for good.

        Raises:
            ProtectedError: a living `SoftDelete` child would go with it; or what Django itself raises it for.
        """
        using = using or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using):
            refuse_living([self], using)
            return super().delete(using=using)

    hard_delete.alters_data = True  # type: ignore[attr-defined]

    def restore(self, using: str | None = None) -> int:
        """Bring the row back, and the children that were deleted together with it. A living row stays as it is.

        Returns:
            How many rows came back.

        Raises:
            RestoreConflictError: a living row is equal where only one may be, or the parent is still deleted.
        """
        count = self._rows(using).restore()
        self._reread("deleted_at", "updated_at", using=using)
        return count

    restore.alters_data = True  # type: ignore[attr-defined]

    def _rows(self, using: str | None) -> SoftDeleteQuerySet[Any]:
        using = using or router.db_for_write(type(self), instance=self)
        return type(self).all_objects.using(using).filter(pk=self.pk)

    def _reread(self, *names: str, using: str | None) -> None:
        for name, value in (self._rows(using).values(*names).first() or {}).items():
            setattr(self, name, value)


class HardDeleteQuerySet[M: models.Model](models.QuerySet[M]):
    """`delete()` really removes, but not what was only to be hidden."""

    def delete(self) -> tuple[int, dict[str, int]]:
        """As `HardDelete.delete()`, for all rows of the queryset."""
        self._for_write = True
        with transaction.atomic(using=self.db):
            refuse_hideable(self, self.db)
            return super().delete()

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]


class HardDelete(models.Model):
    """A row that really goes when it is deleted; yet not over the heads of `SoftDelete` rows.

    Those would vanish with it for good, hidden ones unseen. `delete()` refuses while there are any, living or deleted:
    move them, or `hard_delete()` them first.
    """

    objects = HardDeleteQuerySet.as_manager()

    class Meta:
        abstract = True

    def delete(self, using: str | None = None, keep_parents: bool = False) -> tuple[int, dict[str, int]]:
        """Remove the row for good.

        Raises:
            ProtectedError: `SoftDelete` rows would go with it; or what Django itself raises it for.
        """
        using = using or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using):
            refuse_hideable([self], using)
            return super().delete(using=using, keep_parents=keep_parents)

    delete.alters_data = True  # type: ignore[attr-defined]


def refuse_living(rows: Iterable[models.Model], using: str) -> None:
    """Raise ProtectedError where removing the rows would remove living `SoftDelete` rows besides them."""
    top = {(type(row), row.pk) for row in rows}
    found = [row for row in _going_with(rows, using) if not row.is_deleted and (type(row), row.pk) not in top]
    if found:
        raise ProtectedError("Living rows would be removed with it.", set(found))


def refuse_hideable(rows: Iterable[models.Model], using: str) -> None:
    """Raise ProtectedError where removing the rows would remove `SoftDelete` rows."""
    if found := list(_going_with(rows, using)):
        raise ProtectedError("Rows that should only be hidden would be removed with it.", set(found))


def _going_with(rows: Iterable[models.Model], using: str) -> Iterator[SoftDelete]:
    """Every `SoftDelete` row that Django would remove together with these, itself included."""
    collector = Collector(using=using)
    collector.collect(list(rows))
    for group in (*collector.data.values(), *collector.fast_deletes):
        if issubclass(getattr(group, "model", models.Model), SoftDelete) or isinstance(
            next(iter(group), None), SoftDelete
        ):
            yield from cast(Iterable[SoftDelete], group)


def _family(rows: models.QuerySet[Any], moments: set[datetime] | None = None) -> Keys:
    """Lock the rows and all that goes, or went at these moments, with them; the keys of each model, parents first.

    Raises:
        ProtectedError, RestrictedError: only while they live: something else that lives points at them.
    """
    family: Keys = defaultdict(set)
    holding: list[tuple[Any, models.QuerySet[Any]]] = []
    generation: list[tuple[type[models.Model], models.QuerySet[Any]]] = [(rows.model, rows)]
    while generation:
        following: list[tuple[type[models.Model], models.QuerySet[Any]]] = []
        for model, candidates in generation:
            keys = {row.pk for row in lock_rows(candidates.only("pk"))} - family[model]
            family[model] |= keys
            if not keys:
                continue
            for relation in cast(Iterator[models.ForeignObjectRel], get_candidate_relations_to_delete(model._meta)):
                child = relation.related_model
                children = _every(child).using(rows.db).filter(**{f"{relation.field.name}__in": keys})
                if issubclass(child, SoftDelete):
                    state = {"deleted_at__isnull": True} if moments is None else {"deleted_at__in": moments}
                    children = children.filter(**state)
                if relation.on_delete in _CASCADE and issubclass(child, SoftDelete):
                    following.append((child, children))
                elif moments is None and relation.on_delete in (models.PROTECT, models.RESTRICT):
                    holding.append((relation.on_delete, children))
        generation = following
    for on_delete, children in holding:
        _refuse(on_delete, children, family)
    return family


def _every(model: type[models.Model]) -> models.Manager[Any]:
    return model._base_manager  # noqa: SLF001 - the documented manager that hides nothing


def _refuse(on_delete: Any, children: models.QuerySet[Any], family: Keys) -> None:
    """Django's rule: PROTECT always holds, RESTRICT unless the row goes with another parent."""
    if on_delete is models.RESTRICT:
        children = children.exclude(pk__in=family[children.model])
    if found := set(children[:100]):
        kind = ProtectedError if on_delete is models.PROTECT else RestrictedError
        raise kind(f"Living rows of {children.model._meta.label} point here.", found)


def _refuse_orphans(family: Keys, using: str) -> None:
    """Raise RestoreConflictError where a row would come back below a parent that stays deleted."""
    for model, keys in family.items():
        for field in model._meta.concrete_fields:
            parent = field.related_model
            cascades = field.remote_field is not None and field.remote_field.on_delete in _CASCADE
            if not cascades or not isinstance(parent, type) or not issubclass(parent, SoftDelete):
                continue
            absent = parent.all_objects.using(using).deleted().exclude(pk__in=family.get(parent, ()))
            if _every(model).using(using).filter(pk__in=keys, **{f"{field.name}__in": absent}).exists():
                raise RestoreConflictError(reason=f"its {parent._meta.verbose_name} is deleted")


def _write(family: Keys, moment: datetime | None, using: str) -> tuple[int, dict[str, int]]:
    counts = {
        model._meta.label: cast(type[SoftDelete], model)
        .all_objects.using(using)
        .filter(pk__in=keys)
        .update(deleted_at=moment)
        for model, keys in family.items()
        if keys
    }
    return sum(counts.values()), counts
