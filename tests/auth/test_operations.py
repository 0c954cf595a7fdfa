"""Checks, admin, purge: what the people who run a site see."""

from datetime import timedelta
from io import StringIO
from types import SimpleNamespace

import pytest
from django.contrib.auth import authenticate as django_authenticate
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from fashionistar_auth import checks, services
from fashionistar_auth.models import EmailVerification, SpentRefreshToken, User
from fashionistar_auth.tasks import purge_expired_verifications
from fashionistar_auth.testing import PASSWORD, make_user, tokens_for

FAULTS = {
    "an unknown key": ({"ISUER": "x"}, "E001"),
    "a wrong type": ({"ACCESS_TOKEN_LIFETIME": 900}, "E002"),
    "a short key": ({"SIGNING_KEY": "too short"}, "E003"),
    "access as long as refresh": ({"ACCESS_TOKEN_LIFETIME": timedelta(days=7)}, "E004"),
    "no time at all": ({"ACCESS_TOKEN_LIFETIME": timedelta(0)}, "E004"),
    "a long access": ({"ACCESS_TOKEN_LIFETIME": timedelta(hours=2)}, "W002"),
    "many tries": ({"VERIFICATION_MAX_TRIES": 1000}, "E005"),
    "a long code": ({"VERIFICATION_LIFETIME": timedelta(days=2)}, "E005"),
    "a negative pause": ({"VERIFICATION_COOLDOWN": timedelta(seconds=-1)}, "E005"),
}


@pytest.mark.parametrize(("values", "code"), FAULTS.values(), ids=FAULTS)
def test_a_bad_setting_is_reported(settings, values, code):
    settings.FASHIONISTAR_AUTH = values
    assert [message.id for message in checks.check_settings()] == [f"fashionistar_auth.{code}"]


@pytest.mark.parametrize(
    ("project", "code"),
    [
        ({"AUTH_USER_MODEL": "auth.User"}, "E006"),
        ({"SIMPLE_JWT": {"TOKEN_TYPE_CLAIM": None}}, "E007"),
        ({"SIMPLE_JWT": {"JTI_CLAIM": "id"}}, "E007"),
    ],
)
def test_a_project_that_does_not_fit_is_reported(monkeypatch, project, code):
    monkeypatch.setattr(checks, "settings", SimpleNamespace(**{"AUTH_USER_MODEL": "fashionistar_auth.User"} | project))
    assert [message.id for message in checks.check_settings()] == [f"fashionistar_auth.{code}"]


def test_good_settings_are_not_reported(settings):
    assert checks.check_settings() == []
    settings.FASHIONISTAR_AUTH = {"SIGNING_KEY": "7wYb2ZkQe0n5u8JtVxRs4cGhLmPd9aEf"}
    assert checks.check_settings() == checks.check_signing_key() == []


@pytest.mark.parametrize("key", ["django-insecure-" + "7wYb2ZkQe0n5u8JtVxRs4cGhLmPd9aEf", "ab" * 40])
def test_a_key_that_can_be_guessed_is_reported_at_deployment(settings, key):
    settings.FASHIONISTAR_AUTH = {"SIGNING_KEY": key}
    assert [message.id for message in checks.check_signing_key()] == ["fashionistar_auth.W001"]


@pytest.fixture
def traces(db):
    """Of both kinds one that matters and one that does not."""
    now = timezone.now()
    for days, used in [(2, True), (0, True)]:
        user = make_user(verified=False)
        EmailVerification.objects.create(
            user=user,
            nonce="n",
            requested_at=now - timedelta(days=days),
            expires_at=now - timedelta(days=days) + timedelta(minutes=10),
            used_at=now - timedelta(days=days) if used else None,
        )
        services.refresh(refresh=tokens_for(user).refresh)
    SpentRefreshToken.objects.filter(pk=SpentRefreshToken.objects.last().pk).update(expires_at=now - timedelta(1))


def counts():
    return EmailVerification.objects.count(), SpentRefreshToken.objects.count()


