from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from fashionistar_auth import services
from fashionistar_auth.codes import code_for, new_nonce
from fashionistar_auth.exceptions import InvalidCodeError
from fashionistar_auth.models import EmailVerification, User
from fashionistar_auth.notifications import send_code
from fashionistar_auth.testing import PASSWORD, mailed_code
from fashionistar_common.models import NotificationDelivery
from fashionistar_common.testing import assert_problem, deliver_events, published, run_tasks, send_notifications

pytestmark = pytest.mark.django_db

EMAIL = "ada@example.com"


@pytest.fixture
def user():
    """Somebody who registered and has the mail."""
    services.register_user(email=EMAIL, password=PASSWORD)
    user = User.objects.get(email=EMAIL)
    mail_code(user)
    return user


def mail_code(user):
    """What the event's handler and the task do."""
    send_code(str(user.public_id))
    send_notifications()


def send_again():
    """A worker died after the mail server took the mail and before that was noted."""
    (row,) = NotificationDelivery.objects.all()
    user = User.objects.get(email=EMAIL)
    row.status, row.address = "pending", user.email
    row.context = {"user_id": str(user.public_id), "key": row.key}
    row.save()
    send_notifications()


def wrong(code):
    return f"{(int(code) + 1) % 1_000_000:06d}"


def later(**fields):
    """Move the verification's times into the past."""
    row = EmailVerification.objects.get()
    for field, delta in fields.items():
        setattr(row, field, getattr(row, field) - delta)
    row.save()


def test_the_mailed_code_verifies_the_address(api, user, mailoutbox):
    response = api.post("/verify-email", {"email": "ADA@example.com", "code": mailed_code(user)})

    assert response.status_code == 200
    body = response.json()
    created_at = body.pop("created_at")
    assert body == {
        "id": str(user.public_id),
        "email": EMAIL,
        "role": "client",
        "first_name": "",
        "last_name": "",
        "email_verified": True,
    }
    assert created_at == user.created_at.isoformat().replace("+00:00", "Z")
    assert published("auth.email_verified") == [{"user_id": str(user.public_id), "email": EMAIL, "role": "client"}]


def test_a_code_works_once(api, user):
    code = mailed_code(user)
    assert api.post("/verify-email", {"email": EMAIL, "code": code}).status_code == 200
    assert_problem(api.post("/verify-email", {"email": EMAIL, "code": code}), 422, "invalid_code")
    assert len(published("auth.email_verified")) == 1


@pytest.mark.django_db(transaction=True)
def test_twenty_submits_of_one_code_at_once_are_one_success(api, user, together):
    code = mailed_code(user)
    statuses = together(lambda: api.post("/verify-email", {"email": EMAIL, "code": code}).status_code, 20)
    assert sorted(statuses) == [200] + [422] * 19
    assert len(published("auth.email_verified")) == 1


def test_after_five_wrong_codes_the_right_one_is_refused_too(api, user):
    code = mailed_code(user)
    for _ in range(6):
        assert_problem(api.post("/verify-email", {"email": EMAIL, "code": wrong(code)}), 422, "invalid_code")
    assert EmailVerification.objects.get().is_locked
    assert_problem(api.post("/verify-email", {"email": EMAIL, "code": code}), 422, "invalid_code")


