"""Row locks in one order."""

from .locks import lock_rows

__all__ = ["lock_rows"]
