"""The audit log: who changed what, in one chain that shows what was taken out of it or altered."""

from typing import Any, NoReturn

from django.db import models
from django.db.models import F, Q
from django.utils import timezone


class AppendOnlyError(TypeError):
    """The audit log is written once: nothing in it is changed or deleted."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Reads, and `create`. The chain itself is written by `audit.seal` and `audit.purge`."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError

    def delete(self) -> NoReturn:
        raise AppendOnlyError

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError


class AuditEntry(models.Model):
    """One thing that somebody did. Written by `audit.record`, in the transaction of what was done.

    `sequence`, `previous_hash` and `hash` are given when the entry is sealed, soon after its commit, and once.
    """

    sequence = models.BigIntegerField(null=True, blank=True, unique=True, help_text="Place in the chain; no gaps.")
    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor_id = models.CharField(max_length=64, blank=True, help_text="Public id; empty: the system itself.")
    actor_role = models.CharField(max_length=16, blank=True)
    action = models.CharField(max_length=120, help_text="Such as orders.order_cancelled.")
    object_type = models.CharField(max_length=120, help_text="The model, such as fashionistar_orders.order.")
    object_id = models.CharField(max_length=200, help_text="Public id or number.")
    changes = models.JSONField(default=dict, help_text='{"field": [before, after]}; secrets are redacted.')
    ip = models.CharField(max_length=45, blank=True)
    browser = models.CharField(max_length=200, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    trace_id = models.CharField(max_length=32, blank=True)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the entry and of the hash before it.")

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index("id", name="audit_to_seal", condition=Q(sequence__isnull=True)),
            models.Index("object_id", F("id").desc(), name="audit_by_object"),
            models.Index("actor_id", F("id").desc(), name="audit_by_actor"),
            models.Index(fields=["request_id"], name="audit_by_request"),
            models.Index(fields=["trace_id"], name="audit_by_trace"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(sequence__isnull=True, hash="") | (Q(sequence__gt=0) & ~Q(hash="")),
                name="audit_sealed_or_not",
            )
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.object_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert.

        Raises:
            AppendOnlyError: for an entry that is stored already.
        """
        if not self._state.adding:
            raise AppendOnlyError
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnlyError


class AuditChain(models.Model):
    """The one row that knows both ends of the chain; sealing and purging lock it."""

    head = models.BigIntegerField(default=0, help_text="Sequence of the newest sealed entry.")
    head_hash = models.CharField(max_length=64, blank=True)
    purged = models.BigIntegerField(default=0, help_text="Sequence of the newest entry that retention has removed.")
    purged_hash = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = "audit chain"
        constraints = [models.CheckConstraint(condition=Q(id=1, purged__lte=F("head")), name="audit_one_chain")]

    def __str__(self) -> str:
        return f"{self.head}:{self.head_hash}"
