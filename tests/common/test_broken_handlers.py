"""Handlers and tasks that break more than themselves: the relay and the worker go on, and every failure is kept."""

import asyncio
import contextlib
import sys
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from fashionistar_common.events import Event, EventBus, event_bus, relay
from fashionistar_common.models import EventDelivery, IdempotencyRecord
from fashionistar_common.tasks import requeue_lost_tasks, task
from fashionistar_common.testing import deliver_events, run_tasks

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass(frozen=True, kw_only=True)
class LampLit(Event, name="tests.lamp_lit", version=1, aggregate="lamp"):
    lamp: str


@dataclass(frozen=True)
class LampSeen:
    lamp: str


@pytest.fixture
def bus(monkeypatch):
    fresh = EventBus()
    monkeypatch.setattr(relay, "event_bus", fresh)
    return fresh


def light(*lamps):
    for lamp in lamps:
        with transaction.atomic():
            event_bus.publish(LampLit(lamp=lamp))


def note():
    IdempotencyRecord.objects.create(scope="effect", key="1", fingerprint="")


def swallow_a_database_error():
    note()
    with contextlib.suppress(Exception):
        connection.cursor().execute("SELECT nothing FROM nowhere")


def close_the_connection():
    note()
    connection.close()


def lose_the_connection():
    note()
    connection.cursor().execute("SELECT pg_terminate_backend(pg_backend_pid())")


def leave_no_time_for_the_relay():
    note()
    connection.cursor().execute("SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)")


def fail_with_text_that_no_database_keeps():
    note()
    raise ValueError("a\x00b \ud800")


def leave():
    note()
    sys.exit("bye")


def be_cancelled():
    note()
    raise asyncio.CancelledError


BREAKING = [
    pytest.param(swallow_a_database_error, marks=pytest.mark.postgresql),  # SQLite goes on as if nothing had been
    close_the_connection,
    lose_the_connection,
    leave_no_time_for_the_relay,
    fail_with_text_that_no_database_keeps,
    leave,
    be_cancelled,
]


@pytest.mark.parametrize("break_it", BREAKING, ids=lambda function: function.__name__)
def test_a_handler_that_breaks_the_transaction_is_undone_and_stops_nobody(bus, break_it):
    seen = []

    @bus.subscribe("tests.lamp_lit", version=1)
    def handle(event: LampSeen) -> None:
        if event.lamp == "broken":
            break_it()
        else:
            seen.append(event.lamp)

    light("broken", "whole")
    assert deliver_events() == 2
    assert seen == ["whole"]
    assert IdempotencyRecord.objects.count() == 0
    delivery = EventDelivery.objects.get(stream="lamp:broken")
    assert (delivery.status, delivery.attempts) == ("pending", 1)
    assert delivery.next_attempt_at > timezone.now()
    assert "Error" in delivery.last_error or "Exit" in delivery.last_error or "Cancel" in delivery.last_error


def test_what_fails_after_the_commit_of_a_delivery_is_logged_and_not_repeated(bus, caplog):
    @bus.subscribe("tests.lamp_lit", version=1)
    def handle(event: LampSeen) -> None:
        note()
        transaction.on_commit(lambda: 1 / 0)

    light("lamp")
    assert deliver_events() == 1
    assert EventDelivery.objects.get().status == "delivered"
    assert IdempotencyRecord.objects.count() == 1
    assert "failed after its event was delivered" in caplog.text


def test_who_may_only_look_at_deliveries_may_not_repeat_them(bus):
    @bus.subscribe("tests.lamp_lit", version=1)
    def handle(event: LampSeen) -> None:
        raise ValueError

    light("lamp")
    deliver_events()
    EventDelivery.objects.update(status="dead")
    user = get_user_model().objects.create_user("staff@shop.example", is_staff=True)
    client = Client()
    client.force_login(user)
    body = {"action": "deliver_again", "_selected_action": [EventDelivery.objects.get().pk]}
    for right, status in (("view_eventdelivery", "dead"), ("change_eventdelivery", "pending")):
        user.user_permissions.add(Permission.objects.get(codename=right))
        client.post(reverse("admin:fashionistar_common_eventdelivery_changelist"), body)
        assert EventDelivery.objects.get().status == status


@task(max_attempts=2)
def lose_the_connection_in_a_task():
    lose_the_connection()


@task(max_attempts=2)
def fail_with_strange_text():
    fail_with_text_that_no_database_keeps()


@pytest.fixture
def importable(monkeypatch):
    """The worker finds tasks by path; test modules are not on it."""
    found = {
        f"{__name__}.{each.func.__name__}": each for each in (lose_the_connection_in_a_task, fail_with_strange_text)
    }
    monkeypatch.setattr("django_tasks_db.models.import_string", found.__getitem__)


@pytest.mark.parametrize("broken", [lose_the_connection_in_a_task, fail_with_strange_text])
def test_a_task_that_breaks_its_connection_or_its_message_fails_and_is_tried_again(importable, broken):
    broken.enqueue()
    for _ in range(2):
        assert run_tasks() == 1
        DBTaskResult.objects.filter(status="READY").update(run_after=timezone.now() - timedelta(seconds=1))
    assert [result.status for result in DBTaskResult.objects.all()] == ["FAILED", "FAILED"]
    assert all(result.traceback for result in DBTaskResult.objects.all())


def test_a_lost_task_that_cannot_be_loaded_does_not_keep_the_others(importable, monkeypatch):
    for _ in range(2):
        fail_with_strange_text.enqueue()
    gone, lost = DBTaskResult.objects.order_by("enqueued_at")
    ago = timezone.now() - timedelta(hours=1)
    DBTaskResult.objects.update(status="RUNNING", started_at=ago, worker_ids=["gone"])
    DBTaskResult.objects.filter(pk=gone.pk).update(queue_name="closed", priority=1)
    assert requeue_lost_tasks() == 1
    lost.refresh_from_db()
    assert lost.status == "READY"
