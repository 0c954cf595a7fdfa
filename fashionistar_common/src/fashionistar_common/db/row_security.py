"""Rows of one tenant that no query of another can reach: PostgreSQL's row-level security, set up by migrations.

    operations = [EnableRowSecurity("Invoice", "vendor")]

    with tenant(vendor.pk):
        Invoice.objects.all()  # the vendor's; outside of the block there are none

The tenant is set for one transaction, so a pooled connection, also one of PgBouncer's, carries it to nobody else.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from ..conf import conf

TENANT = "fashionistar.tenant"


class _PolicyOperation(Operation, ABC):
    """SQL about one model's table; the state of the models does not change."""

    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        self._run(app_label, schema_editor, to_state, self.forwards)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        self._run(app_label, schema_editor, to_state, self.backwards)

    def _run(self, app_label: str, editor: BaseDatabaseSchemaEditor, state: ProjectState, statements: Any) -> None:
        model = state.apps.get_model(app_label, self.model_name)
        connection = editor.connection
        if connection.vendor != "postgresql" or not router.allow_migrate_model(connection.alias, model):
            return  # a check warns of it
        for statement in statements(model, editor):
            editor.execute(statement, params=None)

    @abstractmethod
    def forwards(self, model: type[models.Model], editor: BaseDatabaseSchemaEditor) -> list[str]:
        """The statements that do it."""

    @abstractmethod
    def backwards(self, model: type[models.Model], editor: BaseDatabaseSchemaEditor) -> list[str]:
        """The statements that undo it."""


class CreatePolicy(_PolicyOperation):
    """Create a policy of your own words on a table whose row security is enabled.

    Args:
        model_name: the model, of the migration's app.
        name: the policy's name, unique on the table.
        using: SQL, true for the rows that can be seen, changed and deleted.
        check: SQL, true for the rows that may be written; by default `using`. The only one for INSERT.
        command: `ALL`, `SELECT`, `INSERT`, `UPDATE` or `DELETE`.
        role: whom it is for.
    """

    def __init__(
        self,
        model_name: str,
        name: str,
        *,
        using: str = "",
        check: str = "",
        command: str = "ALL",
        role: str = "PUBLIC",
    ) -> None:
        super().__init__(model_name)
        self.name, self.using, self.check, self.command, self.role = name, using, check, command, role

    def forwards(self, model: type[models.Model], editor: BaseDatabaseSchemaEditor) -> list[str]:
        role = self.role if self.role == "PUBLIC" else editor.quote_name(self.role)
        sql = f"CREATE POLICY {editor.quote_name(self.name)} ON {editor.quote_name(model._meta.db_table)}"
        sql += f" FOR {self.command} TO {role}"
        sql += f" USING ({self.using})" if self.using else ""
        sql += f" WITH CHECK ({self.check})" if self.check else ""
        return [sql]

    def backwards(self, model: type[models.Model], editor: BaseDatabaseSchemaEditor) -> list[str]:
        return [f"DROP POLICY {editor.quote_name(self.name)} ON {editor.quote_name(model._meta.db_table)}"]

    def describe(self) -> str:
        return f"Create policy {self.name} on {self.model_name}"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.model_name.lower()}_policy_{self.name}"


class EnableRowSecurity(_PolicyOperation):
    """Show and let write only what a policy allows, also to the table's owner (FORCE).

    Args:
        model_name: the model, of the migration's app.
        field: the field that names a row's tenant; rows with the tenant of `tenant()` are allowed. Without it nothing
            is, until a `CreatePolicy` says what.
    """

    def __init__(self, model_name: str, field: str = "") -> None:
        super().__init__(model_name)
        self.field = field

    def forwards(self, model: type[models.Model], editor: BaseDatabaseSchemaEditor) -> list[str]:
        table = editor.quote_name(model._meta.db_table)
        statements = [f"ALTER TABLE {table} {verb} ROW LEVEL SECURITY" for verb in ("ENABLE", "FORCE")]
        return statements + (self._policy(model, editor).forwards(model, editor) if self.field else [])

    def backwards(self, model: type[models.Model], editor: BaseDatabaseSchemaEditor) -> list[str]:
        table = editor.quote_name(model._meta.db_table)
        undone = self._policy(model, editor).backwards(model, editor) if self.field else []
        return undone + [f"ALTER TABLE {table} {verb} ROW LEVEL SECURITY" for verb in ("NO FORCE", "DISABLE")]

    def _policy(self, model: type[models.Model], editor: BaseDatabaseSchemaEditor) -> CreatePolicy:
        field = cast("models.Field[Any, Any]", model._meta.get_field(self.field))
        # Without its length: a cast to varchar(64) would cut a longer tenant short, and make it another one.
        kind = str(field.db_type(editor.connection)).partition("(")[0]
        # The setting is NULL before its first use in a session, and empty after: both compare with nothing. The cast
        # is on the setting's side, so that an index on the column serves.
        setting = f"NULLIF(current_setting('{TENANT}', true), '')::{kind}"
        return CreatePolicy(self.model_name, "tenant", using=f"{editor.quote_name(str(field.column))} = {setting}")

    def describe(self) -> str:
        return f"Enable row security on {self.model_name}"

    @property
    def migration_name_fragment(self) -> str:
        return f"{self.model_name.lower()}_row_security"


@contextmanager
def tenant(key: object, *, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Run the block as this tenant, in a transaction: a new one, or within that which there is.

    Blocks nest; afterwards the outer tenant is back, also after an error. Also a decorator. It cannot span an `await`:
    call a function that has it through `in_thread()` or `gather()`. A queryset that is only evaluated after the block
    finds nothing. On other databases than PostgreSQL it is the transaction alone.

    Args:
        key: what the tenant field of the rows holds, such as a primary key.
        using: the database.

    Raises:
        ValueError: for an empty key, or a row instead of its key: a row's text may be whatever its owner calls it.
    """
    if key is None or isinstance(key, models.Model) or not str(key):
        raise ValueError("A tenant has a key.")
    with _set_locally(TENANT, str(key), using):
        yield


@contextmanager
def all_tenants(*, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Run the block, in a transaction, as the database role `TENANT_BYPASS_ROLE`, which policies do not hold for.

    Raises:
        ImproperlyConfigured: that setting is empty.
    """
    if not conf.TENANT_BYPASS_ROLE:
        raise ImproperlyConfigured("Name a database role with BYPASSRLS in TENANT_BYPASS_ROLE.")
    with _set_locally("role", conf.TENANT_BYPASS_ROLE, using):
        yield


@contextmanager
def _set_locally(name: str, value: str, using: str) -> Iterator[None]:
    connection = connections[using]
    nested = connection.in_atomic_block
    with transaction.atomic(using=using):
        if connection.vendor != "postgresql":
            yield
            return
        before = _query(connection, "SELECT current_setting(%s, true)", name) if nested else ""
        _query(connection, "SELECT set_config(%s, %s, true)", name, value)
        yield
        # The end of the transaction takes it back, and so does a rollback to the savepoint.
        if nested and not connection.needs_rollback:
            _query(connection, "SELECT set_config(%s, %s, true)", name, before or "")


def _query(connection: BaseDatabaseWrapper, sql: str, *values: str) -> str | None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        found: str | None = cursor.fetchone()[0]
    return found
