"""Making and changing accounts."""

from collections.abc import Collection
from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone
from fashionistar_common import audit
from fashionistar_common.db import lock_rows
from fashionistar_common.events import event_bus
from fashionistar_common.exceptions import FieldError
from fashionistar_common.types import Actor, Role

from ..codes import new_nonce
from ..events import RegistrationRepeated, UserRegistered
from ..exceptions import InvalidAccountError, RoleNotAllowedError
from ..models import EmailVerification, User
from ..selectors import user_by_email, user_of
from ..types import Registration

#: Between two mails that tell an owner of repeated registrations: one a day says all there is to say.
NOTICE_PAUSE = timedelta(days=1)


def register_user(*, email: str, password: str, role: Role = Role.CLIENT) -> Registration:
    """Make an account whose address is to be verified.

    Whether the address has an account already is not to be learned here: the answer is the same, the work before it is
    the same (one password hash, one insert), and only a mail to the address tells its owner. The account that is
    there stays as it is.

    Publishes `auth.user_registered`, or `auth.registration_repeated` at most once a day.

    Raises:
        RoleNotAllowedError: for staff, who are made by other staff.
        InvalidAccountError: the address is not one, or the password does not pass the project's validators.
    """
    if role is Role.STAFF:
        raise RoleNotAllowedError(role=role.value, errors=[FieldError(pointer="/role", detail="Not allowed.")])
    user = User(email=User.objects.normalize_email(email), role=role.value)
    _check(user, fields=["email"], password=password)
    user.set_password(password)  # slow; before the transaction, so that it holds no connection meanwhile
    with transaction.atomic():
        if _insert(user):
            EmailVerification.objects.create(user=user, nonce=new_nonce())
            event_bus.publish(UserRegistered(user_id=str(user.public_id), email=user.email, role=role.value))
            audit.record("auth.user_registered", user, actor=Actor(id=str(user.public_id), role=role))
        else:
            _tell_owner(user.email)
    return Registration(email=user.email, role=role)


@transaction.atomic
def update_profile(*, actor: Actor, first_name: str | None = None, last_name: str | None = None) -> User:
    """Change the names that are given; None leaves one as it is.

    Raises:
        InvalidTokenError: the account is gone or switched off.
        InvalidAccountError: a name is too long or holds what is no text.
    """
    user = user_of(actor)
    names = {"first_name": first_name, "last_name": last_name}
    changes = {field: value.strip() for field, value in names.items() if value is not None}
    for field, value in changes.items():
        setattr(user, field, value)
    _check(user, fields=changes)
    if changes:
        user.save(update_fields=[*changes, "updated_at"])
    return user


def _insert(user: User) -> bool:
    """Whether the address was free. The database decides, so two registrations at once are one account."""
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        return False
    return True


def _tell_owner(email: str) -> None:
    user = user_by_email(email)
    if user is None or not user.is_active:
        return
    EmailVerification.objects.get_or_create(user=user, defaults={"nonce": new_nonce()})
    (verification,) = lock_rows(EmailVerification.objects.filter(user=user))
    now = timezone.now()
    if verification.notified_at is not None and now < verification.notified_at + NOTICE_PAUSE:
        return
    verification.notified_at = now
    verification.save(update_fields=["notified_at"])
    event_bus.publish(RegistrationRepeated(user_id=str(user.public_id)))


def _check(user: User, *, fields: Collection[str], password: str | None = None) -> None:
    """Raise everything that is wrong at once, with a pointer to each."""
    everything = {field.name for field in User._meta.concrete_fields}
    wrong: list[FieldError] = []
    try:
        user.clean_fields(exclude=everything - set(fields))
    except ValidationError as error:
        wrong += [
            FieldError(pointer=f"/{field}", detail=message)
            for field, messages in error.message_dict.items()
            for message in messages
        ]
    if password is not None:
        try:
            validate_password(password, user)
        except ValidationError as error:
            wrong += [
                FieldError(pointer="/password", detail=str(item.messages[0]), code=item.code or "invalid")
                for item in error.error_list
            ]
    if wrong:
        raise InvalidAccountError(errors=wrong)
