"""Accounts, the codes that verify their addresses, and the refresh tokens that were used."""

from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import uuid4

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from django.db.models.lookups import Exact
from django.utils import timezone
from fashionistar_common.types import Actor
from fashionistar_common.types import Role as ActorRole

from .conf import conf

#: Between two codes for one address. Whoever asks for none for so long begins again.
LONGEST_PAUSE = timedelta(days=1)


class UserManager(BaseUserManager["User"]):
    @classmethod
    def normalize_email(cls, email: str | None) -> str:
        """The one spelling in which an address is stored: trimmed and in lower case."""
        return (email or "").strip().lower()

    def get_by_natural_key(self, username: str | None) -> "User":
        """The user with this address, in any case; the query the unique index on `lower(email)` answers."""
        return self.get(Exact(Lower("email"), self.normalize_email(username)))

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create an account. Without a password it has none that works. Nothing is mailed, no event leaves."""
        if not email:
            raise ValueError("An account needs an e-mail address.")
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a member of staff with every permission, whose address counts as verified."""
        always = {"role": User.Role.STAFF, "is_staff": True, "is_superuser": True}
        return self.create_user(email, password, **{"email_verified_at": timezone.now(), **fields, **always})


class User(AbstractBaseUser, PermissionsMixin):
    """A person with an account, known to other apps by `public_id` alone."""

    class Role(models.TextChoices):
        CLIENT = ActorRole.CLIENT.value, "Client"
        VENDOR = ActorRole.VENDOR.value, "Vendor"
        STAFF = ActorRole.STAFF.value, "Staff"

    public_id = models.UUIDField(default=uuid4, unique=True, editable=False)
    # Unique twice: Django wants it on the field of USERNAME_FIELD, people want it whatever the case.
    email = models.EmailField("e-mail address", unique=True, error_messages={"unique": "This address is taken."})
    role = models.CharField(max_length=10, choices=Role, default=Role.CLIENT)
    first_name = models.CharField(max_length=100, blank=True)
    last_name = models.CharField(max_length=100, blank=True)
    is_active = models.BooleanField(
        "active", default=True, help_text="Switch an account off here instead of deleting it."
    )
    is_staff = models.BooleanField("admin access", default=False, help_text="May sign in to this admin site.")
    email_verified_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="fashionistar_auth_user_email_ci",
                violation_error_message="This address is taken.",
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=["client", "vendor", "staff"]),
                name="fashionistar_auth_user_role_known",
            ),
        ]

    def __str__(self) -> str:
        return self.email

    def clean(self) -> None:
        super().clean()
        self.email = type(self).objects.normalize_email(self.email)

    @property
    def actor(self) -> Actor:
        """What other apps see of this user."""
        return Actor(id=str(self.public_id), role=ActorRole(self.role))

    @property
    def is_email_verified(self) -> bool:
        return self.email_verified_at is not None

    def get_full_name(self) -> str:
        """Both names, or the address where there are none."""
        return f"{self.first_name} {self.last_name}".strip() or self.email

    def get_short_name(self) -> str:
        return self.first_name or self.email


class EmailVerification(models.Model):
    """A user's one pending code, and the clock of the mails about it.

    The code itself is not stored: it is an HMAC of `nonce` under the project's secret (`codes.code_for`). So a copy of
    the table is worth nothing, and a mail that has to be sent again carries the same code.
    """

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="email_verification")
    nonce = models.CharField(max_length=32, editable=False)
    tries = models.PositiveSmallIntegerField("wrong tries", default=0)
    codes = models.PositiveSmallIntegerField("codes in a row", default=1, help_text="Each doubles the pause behind it.")
    requested_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, blank=True, help_text="The first time this code was mailed.")
    expires_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)
    notified_at = models.DateTimeField(
        null=True, blank=True, help_text="The last time the owner was told that the address was registered again."
    )

    class Meta:
        indexes = [models.Index(fields=["requested_at"], name="auth_verification_requested")]

    def __str__(self) -> str:
        return f"Verification {self.pk}"

    @property
    def is_locked(self) -> bool:
        return self.tries >= conf.VERIFICATION_MAX_TRIES

    @property
    def mail_key(self) -> str:
        """Names the mail that holds the present code: the same for every try to send it, another for the next code."""
        return f"auth/verify-email/{self.user.public_id}/{self.requested_at:%Y%m%d%H%M%S%f}"

    @property
    def next_code_at(self) -> datetime:
        """When another code may be asked for: the pause doubles with each code, up to a day.

        So neither the tries that new codes bring nor the mails to one address add up without bound.
        """
        pause: timedelta = conf.VERIFICATION_COOLDOWN * 2 ** min(self.codes - 1, 20)
        return self.requested_at + min(pause, LONGEST_PAUSE)

    def accepts_codes_at(self, now: datetime) -> bool:
        """Whether the right code would be taken: it was mailed, is not used, not expired and not locked."""
        if self.expires_at is None or self.used_at is not None or self.is_locked:
            return False
        return now < self.expires_at


class SpentRefreshToken(models.Model):
    """A refresh token that has bought its successor. The unique `jti` is what makes it single-use."""

    jti = models.CharField(max_length=32, unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    spent_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True, help_text="After this the token is refused anyway.")

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.jti
