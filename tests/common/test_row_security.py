"""Policies as migrations, the tenant of a transaction, and what the checks say."""

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, ProgrammingError, connection, models, transaction
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ModelState, ProjectState
from django.test.utils import isolate_apps
from fashionistar_common.checks import data as checks
from fashionistar_common.concurrency import in_thread
from fashionistar_common.db.row_security import CreatePolicy, EnableRowSecurity, all_tenants, tenant

with isolate_apps("fashionistar_common"):

    class Note(models.Model):
        owner = models.CharField(max_length=8)
        text = models.CharField(max_length=20)

        class Meta:
            app_label = "fashionistar_common"

        def __str__(self):
            return self.text


APP, STAFF = "row_security_app", "row_security_staff"
OPERATION = EnableRowSecurity("Note", "owner")


def migrate(operation, direction="database_forwards"):
    state = ProjectState()
    state.add_model(ModelState.from_model(Note))
    with connection.schema_editor() as editor:
        getattr(operation, direction)("fashionistar_common", editor, state, state)


@pytest.fixture(scope="module", autouse=True)
def _tables(tables):
    with tables(Note):
        yield


@pytest.fixture
def as_app(db, settings):
    """The rest of the test runs as the role of an application, which is neither superuser nor bypasses policies."""
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL")
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "TENANT_BYPASS_ROLE": STAFF}
    migrate(OPERATION)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {APP}")
        cursor.execute(f"CREATE ROLE {STAFF} BYPASSRLS")
        cursor.execute(f"GRANT {STAFF} TO {APP}")
        cursor.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {APP}, {STAFF}")
        cursor.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {APP}, {STAFF}")
        cursor.execute(f"SET LOCAL ROLE {APP}")


@pytest.fixture
def notes(as_app):
    for owner in ("ada", "bola"):
        with tenant(owner):
            Note.objects.create(owner=owner, text=f"of {owner}")


def seen():
    return sorted(Note.objects.values_list("owner", flat=True))


def test_without_a_tenant_there_are_no_rows_and_none_can_be_written(notes):
    assert seen() == []
    assert Note.objects.update(text="x") == 0
    assert Note.objects.all().delete()[0] == 0
    with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
        Note.objects.create(owner="ada", text="x")


def test_a_tenant_sees_changes_and_writes_its_own_alone(notes):
    with tenant("ada"):
        assert seen() == ["ada"]
        assert Note.objects.update(text="mine") == 1
        with pytest.raises(ProgrammingError), transaction.atomic():
            Note.objects.create(owner="bola", text="x")
        with pytest.raises(ProgrammingError), transaction.atomic():
            Note.objects.update(owner="bola")
    with tenant("bola"):
        assert Note.objects.get().text == "of bola"


def test_tenants_nest_and_the_outer_one_is_back_also_after_errors(notes):
    with tenant("ada"):
        with tenant("bola"):
            assert seen() == ["bola"]
        assert seen() == ["ada"]
        with pytest.raises(DatabaseError), tenant("bola"), connection.cursor() as cursor:
            cursor.execute("SELECT 1/0")
        assert seen() == ["ada"]
        with tenant("bola"):
            transaction.set_rollback(True)
        assert seen() == ["ada"]
    assert seen() == []


def test_a_longer_key_is_not_taken_for_the_one_it_begins_with(notes):
    with tenant("ada" + " " * 20):
        assert seen() == []
    with tenant("ada%"):
        assert seen() == []


@pytest.mark.parametrize("key", ["", "'; SET ROLE postgres; --", "*", "None"])
def test_no_key_opens_more_than_its_own_rows(notes, key):
    if key:
        with tenant(key):
            assert seen() == []
    else:
        with pytest.raises(ValueError, match="key"), tenant(key):
            pass


def test_staff_see_all_by_a_role_of_their_own_and_nobody_after_them(notes):
    with all_tenants():
        assert seen() == ["ada", "bola"]
    assert seen() == []
    with tenant("ada"):
        with all_tenants():
            assert len(seen()) == 2
        assert seen() == ["ada"]


def test_without_the_role_all_tenants_is_refused(notes, settings):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "TENANT_BYPASS_ROLE": ""}
    with pytest.raises(ImproperlyConfigured), all_tenants():
        pass


def test_it_is_a_decorator_that_asynchronous_code_can_call(notes, settings):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "IN_THREAD_THREADS": 0}
    read = tenant("ada")(seen)
    assert async_to_sync(in_thread)(read) == ["ada"]
    assert read() == ["ada"]


def test_a_policy_of_its_own_words_adds_to_it(notes):
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
    policy = CreatePolicy("Note", "public_texts", using="text LIKE 'of b%'", command="SELECT")
    migrate(policy)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {APP}")
    assert seen() == ["bola"]
    assert Note.objects.update(text="x") == 0
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
    migrate(policy, "database_backwards")
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {APP}")
    assert seen() == []


def test_backwards_everybody_sees_everything_again(notes):
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
    migrate(OPERATION, "database_backwards")
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {APP}")
    assert seen() == ["ada", "bola"]


def test_the_check_warns_of_a_user_for_whom_no_policy_holds(notes):
    assert checks.check_row_security(databases=["default"]) == []
    with connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
    (message,) = checks.check_row_security(databases=["default"])
    assert message.id == "fashionistar_common.W061"


def test_the_index_on_the_tenant_serves(notes):
    with tenant("ada"), connection.cursor() as cursor:
        cursor.execute("RESET ROLE")
        cursor.execute("CREATE INDEX note_owner ON fashionistar_common_note (owner)")
        cursor.execute(f"SET LOCAL ROLE {APP}")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN SELECT * FROM fashionistar_common_note")
        assert "Index Cond" in str(cursor.fetchall())


@pytest.mark.parametrize("key", [None, Note(pk=7, owner="ada", text="bola")])
def test_a_row_is_no_key_for_its_owner_chooses_its_text(key):
    with pytest.raises(ValueError, match="key"), tenant(key):
        pass


@pytest.mark.django_db(transaction=True)
def test_elsewhere_operations_do_nothing_tenants_are_transactions_and_a_check_warns(monkeypatch):
    if connection.vendor == "postgresql":
        monkeypatch.setattr(connection, "vendor", "other")
    migrate(OPERATION)
    Note.objects.create(owner="ada", text="x")
    with tenant("bola"):
        assert connection.in_atomic_block
        assert seen() == ["ada"]
    Note.objects.all().delete()
    migrate(OPERATION, "database_backwards")
    assert checks.check_row_security(databases=["default"]) == []
    migration = type("Migration", (), {"app_label": "notes", "operations": [OPERATION]})
    monkeypatch.setattr(MigrationLoader, "__init__", lambda self, connection: None)
    monkeypatch.setattr(MigrationLoader, "disk_migrations", {("notes", "0001"): migration}, raising=False)
    (message,) = checks.check_row_security(databases=["default"])
    assert (message.id, "notes.Note" in message.msg) == ("fashionistar_common.W062", True)


def test_migrations_can_be_written_with_it():
    name, args, kwargs = OPERATION.deconstruct()
    assert (name, [*args], kwargs) == ("EnableRowSecurity", ["Note", "owner"], {})
    assert OPERATION.describe() == "Enable row security on Note"
    assert OPERATION.migration_name_fragment == "note_row_security"
