"""The audit log: who did what to what, from where, in a chain of hashes that shows every later change.

    with transaction.atomic():
        ...
        changes = {"status": ["placed", "cancelled"]}
        audit.record("orders.order_cancelled", order, public_id=order.number, changes=changes)

An entry is part of the transaction of what it tells. Soon after the commit `seal()` gives it its place in the chain;
`verify()` walks the chain and tells what was altered, taken out or put in.
"""

from .chain import seal
from .recording import OutsideTransactionError, record
from .retention import purge
from .verification import Finding, Report, verify

__all__ = ["Finding", "OutsideTransactionError", "Report", "purge", "record", "seal", "verify"]
