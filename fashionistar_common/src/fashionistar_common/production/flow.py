"""Items about what is to be done later: events, tasks and who does them."""

from datetime import timedelta

from django.db.models import Count
from django.tasks import task_backends
from django.utils import timezone

from ..audit.verification import unsealed
from ..conf import conf
from ..events import event_bus
from ..models import DeadTask, EventDelivery, EventSubscription, OutboxEvent
from ..tasks.readings import queues
from .registry import Result, failed, not_applicable, passed, production_item

#: Seconds after which a relay that says nothing is not there; each says so every minute.
RELAY_SILENCE = 180
#: Seconds that a task may be due before its queue counts as one that nobody works on.
QUEUE_AGE = 300


@production_item(
    "common.task_backend", "Tasks run in workers, not in requests.", evidence="manage.py diffsettings | grep ^TASKS"
)
def task_backend() -> Result:
    modules = {alias: type(task_backends[alias]).__module__ for alias in task_backends.settings}
    unreal = sorted(alias for alias, module in modules.items() if module.rpartition(".")[2] in {"immediate", "dummy"})
    if unreal:
        return failed(f"TASKS[{unreal[0]!r}] runs them at once, or never")
    return passed()


@production_item(
    "common.workers_seen", "Somebody works on every queue.", evidence="manage.py shell: list(tasks.readings.queues())"
)
def workers_seen() -> Result:
    found = list(queues())
    if not found:
        return not_applicable("no backend tells of its queues")
    idle = [queue.name for queue in found if queue.workers == 0 or (queue.workers is None and queue.age > QUEUE_AGE)]
    if idle:
        return failed(f"nobody works on {', '.join(sorted(idle))}")
    return passed()


@production_item("common.relay_seen", "A relay has shown itself lately.", evidence="manage.py relay_events --once")
def relay_seen() -> Result:
    if not event_bus.subscribers():
        return not_applicable("nothing subscribes to events")
    newest = EventSubscription.objects.order_by("-last_seen_at").values_list("last_seen_at", flat=True).first()
    if newest is None:
        return failed("never")
    if newest < timezone.now() - timedelta(seconds=RELAY_SILENCE):
        return failed(f"the last time at {newest:%Y-%m-%d %H:%M:%S} UTC")
    return passed()


@production_item(
    "common.outbox_lag", "No event waits for a relay for longer than OUTBOX_LAG_MAX.", evidence="/readyz, /metrics"
)
def outbox_lag() -> Result:
    late = OutboxEvent.objects.filter(
        fanned_out_at__isnull=True, occurred_at__lt=timezone.now() - timedelta(seconds=conf.OUTBOX_LAG_MAX)
    )
    oldest = late.order_by("id").values_list("occurred_at", flat=True).first()
    return failed(f"one has waited since {oldest:%Y-%m-%d %H:%M:%S} UTC") if oldest else passed()


@production_item(
    "common.no_dead_deliveries", "No event was given up by a subscriber.", evidence="admin: event deliveries, dead"
)
def no_dead_deliveries() -> Result:
    dead = EventDelivery.objects.filter(status=EventDelivery.Status.DEAD)
    counts = list(dead.values_list("subscriber").annotate(count=Count("pk")).order_by("-count"))
    return failed(", ".join(f"{count} of {subscriber}" for subscriber, count in counts)) if counts else passed()


@production_item("common.no_dead_tasks", "No task was given up and left there.", evidence="admin: dead tasks")
def no_dead_tasks() -> Result:
    dead = DeadTask.objects.filter(replayed_at=None)
    counts = list(dead.values_list("task").annotate(count=Count("pk")).order_by("-count"))
    return failed(", ".join(f"{count} of {task}" for task, count in counts)) if counts else passed()


@production_item(
    "common.audit_sealed",
    "What is in the audit log is in its chain soon afterwards.",
    evidence="manage.py verify_audit",
)
def audit_sealed() -> Result:
    waiting = unsealed()
    return failed(f"{waiting} entries have waited longer than AUDIT_SEAL_GRACE") if waiting else passed()
