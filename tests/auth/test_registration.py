from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from django.utils import timezone
from fashionistar_auth import services
from fashionistar_auth.exceptions import RoleNotAllowedError
from fashionistar_auth.models import EmailVerification, User
from fashionistar_auth.testing import PASSWORD, mailed_code, make_user
from fashionistar_common.testing import assert_problem, deliver_events, published, run_tasks
from fashionistar_common.types import Role

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("role", ["client", "vendor"])
def test_registering_makes_an_account_that_waits_for_its_code(api, mailoutbox, role):
    response = api.post("/register", {"email": " Ada@Example.com ", "password": PASSWORD, "role": role})

    assert response.status_code == 201
    assert response.json() == {"email": "ada@example.com", "role": role, "status": "verification_sent"}
    user = User.objects.get()
    assert (user.email, user.role, user.is_staff, user.is_email_verified) == ("ada@example.com", role, False, False)
    assert user.check_password(PASSWORD)
    assert published("auth.user_registered") == [
        {"user_id": str(user.public_id), "email": "ada@example.com", "role": role}
    ]
    assert deliver_events() == 1
    assert run_tasks() == 1
    (mail,) = mailoutbox
    assert mail.to == ["ada@example.com"]
    code = mailed_code(user)
    assert code in mail.subject
    assert code in mail.body
    assert code in mail.alternatives[0][0]


def test_the_role_is_client_when_it_is_left_out(api):
    assert api.post("/register", {"email": "ada@example.com", "password": PASSWORD}).json()["role"] == "client"


def test_the_code_is_nowhere_in_the_database(api, tmp_path):
    api.post("/register", {"email": "ada@example.com", "password": PASSWORD})
    deliver_events()
    code = mailed_code(User.objects.get())
    call_command("dumpdata", output=tmp_path / "dump.json", verbosity=0)
    assert f'"{code}"' not in (tmp_path / "dump.json").read_text()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("verified", [True, False])
def test_an_address_that_has_an_account_gets_the_same_answer_and_its_owner_a_mail(api, mailoutbox, verified):
    owner = make_user(email="ada@example.com", verified=verified)
    answers = [
        api.post("/register", {"email": email, "password": "a new passphrase"})
        for email in ["ADA@example.com", "bo@example.com"]
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json() | {"email": "ada@example.com"}
    assert answers[0].headers.keys() == answers[1].headers.keys()

    owner.refresh_from_db()
    assert owner.check_password(PASSWORD)
    assert published("auth.registration_repeated") == [{"user_id": str(owner.public_id)}]
    deliver_events()
    run_tasks()
    mails = {mail.to[0]: mail for mail in mailoutbox}
    assert mails.keys() == {"ada@example.com", "bo@example.com"}
    assert mails["ada@example.com"].subject == "You already have a Fashionistar account"
    assert ("not verified yet" in mails["ada@example.com"].body) is not verified


def test_the_owner_is_told_once_in_a_while_only(api):
    make_user(email="ada@example.com")
    for _ in range(3):
        assert api.post("/register", {"email": "ada@example.com", "password": PASSWORD}).status_code == 201
        EmailVerification.objects.update(notified_at=timezone.now() - timedelta(hours=23))
    assert len(published("auth.registration_repeated")) == 1


def test_the_owner_of_an_account_that_is_switched_off_is_not_told(api):
    make_user(email="ada@example.com", is_active=False)
    assert api.post("/register", {"email": "ada@example.com", "password": PASSWORD}).status_code == 201
    assert published("auth.registration_repeated") == []


def test_known_and_unknown_addresses_cost_one_password_hash_each(api, monkeypatch):
    make_user(email="ada@example.com")
    hashed = []
    monkeypatch.setattr(
        User, "set_password", lambda user, password: hashed.append(password) or setattr(user, "password", "!")
    )
    for email in ["ada@example.com", "bo@example.com"]:
        api.post("/register", {"email": email, "password": PASSWORD})
    assert hashed == [PASSWORD, PASSWORD]


@pytest.mark.django_db(transaction=True)
def test_registering_one_address_many_times_at_once_makes_one_account(api, together):
    statuses = together(
        lambda: api.post("/register", {"email": "ada@example.com", "password": PASSWORD}).status_code, 8
    )
    assert statuses == [201] * 8
    assert User.objects.count() == EmailVerification.objects.count() == len(published("auth.user_registered")) == 1
    assert len(published("auth.registration_repeated")) == 1


INVALID = {
    "nothing": ({}, {"/email", "/password"}),
    "no address": ({"email": "ada", "password": PASSWORD}, {"/email"}),
    "an empty address": ({"email": "", "password": PASSWORD}, {"/email"}),
    "a long address": ({"email": "a" * 250 + "@example.com", "password": PASSWORD}, {"/email"}),
    "a number for an address": ({"email": 5, "password": PASSWORD}, {"/email"}),
    "NUL in the address": ({"email": "a\x00da@example.com", "password": PASSWORD}, {"/email"}),
    "a short password": ({"email": "ada@example.com", "password": "x7$k"}, {"/password"}),
    "a common password": ({"email": "ada@example.com", "password": "password1"}, {"/password"}),
    "a password like the address": ({"email": "adaeze.obi@example.com", "password": "adaeze.obi"}, {"/password"}),
    "half a surrogate pair": ({"email": "ada@example.com", "password": "long enough \ud800"}, {"/password"}),
    "an endless password": ({"email": "ada@example.com", "password": "long " * 300}, {"/password"}),
    "everything wrong": ({"email": "ada", "password": "x"}, {"/email", "/password"}),
    "staff": ({"email": "ada@example.com", "password": PASSWORD, "role": "staff"}, {"/role"}),
    "an unknown role": ({"email": "ada@example.com", "password": PASSWORD, "role": "king"}, {"/role"}),
}


@pytest.mark.parametrize(("body", "pointers"), INVALID.values(), ids=INVALID)
def test_bad_input_is_refused_with_a_pointer_to_each_fault(api, body, pointers):
    problem = assert_problem(api.post("/register", body), 422, "invalid")
    assert {error["pointer"] for error in problem["errors"]} == pointers
    assert not User.objects.exists()


@pytest.mark.parametrize("path", ["/register", "/verify-email", "/resend-verification", "/login", "/refresh"])
def test_a_body_that_is_no_object_is_refused(api, path):
    assert api.post(path, "text").status_code == 422
    assert api.post(path, ["text"]).status_code == 422


def test_staff_cannot_register_themselves_through_the_service_either():
    with pytest.raises(RoleNotAllowedError, match="role staff"):
        services.register_user(email="ada@example.com", password=PASSWORD, role=Role.STAFF)


def test_an_address_is_unique_in_any_case_for_the_database():
    make_user(email="ada@example.com")
    for email in ["ada@example.com", "ADA@example.com", "Ada@Example.COM"]:
        with pytest.raises(IntegrityError), transaction.atomic():
            User.objects.bulk_create([User(email=email)])


def test_an_account_is_found_in_any_case_whatever_wrote_it():
    User.objects.bulk_create([User(email="Ada@Example.com")])
    assert User.objects.get_by_natural_key(" ada@example.COM ").email == "Ada@Example.com"


def test_the_database_knows_the_roles():
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.bulk_create([User(email="ada@example.com", role="king")])
