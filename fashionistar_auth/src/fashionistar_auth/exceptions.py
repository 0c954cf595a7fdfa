"""What can go wrong with an account.

AuthError
├── RoleNotAllowedError        422
├── InvalidAccountError        422
├── InvalidCodeError           422
├── InvalidCredentialsError    401
├── InvalidTokenError          401
├── EmailNotVerifiedError      403
└── AccountInactiveError       403
"""

from fashionistar_common.exceptions import (
    FashionistarError,
    InvalidError,
    NotAuthenticatedError,
    PermissionDeniedError,
)


class AuthError(FashionistarError):
    """Any error of this app."""

    code = "auth_error"


class RoleNotAllowedError(AuthError, InvalidError):
    """An account of the role {role} cannot be registered here."""

    code = "role_not_allowed"


class InvalidAccountError(AuthError, InvalidError):
    """The account data is not valid."""

    code = "invalid"


class InvalidCodeError(AuthError, InvalidError):
    """The code is wrong, has expired or was used already. Ask for a new one.

    One answer for every reason, and for an unknown e-mail address, so that it tells nothing about who has an account.
    """

    code = "invalid_code"


class InvalidCredentialsError(AuthError, NotAuthenticatedError):
    """The e-mail address or the password is wrong."""

    code = "invalid_credentials"


class InvalidTokenError(AuthError, NotAuthenticatedError):
    """The token is invalid, has expired or was used already."""

    code = "invalid_token"


class EmailNotVerifiedError(AuthError, PermissionDeniedError):
    """Verify the e-mail address first."""

    code = "email_not_verified"


class AccountInactiveError(AuthError, PermissionDeniedError):
    """This account is switched off."""

    code = "account_inactive"
