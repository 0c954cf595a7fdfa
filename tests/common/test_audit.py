"""The audit log: what an entry holds, what it does not, who may change it and who reads it."""

import csv
import io
import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from fashionistar_common import audit
from fashionistar_common.audit import chain as chaining
from fashionistar_common.context import Origin, origin, request_id
from fashionistar_common.csv_lines import csv_lines
from fashionistar_common.models import AppendOnlyError, AuditEntry, IdempotencyRecord
from fashionistar_common.money import Money
from fashionistar_common.production import flow
from fashionistar_common.types import Actor, Role

pytestmark = pytest.mark.django_db(transaction=True)

STAFF = Actor(id="ada", role=Role.STAFF)


def subject(pk=1):
    """Any row will do."""
    return IdempotencyRecord(pk=pk, key="k")


def note(*names, seal=True, days_ago=0, **kwargs):
    for name in names:
        with transaction.atomic():
            audit.record(f"tests.{name}", subject(), public_id=name, **kwargs)
            if days_ago:
                behind_the_guard(
                    "UPDATE {} SET at = %s WHERE object_id = %s", timezone.now() - timedelta(days=days_ago), name
                )
    if seal:
        audit.seal()


def behind_the_guard(sql, *values):
    """What somebody does who owns the database."""
    quoted = sql.format("fashionistar_common_auditentry")
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(quoted, values)


def found():
    return [finding.what for finding in audit.verify().findings]


def places():
    return list(AuditEntry.objects.order_by("sequence").values_list("sequence", "object_id"))


# What an entry holds ------------------------------------------------------------------------------------------------


def test_an_entry_tells_who_did_what_to_what_from_where():
    tokens = request_id.set("req-1"), origin.set(Origin("eve", "client", "198.51.100.9", "Loom/1"))
    try:
        with transaction.atomic():
            audit.record(
                "tests.hat_sold", subject(7), changes={"price": [Money(100, "NGN"), None], "n": (1, Decimal("1.50"))}
            )
    finally:
        request_id.reset(tokens[0])
        origin.reset(tokens[1])
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_type, entry.object_id) == (
        *("tests.hat_sold", "fashionistar_common.idempotencyrecord", "7"),
    )
    assert (entry.actor_id, entry.actor_role, entry.ip, entry.browser) == ("eve", "client", "198.51.100.9", "Loom/1")
    assert (entry.request_id, entry.trace_id) == ("req-1", "")
    assert entry.changes == {"price": [str(Money(100, "NGN")), None], "n": [1, "1.50"]}


def test_whoever_is_named_counts_more_than_whoever_is_asking():
    token = origin.set(Origin("eve", "client", "198.51.100.9"))
    try:
        note("a", actor=STAFF)
    finally:
        origin.reset(token)
    entry = AuditEntry.objects.get()
    assert (entry.actor_id, entry.actor_role, entry.ip) == ("ada", "staff", "198.51.100.9")


def test_an_entry_and_what_it_tells_of_are_one():
    with pytest.raises(audit.OutsideTransactionError, match=r"tests\.a was recorded outside"):
        audit.record("tests.a", subject())
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        audit.record("tests.a", subject())
        raise ZeroDivisionError
    assert not AuditEntry.objects.exists()


def test_no_secret_is_kept(settings):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "AUDIT_REDACTED": ["hat_size"]}
    changes = {
        "password": ["old secret", "new secret"],
        "newPassword": [None, "new secret"],
        "otp": ["123456", "654321"],
        "card_number": ["4111111111111111", ""],
        "access-token": [None, "hunter2"],
        "hat_size": [57, 58],
        "note": ["card 4111 1111 1111 1111", "Bearer abcdefghijklmnop"],
        "payload": [{}, {"inner": [{"refresh_token": "hunter2", "hat_size": 57, "ok": 1}]}],
        "status": ["a", "b"],
    }
    note("a", changes=changes)
    entry = AuditEntry.objects.get()
    written = json.dumps(entry.changes)
    for secret in ("secret", "123456", "4111", "hunter2", "57", "abcdefgh"):
        assert secret not in written
    assert entry.changes["newPassword"] == [None, "[redacted]"]
    assert entry.changes["payload"][1] == {
        "inner": [{"refresh_token": "[redacted]", "hat_size": "[redacted]", "ok": 1}]
    }
    assert entry.changes["status"] == ["a", "b"]


@pytest.mark.parametrize(
    "value", ["a\x00b", "\ud800", "x" * 100_000, 10**400, float("nan"), float("inf"), {"\x00": ["\udfff"]}]
)
def test_whatever_is_recorded_is_storable_and_verifies(value):
    token = origin.set(Origin(user_id="u\x00" * 99, ip="1" * 99, browser="\ud800" * 300))
    try:
        note("a", changes={"field": [value, 1.5], "b\x00": [None, 1e22]})
    finally:
        origin.reset(token)
    assert len(str(AuditEntry.objects.get().changes)) < 20_000
    assert found() == []


@pytest.mark.parametrize("pair", ["ab", [1], [1, 2, 3]])
def test_a_change_is_a_pair(pair):
    with pytest.raises(TypeError, match="no pair"), transaction.atomic():
        audit.record("tests.a", subject(), changes={"field": pair})


def test_recording_is_one_query(django_assert_num_queries):
    with transaction.atomic(), django_assert_num_queries(1):
        audit.record("tests.a", subject(), changes={"field": [1, 2]})


