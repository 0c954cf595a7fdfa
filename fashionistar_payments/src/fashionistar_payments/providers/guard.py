from fashionistar_common.db import inside_transaction

from ..exceptions import ProviderCallInTransactionError


def refuse_inside_transaction() -> None:
    """Call this before talking to a provider.

    Raises:
        ProviderCallInTransactionError: a transaction is open on some connection of this thread.
    """
    if inside_transaction():
        raise ProviderCallInTransactionError
