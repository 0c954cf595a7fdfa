"""Values that cross a boundary."""

from dataclasses import dataclass

from fashionistar_common.types import Role


@dataclass(frozen=True, kw_only=True)
class Registration:
    """The answer to a registration. It is the same whether or not the address had an account before."""

    email: str
    role: Role
    status: str = "verification_sent"


@dataclass(frozen=True, kw_only=True)
class TokenPair:
    """What a login gives.

    Attributes:
        access: goes into `Authorization: Bearer ...`.
        refresh: buys the next pair, once.
        expires_in: seconds that `access` lives.
    """

    access: str
    refresh: str
    expires_in: int
    token_type: str = "Bearer"  # noqa: S105 - the scheme's name, not a secret


@dataclass(frozen=True, kw_only=True)
class CodeToMail:
    """One verification mail.

    Attributes:
        key: the same for every try to send this code, another for the next code.
        minutes: how long the code is good for.
    """

    code: str
    key: str
    minutes: int
