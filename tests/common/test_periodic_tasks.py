"""Tasks that run by the clock: each tick once, whoever looks, and nothing is made up for."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import StringIO
from types import SimpleNamespace

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import OperationalError, connection
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from fashionistar_common.checks.tasks import check_tasks
from fashionistar_common.management.commands import relay_events
from fashionistar_common.models import IdempotencyRecord, PeriodicTask
from fashionistar_common.tasks import policy, schedule, task, upkeep
from fashionistar_common.testing import run_tasks

pytestmark = pytest.mark.django_db(transaction=True)
seen = []


def sweep():
    seen.append("swept")


def mop():
    seen.append("mopped")


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    seen.clear()
    tasks = {}
    monkeypatch.setattr(schedule, "registry", tasks)
    monkeypatch.setattr(policy, "registry", dict(policy.registry))  # the bad ones made here are gone afterwards
    return tasks


@pytest.fixture
def sweeping(registry, monkeypatch):
    made = task(schedule="*/5 * * * *")(sweep)
    registry[made.module_path] = made
    monkeypatch.setitem(globals(), "sweep", made)
    assert schedule.start_due_tasks() == 0  # its first tick is still to come
    return made


def come(*, ago=timedelta(seconds=1)):
    PeriodicTask.objects.update(next_run_at=timezone.now() - ago)


@pytest.mark.parametrize(
    ("expression", "after", "then"),
    [
        ("*/5 * * * *", "2026-03-01T10:02:00+00:00", "2026-03-01T10:05:00+00:00"),
        ("*/5 * * * *", "2026-03-01T10:05:00+00:00", "2026-03-01T10:10:00+00:00"),
        ("0 3 * * SUN", "2026-03-02T00:00:00+00:00", "2026-03-08T03:00:00+00:00"),
        ("*/10 * * * * *", "2026-03-01T10:00:01+00:00", "2026-03-01T10:00:10+00:00"),
    ],
)
def test_the_next_tick_is_what_cron_says(settings, expression, after, then):
    settings.TIME_ZONE = "UTC"
    assert schedule.next_tick(expression, after=datetime.fromisoformat(after)) == datetime.fromisoformat(then)


def test_ticks_are_in_the_time_zone_of_the_project(settings):
    settings.TIME_ZONE = "Europe/Berlin"
    winter, summer = datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 3, 29, 12, tzinfo=UTC)
    assert schedule.next_tick("0 6 * * *", after=winter) == datetime(2026, 3, 29, 4, tzinfo=UTC)
    assert schedule.next_tick("0 6 * * *", after=summer) == datetime(2026, 3, 30, 4, tzinfo=UTC)


def test_a_task_runs_when_its_time_has_come_and_not_again_before_the_next(sweeping):
    come()
    assert schedule.start_due_tasks() == 1
    assert schedule.start_due_tasks() == 0
    assert run_tasks() == 1
    assert seen == ["swept"]
    row = PeriodicTask.objects.get()
    assert row.next_run_at > timezone.now() > row.last_run_at
    assert str(DBTaskResult.objects.get().pk) == row.last_result_id


def test_ticks_that_nobody_saw_are_one(sweeping):
    come(ago=timedelta(days=3))
    assert schedule.start_due_tasks() == 1
    assert schedule.start_due_tasks() == 0


def test_what_is_disabled_waits_and_its_missed_ticks_are_one(sweeping):
    PeriodicTask.objects.update(enabled=False)
    come(ago=timedelta(days=3))
    assert schedule.start_due_tasks() == 0
    PeriodicTask.objects.update(enabled=True)
    assert schedule.start_due_tasks() == 1


def test_a_schedule_that_the_code_changes_begins_anew(sweeping, registry):
    come()
    registry[sweeping.module_path] = task(schedule="0 0 1 1 *")(sweeping.func.__wrapped__)
    assert schedule.start_due_tasks() == 0
    row = PeriodicTask.objects.get()
    assert (row.schedule, row.next_run_at.month, row.next_run_at.day) == ("0 0 1 1 *", 1, 1)


def test_one_that_cannot_be_queued_keeps_its_tick_and_stops_nobody(sweeping, registry):
    bad = task(schedule="0 0 1 1 *", queue_name="nowhere")(mop)
    registry[bad.module_path] = bad
    registry["a"] = task(schedule="no cron")(mop)
    schedule.start_due_tasks()
    come()
    assert schedule.start_due_tasks() == 1
    assert PeriodicTask.objects.get(task=bad.module_path).next_run_at < timezone.now()
    assert run_tasks() == 1


@pytest.mark.postgresql
def test_of_many_who_look_at_once_one_starts_it(sweeping):
    come()
    barrier = threading.Barrier(10)

    def look(_):
        barrier.wait()
        try:
            return schedule.start_due_tasks()
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(look, range(10))) == 1
    assert DBTaskResult.objects.count() == 1


@pytest.mark.parametrize("expression", ["* * *", "61 * * * *", "at noon", "0 0 30 2 *"])
def test_what_is_no_cron_expression_is_told_by_a_check(registry, expression):
    registry["shop.tasks.sweep"] = task(schedule=expression)(sweep)
    messages = check_tasks()
    assert [message.id for message in messages] == ["fashionistar_common.E022"]
    assert messages[0].msg.startswith("The schedule of shop.tasks.sweep: ")


def test_looking_costs_one_query_however_many_there_are(registry, django_assert_num_queries):
    for number in range(30):
        registry[f"shop.tasks.t{number}"] = task(schedule="0 3 * * *")(sweep)
    schedule.start_due_tasks()
    with django_assert_num_queries(1):
        assert schedule.start_due_tasks() == 0


def test_common_has_its_own_tables_swept(registry, monkeypatch):
    IdempotencyRecord.objects.create(
        scope="s", key="k", fingerprint="", claimed_at=timezone.now() - timedelta(days=30), status=200
    )
    upkeep.purge_idempotency_records.func()
    assert IdempotencyRecord.objects.count() == 0
    assert {path.rpartition(".")[2] for path, made in policy.registry.items() if made.schedule} >= {
        "purge_tasks",
        "purge_idempotency_records",
    }


def test_the_admin_enables_disables_and_runs_now(sweeping):
    try:
        page = reverse("admin:fashionistar_common_periodictask_changelist")
    except NoReverseMatch:
        pytest.skip("the project has no admin")
    model = get_user_model()
    user = model(is_staff=True, is_active=True, **{model.USERNAME_FIELD: "staff@example.com"})
    user.set_unusable_password()
    user.save()
    client = Client()
    client.force_login(user)
    row = PeriodicTask.objects.get()

    def act(action):
        client.post(page, {"action": action, "_selected_action": [row.pk]})
        row.refresh_from_db()
        return row.enabled, DBTaskResult.objects.count()

    user.user_permissions.add(Permission.objects.get(codename="view_periodictask"))
    assert sweeping.module_path in client.get(page).text
    assert act("disable") == (True, 0)
    user.user_permissions.add(Permission.objects.get(codename="change_periodictask"))
    assert act("disable") == (False, 0)
    assert act("run_now") == (False, 1)
    assert act("enable") == (True, 1)


def test_the_relay_goes_on_looking_whatever_happens(monkeypatch, caplog):
    ended, looks = threading.Event(), []

    def housekeeping():
        looks.append(None)
        if len(looks) == 3:
            ended.set()
        else:
            raise [RuntimeError("no task"), OperationalError("no database")][len(looks) - 1]

    monkeypatch.setattr(relay_events, "housekeeping", housekeeping)
    monkeypatch.setattr(relay_events, "conf", SimpleNamespace(TASK_RECLAIM_INTERVAL=0.01))
    command = relay_events.Command(stderr=StringIO())
    thread = threading.Thread(target=command.keep_house, args=[ended])
    thread.start()
    thread.join(60)
    assert len(looks) == 3
    assert "no database" in command.stderr.getvalue()
    assert [record.exc_info[1].args for record in caplog.records if record.exc_info] == [("no task",)]
