"""The bodies of v1."""

from fashionistar_common.types import Role
from rest_framework import serializers

from ...models import User

SELF_REGISTERED = [role.value for role in (Role.CLIENT, Role.VENDOR)]


class TextField(serializers.CharField):
    """A JSON string, as it came: a number is not taken for one, a password keeps its blanks."""

    def __init__(self, **options: object) -> None:
        super().__init__(trim_whitespace=False, **options)  # type: ignore[arg-type]

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class RegisterIn(serializers.Serializer[object]):
    email = TextField(max_length=254)
    password = TextField(max_length=1024, write_only=True)
    role = serializers.ChoiceField(choices=SELF_REGISTERED, default=Role.CLIENT.value)


class RegistrationOut(serializers.Serializer[object]):
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=SELF_REGISTERED)
    status = serializers.CharField()


class VerifyEmailIn(serializers.Serializer[object]):
    email = TextField(max_length=254)
    code = TextField(max_length=6)


class ResendVerificationIn(serializers.Serializer[object]):
    email = TextField(max_length=254)


class ResendVerificationOut(serializers.Serializer[object]):
    status = serializers.CharField()


class LoginIn(serializers.Serializer[object]):
    email = TextField(max_length=254)
    password = TextField(max_length=1024, write_only=True)


class RefreshIn(serializers.Serializer[object]):
    refresh = TextField()


class TokenPairOut(serializers.Serializer[object]):
    access = serializers.CharField()
    refresh = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds that the access token lives.")


class UserOut(serializers.ModelSerializer[User]):
    id = serializers.UUIDField(source="public_id")
    email_verified = serializers.BooleanField(source="is_email_verified")

    class Meta:
        model = User
        fields = ["id", "email", "role", "first_name", "last_name", "email_verified", "created_at"]
        read_only_fields = fields


class ProfileIn(serializers.Serializer[object]):
    first_name = TextField(max_length=100, allow_blank=True, required=False)
    last_name = TextField(max_length=100, allow_blank=True, required=False)