# Append only --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.save(),
        lambda entry: entry.delete(),
        lambda entry: AuditEntry.objects.update(action="x"),
        lambda entry: AuditEntry.objects.filter(pk=entry.pk).delete(),
        lambda entry: AuditEntry.objects.bulk_update([entry], ["action"]),
    ],
)
def test_the_model_refuses_changes(change):
    note("a")
    with pytest.raises(AppendOnlyError):
        change(AuditEntry.objects.get())
    assert found() == []


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE {} SET action = 'x'",
        "UPDATE {} SET sequence = NULL, hash = ''",
        "UPDATE {} SET sequence = sequence + 10",
        "UPDATE {} SET hash = repeat('0', 64)",
        "DELETE FROM {}",
    ],
)
@pytest.mark.parametrize("sealed", [True, False])
def test_postgresql_refuses_changes(sql, sealed):
    note("a", seal=sealed)
    if "sequence = sequence" in sql and not sealed:
        sql = "UPDATE {} SET sequence = 1, hash = 'x', actor_id = 'y'"
    with pytest.raises(IntegrityError, match=r"append-only|audit_sealed_or_not"), transaction.atomic():
        connection.cursor().execute(sql.format("fashionistar_common_auditentry"))


@pytest.mark.postgresql
def test_not_even_retention_removes_what_is_not_in_the_chain():
    note("a", seal=False)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        connection.cursor().execute("SELECT set_config('fashionistar.audit_purge', 'on', true)")
        connection.cursor().execute("DELETE FROM fashionistar_common_auditentry")


# Reading ------------------------------------------------------------------------------------------------------------


def test_it_is_exported_as_json_lines_from_which_the_chain_can_be_verified(tmp_path):
    note(*"abc", changes={"field": [1, "=1+1"]})
    file = tmp_path / "audit.jsonl"
    call_command("export_audit", output=file)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["object_id"] for line in lines] == ["a", "b", "c"]
    for line in lines:
        entry = AuditEntry(**{**line, "at": datetime.fromisoformat(line["at"])})
        assert chaining.entry_hash(entry) == line["hash"]


def test_it_is_exported_as_csv_that_no_spreadsheet_runs(capsys):
    note("=cmd|' /C calc'!A0", "b", changes={"field": [1, "x"]})
    call_command("export_audit", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert [row["object_id"] for row in rows] == ["'=cmd|' /C calc'!A0", "b"]
    assert json.loads(rows[1]["changes"]) == {"field": [1, "x"]}


def test_an_export_begins_and_ends_where_it_is_told(capsys):
    note("a", days_ago=10)
    note("b", days_ago=5)
    note("c")
    days = [f"{timezone.now() - timedelta(days=number):%Y-%m-%d}" for number in (7, 2)]
    call_command("export_audit", "--since", days[0], "--until", days[1])
    assert [json.loads(line)["object_id"] for line in capsys.readouterr().out.splitlines()] == ["b"]
    with pytest.raises(CommandError, match="no date or moment"):
        call_command("export_audit", "--since", "yesterday")


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "\uff1d1"])
def test_no_cell_begins_like_a_formula(text):
    cells = next(csv.reader(io.StringIO("".join(list(csv_lines(["a"], [[text, -1, None, 1.5, "x"]]))[1:]), newline="")))
    assert cells == [f"'{text}", "-1", "", "1.5", "x"]


@pytest.fixture
def staff(django_user_model):
    client = Client()
    fields = {get_user_model().USERNAME_FIELD: "root@example.com"}
    client.force_login(get_user_model().objects.create_superuser(**fields, password="long enough 1"))
    return client


@pytest.fixture
def admin_site():
    try:
        return reverse("admin:fashionistar_common_auditentry_changelist")
    except Exception:  # noqa: BLE001
        pytest.skip("this project has no admin")


def test_staff_search_and_read_it_and_change_nothing(admin_site, staff):
    note("a", "b", changes={"status": ["<b>old</b>", {"x": 1}]})
    entry = AuditEntry.objects.get(object_id="b")
    page = staff.get(admin_site, {"q": "b"}).content.decode()
    assert "tests.b" in page
    assert "tests.a" not in page
    page = staff.get(f"{admin_site}{entry.pk}/change/").content.decode()
    assert "<del>&lt;b&gt;old&lt;/b&gt;</del>" in page
    assert "<ins>{&quot;x&quot;: 1}</ins>" in page
    assert staff.post(f"{admin_site}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert staff.post(f"{admin_site}{entry.pk}/change/", {"action": "x"}).status_code == 403
    assert staff.get(f"{admin_site}add/").status_code == 403
    assert found() == []


@pytest.mark.parametrize(("form", "first"), [("csv", "sequence,at,"), ("jsonl", '{"sequence":1,')])
def test_staff_export_it(admin_site, staff, form, first):
    note("a", "b")
    chosen = list(AuditEntry.objects.values_list("pk", flat=True))
    response = staff.post(admin_site, {"action": f"export_{form}", "_selected_action": chosen})
    assert b"".join(response.streaming_content).decode().startswith(first)
    assert response["Content-Disposition"] == f'attachment; filename="audit.{form}"'


def test_the_production_check_tells_of_entries_that_wait(settings):
    note("a", seal=False)
    assert flow.audit_sealed().status == "pass"
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "AUDIT_SEAL_GRACE": 0}
    assert flow.audit_sealed().reason.startswith("1 entries have waited")
    audit.seal()
    assert flow.audit_sealed().status == "pass"