def test_a_dry_run_counts_and_deletes_nothing(traces):
    call_command("auth_purge_expired", "--dry-run", stdout=(out := StringIO()))
    assert out.getvalue() == "1 verification codes and 1 spent refresh tokens would be deleted.\n"
    assert counts() == (2, 2)


def test_the_command_deletes_what_no_longer_matters(traces):
    call_command("auth_purge_expired", stdout=(out := StringIO()))
    assert out.getvalue() == "1 verification codes and 1 spent refresh tokens deleted.\n"
    assert counts() == (1, 1)


def test_the_task_does_the_same(traces):
    purge_expired_verifications.func()
    assert counts() == (1, 1)


def test_the_latest_code_of_somebody_who_waits_is_kept(db):
    services.register_user(email="ada@example.com", password=PASSWORD)
    assert services.purge_expired() == services.Purged(verifications=0, refresh_tokens=0)


@pytest.fixture
def staff(client, db):
    user = User.objects.create_superuser("root@example.com", PASSWORD)
    client.force_login(user)
    return user


def test_a_superuser_is_verified_staff(staff):
    assert (staff.role, staff.is_staff, staff.is_superuser, staff.is_email_verified) == ("staff", True, True, True)


def test_a_superuser_is_made_from_the_command_line(db):
    call_command("createsuperuser", "--no-input", "--email", "Root@Example.com", stdout=StringIO())
    assert User.objects.get().email == "root@example.com"


def test_the_admin_knows_an_address_in_any_case(rf, staff):
    assert django_authenticate(rf.get("/"), username="ROOT@example.com", password=PASSWORD) == staff


def test_an_account_needs_an_address():
    with pytest.raises(ValueError, match="needs an e-mail address"):
        User.objects.create_user("")


def test_names_fall_back_to_the_address():
    user = User(email="ada@example.com")
    assert (user.get_full_name(), user.get_short_name(), str(user)) == ("ada@example.com",) * 3
    user.first_name, user.last_name = "Ada", "Obi"
    assert (user.get_full_name(), user.get_short_name()) == ("Ada Obi", "Ada")


ADMIN = {
    "users": "user_changelist",
    "a new user": "user_add",
    "verifications": "emailverification_changelist",
    "spent tokens": "spentrefreshtoken_changelist",
}


@pytest.mark.parametrize("page", ADMIN.values(), ids=ADMIN)
def test_every_admin_page_opens(client, staff, traces, page):
    response = client.get(reverse(f"admin:fashionistar_auth_{page}"), {} if page == "user_add" else {"q": "shop"})
    assert response.status_code == 200


def test_a_code_can_be_looked_at_but_not_read_or_changed(client, staff, traces):
    row = EmailVerification.objects.first()
    EmailVerification.objects.update(nonce="secret-nonce")
    url = reverse("admin:fashionistar_auth_emailverification_change", args=[row.pk])
    response = client.get(url)
    assert response.status_code == 200
    assert b"secret-nonce" not in response.content
    assert client.post(url, {"tries": 0}).status_code == 403
    assert client.get(reverse("admin:fashionistar_auth_emailverification_add")).status_code == 403


def test_staff_add_and_change_an_account(client, staff):
    passwords = {"usable_password": "true", "password1": PASSWORD, "password2": PASSWORD}
    add = reverse("admin:fashionistar_auth_user_add")
    assert client.post(add, {"email": "Shop@Example.com", "role": "vendor", **passwords}).status_code == 302
    user = User.objects.get(email="shop@example.com")
    assert (user.role, user.is_staff, user.check_password(PASSWORD)) == ("vendor", False, True)

    response = client.post(add, {"email": "SHOP@example.com", "role": "vendor", **passwords})
    assert b"This address is taken." in response.content

    change = reverse("admin:fashionistar_auth_user_change", args=[user.pk])
    assert str(user.public_id) in client.get(change).content.decode()
    assert client.post(change, {"email": "shop@example.com", "role": "client", "first_name": "Bo"}).status_code == 302
    user.refresh_from_db()
    assert (user.role, user.first_name, user.is_active) == ("client", "Bo", False)
    assert client.get(reverse("admin:auth_user_password_change", args=[user.pk])).status_code == 200
