"""The table behind requests that happen once."""

import uuid

from django.db import models
from django.utils import timezone


class IdempotencyRecord(models.Model):
    """A request that creates something, and the answer it got."""

    scope = models.CharField(max_length=200, help_text="Who asked for what: actor, method and path.")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the body.")
    claim = models.UUIDField(default=uuid.uuid4, help_text="Names the request that runs at the moment.")
    claimed_at = models.DateTimeField(default=timezone.now, db_index=True)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    content_type = models.CharField(max_length=100, blank=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["scope", "key"], name="idempotency_key_once_per_scope")]

    def __str__(self) -> str:
        return f"{self.key} ({self.scope})"
