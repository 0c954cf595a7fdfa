"""Background tasks: `django.tasks` with retries.

    @task(queue_name="emails", max_attempts=5)
    def send_order_confirmation(order_number: str) -> None: ...

    send_order_confirmation.enqueue("FS-7K2M")

A task runs at least once. With the database backend, enqueueing inside a transaction is part of it.
"""

from .arguments import TaskArgumentError
from .attempt import UnsettledError
from .limits import TaskTimeLimitError
from .lost import requeue_lost_tasks
from .policy import RetryingTask, task
from .rounds import housekeeping

__all__ = [
    "RetryingTask",
    "TaskArgumentError",
    "TaskTimeLimitError",
    "UnsettledError",
    "housekeeping",
    "requeue_lost_tasks",
    "task",
]
