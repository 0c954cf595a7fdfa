from django.db.models import Model, QuerySet


def lock_rows[M: Model](queryset: QuerySet[M]) -> list[M]:
    """Lock the rows until the transaction ends, in primary-key order, and return them as they are now.

    One order for all writers means that two of them wait for each other in a line, never in a circle. Only the rows of
    the queryset's own table are locked. On SQLite, where one writer has the whole database, it reads in that order.

    Raises:
        TransactionManagementError: outside a transaction (on databases with row locks).
    """
    return list(queryset.select_for_update(of=("self",)).order_by("pk"))
