"""What is remembered."""

from django.db import models


class Ride(models.Model):
    """Somebody has booked a ride."""

    district = models.SlugField()
    passenger = models.CharField(max_length=64)
    fare_minor = models.BigIntegerField(help_text="In kobo.")

    def __str__(self) -> str:
        return f"{self.passenger} to {self.district}"
