"""Reading what belongs to whom: the scope comes first, and the row is looked for within it.

A row outside of the scope is not fetched, so it cannot be told from one that is not there, in the answer or its time.
"""

from typing import Any

from django.db.models import Model, QuerySet

from .exceptions import NotFoundError


def get_in_scope[M: Model](scope: QuerySet[M], error: type[NotFoundError] = NotFoundError, **lookup: Any) -> M:
    """The row of the scope that the lookup names, such as `number="FS-7K2M"`. One query; locks if the scope does.

        get_in_scope(Order.objects.filter(customer_id=actor.id), OrderNotFoundError, number=number)

    Raises:
        NotFoundError: of the given kind, with the lookup as its facts: there is none, or it is somebody else's.
    """
    row = scope.filter(**lookup).first()
    if row is None:
        raise error(**lookup)
    return row
