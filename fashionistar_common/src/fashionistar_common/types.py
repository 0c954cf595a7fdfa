"""Small values that every context understands."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What an actor is here for. A token's audience is one of these."""

    CLIENT = "client"
    VENDOR = "vendor"
    STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is asking.

    Attributes:
        id: the user's public id; the only name by which other contexts know a user.
        role: what the user is asking as.
    """

    id: str
    role: Role
