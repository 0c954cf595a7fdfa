from django.db import connections

from ..exceptions import ProviderCallInTransactionError


def refuse_inside_transaction() -> None:
    """Call this before talking to a provider.

    The one transaction that does not count is the one Django's `TestCase` wraps around a test, as with
    `atomic(durable=True)`.

    Raises:
        ProviderCallInTransactionError: a transaction is open on some connection of this thread.
    """
    for connection in connections.all(initialized_only=True):
        blocks = connection.atomic_blocks
        if blocks and not getattr(blocks[-1], "_from_testcase", False):
            raise ProviderCallInTransactionError
