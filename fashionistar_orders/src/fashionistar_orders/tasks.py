"""Background tasks: ids in, one service call each."""

from datetime import timedelta

from fashionistar_common.tasks import task

from . import services
from .conf import conf


@task(queue_name="default", max_attempts=3, schedule="*/5 * * * *")
def cancel_unpaid() -> None:
    """Cancel what has been unpaid for UNPAID_ORDER_MINUTES."""
    services.cancel_unpaid_orders(older_than=timedelta(minutes=conf.UNPAID_ORDER_MINUTES))
