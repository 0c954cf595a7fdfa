"""The table of rate limits, where there is no Redis."""

from django.db import models


class RateLimit(models.Model):
    """How much a caller owes: one number, the moment at which everything is paid back."""

    key = models.CharField(max_length=64, primary_key=True, help_text="SHA-256 of the limit's name and whose it is.")
    paid_at = models.BigIntegerField(db_index=True, help_text="Microseconds since 1970.")

    def __str__(self) -> str:
        return self.key
