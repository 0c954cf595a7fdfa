"""Background work: ids in, one service call each."""

from fashionistar_common.mail import send_mail
from fashionistar_common.tasks import task

from . import services
from .selectors import user_by_public_id


@task(queue_name="emails")
def send_verification_email(user_id: str) -> None:
    """Mail the user's present code. Run twice, it mails the same code under the same Message-ID."""
    mail = services.take_code_to_mail(user_id=user_id)
    if mail is not None:
        context = {"code": mail.code, "minutes": mail.minutes}
        send_mail(template="fashionistar_auth/mail/verify_email", to=mail.email, context=context, key=mail.key)


@task(queue_name="emails")
def send_account_exists_email(user_id: str, event_id: str) -> None:
    """Tell the owner of an account that somebody tried to register its address again."""
    user = user_by_public_id(user_id)
    if user is not None:
        send_mail(
            template="fashionistar_auth/mail/account_exists",
            to=user.email,
            context={"verified": user.is_email_verified},
            key=f"auth/account-exists/{event_id}",
        )


@task()
def purge_expired_verifications() -> None:
    """Delete codes and spent refresh tokens that no longer matter; for a daily schedule."""
    services.purge_expired()
