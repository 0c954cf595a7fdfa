"""Row locks in one order; text that a database keeps."""

from .locks import lock_rows
from .text import storable

__all__ = ["lock_rows", "storable"]