def test_four_wrong_codes_do_no_harm(api, user):
    code = mailed_code(user)
    for _ in range(4):
        api.post("/verify-email", {"email": EMAIL, "code": wrong(code)})
    assert api.post("/verify-email", {"email": EMAIL, "code": code}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_wrong_codes_at_once_are_all_counted(api, user, together):
    code = wrong(mailed_code(user))
    together(lambda: api.post("/verify-email", {"email": EMAIL, "code": code}), 5)
    assert EmailVerification.objects.get().tries == 5


def test_a_code_is_good_for_ten_minutes(api, user):
    later(expires_at=timedelta(minutes=9, seconds=50))
    code = mailed_code(user)
    later(expires_at=timedelta(seconds=11))
    assert_problem(api.post("/verify-email", {"email": EMAIL, "code": code}), 422, "invalid_code")


@pytest.mark.django_db(transaction=True)
def test_the_ten_minutes_begin_with_the_mail(api):
    services.register_user(email=EMAIL, password=PASSWORD)
    later(requested_at=timedelta(hours=3))
    deliver_events()
    run_tasks()
    remaining = EmailVerification.objects.get().expires_at - timezone.now()
    assert timedelta(minutes=9) < remaining <= timedelta(minutes=10)


REFUSED = {
    "an unknown address": ({"email": "bo@example.com", "code": "123456"}, "invalid_code"),
    "an address with NUL": ({"email": "bo\x00", "code": "123456"}, "invalid"),
    "letters": ({"email": EMAIL, "code": "abcdef"}, "invalid_code"),
    "other digits": ({"email": EMAIL, "code": "١٢٣٤٥٦"}, "invalid_code"),
    "a number": ({"email": EMAIL, "code": 123456}, "invalid"),
    "seven digits": ({"email": EMAIL, "code": "1234567"}, "invalid"),
    "no code": ({"email": EMAIL}, "invalid"),
    "an empty code": ({"email": EMAIL, "code": ""}, "invalid"),
}


@pytest.mark.parametrize(("body", "code"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_code_is_refused(api, user, body, code):
    assert_problem(api.post("/verify-email", body), 422, code)


def test_known_and_unknown_addresses_get_equal_refusals(api, user):
    answers = [
        api.post("/verify-email", {"email": email, "code": wrong(mailed_code(user))}).json()
        for email in [EMAIL, "nobody@example.com"]
    ]
    for answer in answers:
        answer.pop("request_id")
    assert answers[0] == answers[1]


def test_an_account_that_was_switched_off_cannot_verify(api, user):
    User.objects.update(is_active=False)
    assert_problem(api.post("/verify-email", {"email": EMAIL, "code": mailed_code(user)}), 422, "invalid_code")


def test_verifying_refuses_to_run_inside_a_transaction(user):
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        services.verify_email(email=EMAIL, code="123456")


def test_under_atomic_requests_a_wrong_code_is_counted_all_the_same(user):
    from fashionistar_auth.api.v1.views import VerifyEmail

    assert "default" in VerifyEmail.as_view()._non_atomic_requests


@pytest.mark.django_db(transaction=True)
def test_a_new_code_replaces_the_old_one_and_opens_the_lock(api, user, mailoutbox):
    deliver_events()  # of the registration
    run_tasks()
    old = mailed_code(user)
    for _ in range(5):
        api.post("/verify-email", {"email": EMAIL, "code": wrong(old)})
    later(requested_at=timedelta(seconds=61))
    response = api.post("/resend-verification", {"email": EMAIL})
    assert (response.status_code, response.json()) == (202, {"status": "verification_sent"})
    assert published("auth.verification_requested") == [{"user_id": str(user.public_id)}]
    deliver_events()
    run_tasks()

    new = mailed_code(user)
    assert [mail.subject.split()[0] for mail in mailoutbox] == [old, new]
    assert len({mail.message()["Message-ID"] for mail in mailoutbox}) == 2
    assert api.post("/verify-email", {"email": EMAIL, "code": new}).status_code == 200


def test_a_new_code_is_not_made_within_a_minute(api, user):
    before = mailed_code(user)
    assert api.post("/resend-verification", {"email": EMAIL}).status_code == 202
    assert mailed_code(user) == before
    assert published("auth.verification_requested") == []


def test_new_codes_do_not_bring_tries_and_mails_without_end(user):
    for _ in range(2 * 24 * 6):  # two days, asked for every ten minutes
        later(requested_at=timedelta(minutes=10))
        services.resend_verification(email=EMAIL)
    assert len(published("auth.verification_requested")) <= 12


def test_a_day_without_codes_forgets_how_many_there_were(user):
    EmailVerification.objects.update(codes=9)
    later(requested_at=timedelta(days=1))
    services.resend_verification(email=EMAIL)
    later(requested_at=timedelta(seconds=61))
    services.resend_verification(email=EMAIL)
    assert len(published("auth.verification_requested")) == 2


@pytest.mark.django_db(transaction=True)
def test_many_requests_for_a_new_code_at_once_are_one_mail(api, user, together):
    later(requested_at=timedelta(seconds=61))
    assert set(together(lambda: api.post("/resend-verification", {"email": EMAIL}).status_code, 8)) == {202}
    assert len(published("auth.verification_requested")) == 1


def test_who_needs_no_code_gets_the_same_answer_and_no_mail(api, user):
    later(requested_at=timedelta(seconds=61))
    User.objects.update(email_verified_at=timezone.now())
    for email in [EMAIL, "nobody@example.com", "no address at all"]:
        response = api.post("/resend-verification", {"email": email})
        assert (response.status_code, response.json()) == (202, {"status": "verification_sent"})
    assert published("auth.verification_requested") == []


def test_what_no_database_takes_is_an_unknown_address():
    services.resend_verification(email="ada\x00@example.com")
    with pytest.raises(InvalidCodeError):
        services.verify_email(email="\ud800", code="123456")


@pytest.mark.django_db(transaction=True)
def test_an_account_without_a_code_can_ask_for_one(api, mailoutbox):
    user = User.objects.create_user(EMAIL, PASSWORD)
    assert api.post("/resend-verification", {"email": EMAIL}).status_code == 202
    deliver_events()
    run_tasks()
    assert mailoutbox[0].subject.startswith(mailed_code(user))


def test_a_mail_that_is_sent_again_is_the_same_mail(user, mailoutbox):
    deadline = EmailVerification.objects.get().expires_at
    send_again()
    first, second = mailoutbox
    assert first.body == second.body
    assert first.message()["Message-ID"] == second.message()["Message-ID"]
    assert EmailVerification.objects.get().expires_at == deadline


def test_a_mail_that_is_sent_again_too_late_gets_its_time_back_but_not_its_tries(user):
    later(expires_at=timedelta(minutes=11))
    EmailVerification.objects.update(tries=5)
    send_again()
    row = EmailVerification.objects.get()
    assert row.expires_at > timezone.now()
    with pytest.raises(InvalidCodeError):
        services.verify_email(email=EMAIL, code=mailed_code(user))


def test_nothing_is_mailed_when_there_is_nothing_to_verify(user, mailoutbox):
    services.verify_email(email=EMAIL, code=mailed_code(user))
    mailoutbox.clear()
    mail_code(user)
    send_again()
    assert mailoutbox == []
    assert NotificationDelivery.objects.get().status == "suppressed"


def test_codes_have_six_digits_and_depend_on_user_nonce_and_secret(user, settings):
    nonce = new_nonce()
    code = code_for(user.public_id, nonce)
    assert (len(code), code.isdigit()) == (6, True)
    assert code_for(user.public_id, nonce) == code
    others = {code_for(user.public_id, new_nonce()) for _ in range(50)}
    assert len(others) > 45
    settings.SECRET_KEY = "another secret key of a decent length"
    assert code_for(user.public_id, nonce) != code
