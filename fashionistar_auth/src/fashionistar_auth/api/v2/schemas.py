"""The bodies of v2; the same as those of v1."""

from typing import Annotated, Literal
from uuid import UUID

from fashionistar_common.http.ninja import Text, Timestamp
from fashionistar_common.types import Role
from ninja import Schema
from pydantic import Field

Required = Annotated[Text, Field(min_length=1)]
Email = Annotated[Required, Field(max_length=254)]
Password = Annotated[Required, Field(max_length=1024)]
Name = Annotated[Text, Field(max_length=100)]


class RegisterIn(Schema):
    email: Email
    password: Password
    role: Literal["client", "vendor"] = "client"


class RegistrationOut(Schema):
    email: str
    role: Role
    status: Literal["verification_sent"]


class VerifyEmailIn(Schema):
    email: Email
    code: Annotated[Required, Field(max_length=6)]


class ResendVerificationIn(Schema):
    email: Email


class ResendVerificationOut(Schema):
    status: Literal["verification_sent"]


class LoginIn(Schema):
    email: Email
    password: Password


class RefreshIn(Schema):
    refresh: Required


class TokenPairOut(Schema):
    access: str
    refresh: str
    token_type: str
    expires_in: int = Field(description="Seconds that the access token lives.")


class UserOut(Schema):
    id: UUID = Field(validation_alias="public_id")
    email: str
    role: Role
    first_name: str
    last_name: str
    email_verified: bool = Field(validation_alias="is_email_verified")
    created_at: Timestamp


class ProfileIn(Schema):
    first_name: Name = ""
    last_name: Name = ""
