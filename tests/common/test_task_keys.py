"""A task with a key is enqueued once and done once, whoever asks and however often it is delivered."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from django.tasks import TaskContext
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from fashionistar_common.models import DeadTask, IdempotencyRecord, TaskKey
from fashionistar_common.tasks import dead, task
from fashionistar_common.testing import run_tasks

pytestmark = pytest.mark.django_db(transaction=True)
seen = []
broken = []


@task(max_attempts=2)
def send(number):
    seen.append(number)
    if broken:
        raise broken.pop()


@task(max_attempts=2)
async def asend(number):
    seen.append(number)


@task(atomic=True, max_attempts=3)
def book(number, *, seconds=0.0):
    seen.append(number)
    IdempotencyRecord.objects.create(scope="effect", key=f"{number}/{len(seen)}", fingerprint="")
    time.sleep(seconds)
    if broken:
        raise broken.pop()


@pytest.fixture(autouse=True)
def _clean():
    seen.clear()
    broken.clear()


def make_due():
    DBTaskResult.objects.filter(status="READY").update(run_after=timezone.now() - timedelta(seconds=1))


def effects():
    return IdempotencyRecord.objects.filter(scope="effect").count()


def test_enqueued_twice_it_runs_once_and_both_know_the_result():
    one, other = (send.using(key="order/7").enqueue("7") for _ in range(2))
    assert one.id == other.id
    assert run_tasks() == 1
    third = send.using(key="order/7", queue_name="emails").enqueue("7")
    assert (third.id, third.status) == (one.id, "SUCCESSFUL")
    assert seen == ["7"]
    send.using(key="order/8").enqueue("8")
    send.enqueue("no key")
    asend.using(key="order/7").enqueue("another task")
    assert run_tasks() == 3


def test_async_callers_and_async_tasks_have_keys_too():
    made = asend.using(key="order/7")
    one, other = async_to_sync(made.aenqueue)("7"), async_to_sync(made.aenqueue)("7")
    assert one.id == other.id
    assert run_tasks() == 1
    redeliver()
    assert run_tasks() == 1
    assert seen == ["7"]
    assert TaskKey.objects.get().doubles == 1


def redeliver():
    """What a queue that delivers at least once may do: hand out what is done already."""
    DBTaskResult.objects.update(status="READY", run_after=timezone.now() - timedelta(seconds=1))


@pytest.mark.parametrize("made", [send, book])
def test_a_delivery_that_comes_after_it_is_done_is_counted_and_does_nothing(made):
    made.using(key="order/7").enqueue("7")
    for _ in range(3):
        run_tasks()
        redeliver()
    assert seen == ["7"]
    assert TaskKey.objects.get().doubles == 2


@pytest.mark.postgresql
def test_twenty_who_enqueue_at_once_queue_it_once():
    barrier = threading.Barrier(20)

    def enqueue(_):
        barrier.wait()
        try:
            return send.using(key="order/7").enqueue("7").id
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        assert len(set(pool.map(enqueue, range(20)))) == 1
    assert DBTaskResult.objects.count() == 1
    run_tasks()
    assert seen == ["7"]


@pytest.mark.postgresql
def test_ten_deliveries_of_an_atomic_task_at_once_have_one_effect():
    result = book.using(key="order/7").enqueue("7", seconds=0.05)
    barrier = threading.Barrier(10)

    def deliver(_):
        barrier.wait()
        try:
            book.call(TaskContext(task_result=result), *result.args, **result.kwargs)
        finally:
            connection.close()

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(deliver, range(10)))
    assert effects() == 1
    assert TaskKey.objects.get().doubles == 9


def test_the_effect_of_a_failed_atomic_attempt_is_undone():
    broken.append(ValueError())
    book.using(key="order/7").enqueue("7")
    run_tasks()
    assert (seen, effects()) == (["7"], 0)
    make_due()
    run_tasks()
    assert (seen, effects()) == (["7", "7"], 1)
    assert TaskKey.objects.get().finished_at is not None


def test_a_key_that_is_not_committed_was_never_taken():
    with pytest.raises(RuntimeError), transaction.atomic():
        send.using(key="order/7").enqueue("7")
        raise RuntimeError
    assert TaskKey.objects.count() == DBTaskResult.objects.count() == 0
    send.using(key="order/7").enqueue("7")
    assert run_tasks() == 1


def test_a_key_is_held_through_retries_and_freed_by_the_end():
    broken.extend([ValueError(), ValueError()])
    first = send.using(key="order/7").enqueue("7")
    run_tasks()
    assert send.using(key="order/7").enqueue("7").id == first.id
    make_due()
    run_tasks()
    row = DeadTask.objects.get()
    assert row.key == "order/7"
    second = send.using(key="order/7").enqueue("7")
    assert second.id != first.id
    run_tasks()
    assert seen == ["7"] * 3
    # Somebody has done it in the meantime: running the dead one again finds that.
    dead.replay(row, by="test")
    assert run_tasks() == 0
    row.refresh_from_db()
    assert row.replay_id == second.id
    # And a late delivery of the one that was given up is a double of it, not of the second.
    DBTaskResult.objects.filter(pk=first.id).update(status="READY", run_after=timezone.now())
    run_tasks()
    assert seen == ["7"] * 3


def test_a_result_that_was_pruned_does_not_forget_the_key():
    first = send.using(key="order/7").enqueue("7")
    run_tasks()
    DBTaskResult.objects.all().delete()
    again = send.using(key="order/7").enqueue("7")
    assert (again.id, again.status) == (first.id, "SUCCESSFUL")
    assert run_tasks() == 0


@pytest.mark.parametrize("key", ["k" * 201, "a\0b"])
def test_a_key_that_cannot_be_kept_is_refused(key):
    with pytest.raises(ValueError, match="key of send"):
        send.using(key=key).enqueue("7")


def test_an_async_task_cannot_be_atomic():
    with pytest.raises(TypeError, match="cannot be atomic"):
        task(atomic=True)(asend.func.__wrapped__)
