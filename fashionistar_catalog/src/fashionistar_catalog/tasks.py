"""Background tasks of the catalog."""

import logging

from fashionistar_common.tasks import task

from . import services

logger = logging.getLogger(__name__)


@task(queue_name="analytics", max_attempts=3, schedule="37 3 * * *")
def audit_stock() -> int:
    """Compare the stock counters with their ledger; a difference is logged as an error. Returns how many differ."""
    differences = services.audit_stock()
    for difference in differences:
        logger.error(
            "stock counter and ledger differ",
            extra={"sku": difference.sku, "counter": difference.counter, "ledger": difference.ledger},
        )
    return len(differences)
