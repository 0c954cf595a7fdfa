"""What is enqueued on Redis inside a transaction leaves with it."""

from dataclasses import asdict
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction
from django.tasks import TaskResultStatus
from django.tasks.exceptions import TaskResultDoesNotExist
from django.utils import timezone
from fashionistar_common.models import EventDelivery
from fashionistar_common.tasks.events import TaskEnqueued
from fashionistar_common.tasks.outbox import EnqueuedTask, send_task_on_task_enqueued
from fashionistar_common.testing import deliver_events, published

pytest.importorskip("redis", reason="needs the extra `redis`")

import redis_jobs as jobs
from fashionistar_common.tasks.redis import RedisBackend

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_task_is_enqueued_by_the_commit_under_the_id_that_was_promised(backend, name, work):
    with transaction.atomic():
        result = jobs.write.using(queue_name="emails", priority=7).enqueue(name, "linen")
        with pytest.raises(TaskResultDoesNotExist):
            backend.get_result(result.id)
        work()
    work()
    assert jobs.notes(name) == []  # it lies in the outbox, where a crash of this process cannot lose it
    deliver_events()
    work()
    result.refresh()
    assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, "LINEN")
    found = backend.get_result(result.id).task
    assert (found.queue_name, found.priority) == ("emails", 7)


def test_a_rollback_enqueues_nothing(name, work):
    with pytest.raises(RuntimeError), transaction.atomic():
        jobs.write.enqueue(name, "linen")
        raise RuntimeError
    deliver_events()
    work()
    assert jobs.notes(name) == []


def test_async_code_that_runs_inside_a_transaction_is_part_of_it(name, work):
    with pytest.raises(RuntimeError), transaction.atomic():
        async_to_sync(jobs.write.aenqueue)(name, "rolled back")
        raise RuntimeError
    with transaction.atomic():
        async_to_sync(jobs.write.aenqueue)(name, "linen")
    deliver_events()
    work()
    assert jobs.notes(name) == ["linen"]


def test_outside_a_transaction_it_goes_to_redis_at_once(name, work):
    jobs.write.enqueue(name, "linen")
    assert published("common.task_enqueued") == []
    work()
    assert jobs.notes(name) == ["linen"]


def test_a_second_delivery_of_the_same_event_changes_nothing(backend, name, work):
    with transaction.atomic():
        jobs.write.enqueue(name, "linen")
    (payload,) = published("common.task_enqueued")
    deliver_events()
    work()
    send_task_on_task_enqueued(EnqueuedTask(**payload))
    work()
    assert jobs.notes(name) == ["linen"]


def test_redis_being_away_fails_no_transaction_and_loses_no_task(settings, options, backend, name, work):
    tasks = settings.TASKS
    settings.TASKS = {"default": {**tasks["default"], "OPTIONS": {**options, "URL": "redis://127.0.0.1:1/0"}}}
    with transaction.atomic():
        jobs.write.enqueue(name, "linen")
    deliver_events()
    delivery = EventDelivery.objects.get(event__name="common.task_enqueued")
    assert (delivery.status, delivery.attempts) == ("pending", 1)
    settings.TASKS = tasks
    EventDelivery.objects.update(next_attempt_at=delivery.event.occurred_at)
    deliver_events()
    work()
    assert jobs.notes(name) == ["linen"]


def test_a_project_that_has_left_redis_still_gets_its_tasks(settings, backend, name):
    with transaction.atomic():
        jobs.write.enqueue(name, "linen")
    path = "django.tasks.backends.immediate.ImmediateBackend"
    settings.TASKS = {"default": {"BACKEND": path, "QUEUES": ["default"]}}
    deliver_events()
    assert jobs.notes(name) == ["linen"]


def test_a_delayed_task_of_a_project_that_has_left_redis_still_waits_for_its_time(settings, backend, name):
    models = pytest.importorskip("django_tasks_db.models")
    later = timezone.now() + timedelta(days=7)
    with transaction.atomic():
        jobs.write.using(run_after=later).enqueue(name, "linen")
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend", "QUEUES": ["default"]}}
    deliver_events()
    assert models.DBTaskResult.objects.get().run_after == later


def test_the_event_and_what_reads_it_have_the_same_fields(options):
    made = RedisBackend("default", {"QUEUES": ["default"], "OPTIONS": options})
    _, facts = made._new(jobs.write, ["name", "linen"], {"n": 1})
    event = TaskEnqueued(**facts)
    assert asdict(EnqueuedTask(**event.payload())) == facts
    assert event.stream == f"task_id:{facts['task_id']}"
