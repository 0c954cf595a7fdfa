"""What this app tells the others."""

from dataclasses import dataclass

from fashionistar_common.events import Event


@dataclass(frozen=True, kw_only=True)
class UserRegistered(Event, name="auth.user_registered", version=1, aggregate="user_id"):
    """An account was made. Its address is not verified yet.

    Attributes:
        user_id: the public id.
        role: client or vendor.
    """

    user_id: str
    email: str
    role: str


@dataclass(frozen=True, kw_only=True)
class RegistrationRepeated(Event, name="auth.registration_repeated", version=1, aggregate="user_id"):
    """Somebody tried to register an address that has an account already. At most once a day."""

    user_id: str


@dataclass(frozen=True, kw_only=True)
class VerificationRequested(Event, name="auth.verification_requested", version=1, aggregate="user_id"):
    """A user asked for a new code. The one before is dead."""

    user_id: str


@dataclass(frozen=True, kw_only=True)
class EmailVerified(Event, name="auth.email_verified", version=1, aggregate="user_id"):
    """The address is the user's own: what was bought with it as a guest may be shown to them.

    Attributes:
        user_id: the public id.
        role: client, vendor or staff.
    """

    user_id: str
    email: str
    role: str
