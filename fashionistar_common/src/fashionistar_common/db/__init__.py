"""Row locks in one order; whether a transaction is open; text that a database keeps."""

from .locks import lock_rows
from .text import storable
from .transactions import inside_transaction

__all__ = ["inside_transaction", "lock_rows", "storable"]
