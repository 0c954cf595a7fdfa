"""What can be wrong with tasks and their settings."""

from collections.abc import Callable
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import autodiscover_modules

from ..conf import conf
from ..tasks import policy, schedule


@register()
def check_tasks(**kwargs: Any) -> list[CheckMessage]:
    """Whether tasks and settings fit each other.

    E020: a task without a queue, or with an error that is not there. E021: a number that makes no sense. E022: a
    schedule that is no cron expression. E023: a webhook that is no HTTP address.
    """
    autodiscover_modules("tasks")
    messages: list[CheckMessage] = [
        Error(
            problem,
            hint="TASKS needs the QUEUES critical, emails, default and analytics for the tasks of Fashionistar.",
            id="fashionistar_common.E020",
        )
        for problem in policy.problems()
    ]
    ranges: dict[str, Callable[[float], bool]] = {
        "TASK_TIME_LIMIT": lambda value: value > 0,
        "TASK_TIME_WARNING": lambda value: 0 < value <= 1,
        "TASK_RETRY_BASE": lambda value: value >= 0,
        "TASK_RECLAIM_INTERVAL": lambda value: value > 0,
        "TASK_DEAD_DAYS": lambda value: value >= 1,
        "TASK_KEEP_DAYS": lambda value: value >= 1,
    }
    messages += [Error(problem, id="fashionistar_common.E022") for problem in schedule.problems()]
    if not str(conf.TASK_FAILURE_WEBHOOK or "https://").startswith(("https://", "http://")):
        messages.append(
            Error(
                "FASHIONISTAR_COMMON['TASK_FAILURE_WEBHOOK'] is no http:// or https:// address.",
                id="fashionistar_common.E023",
            )
        )
    return messages + [
        Error(f"FASHIONISTAR_COMMON[{key!r}] is out of range.", id="fashionistar_common.E021")
        for key, fits in ranges.items()
        if isinstance(value := getattr(conf, key), int | float) and not fits(value)  # another type is E002
    ]
