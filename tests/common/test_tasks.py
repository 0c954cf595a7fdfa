from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from fashionistar_common import context
from fashionistar_common.tasks import requeue_lost_tasks, task
from fashionistar_common.testing import run_tasks

pytestmark = pytest.mark.django_db(transaction=True)
seen = []


@task(queue_name="emails", max_attempts=3)
def fold(shirt, *, fail=False):
    seen.append((shirt, context.request_id.get()))
    if fail:
        raise ValueError("creased")
    return shirt.upper()


@task(max_attempts=2)
async def afold(shirt):
    seen.append(shirt)
    raise ValueError("creased")


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """The worker finds tasks by path; test modules are not on it."""
    found = {f"{__name__}.fold": fold, f"{__name__}.afold": afold}
    monkeypatch.setattr("django_tasks_db.models.import_string", found.__getitem__)
    seen.clear()


def make_due():
    DBTaskResult.objects.filter(status="READY").update(run_after=timezone.now() - timedelta(seconds=1))


def test_a_task_runs_with_the_request_id_of_whoever_enqueued_it():
    token = context.request_id.set("req-7")
    fold.enqueue("linen")
    context.request_id.reset(token)
    assert run_tasks() == 1
    assert seen == [("linen", "req-7")]
    assert DBTaskResult.objects.get().return_value == "LINEN"
    assert DBTaskResult.objects.get().queue_name == "emails"


def test_enqueueing_is_part_of_the_transaction():
    with pytest.raises(RuntimeError), transaction.atomic():
        fold.enqueue("linen")
        raise RuntimeError
    assert run_tasks() == 0


def test_a_failing_task_is_tried_again_with_growing_delays_and_then_given_up():
    fold.enqueue("linen", fail=True)
    waits = []
    for _ in range(3):
        before = timezone.now()
        assert run_tasks() == 1
        if waiting := DBTaskResult.objects.filter(status="READY").first():
            waits.append((waiting.run_after - before).total_seconds())
        make_due()
    assert waits == pytest.approx([60, 120], rel=0.2)
    assert len(seen) == 3
    assert [result.status for result in DBTaskResult.objects.all()] == ["FAILED"] * 3


def test_a_task_that_fails_twice_succeeds_on_the_third_attempt():
    outcomes = [True, True, False]
    fold.enqueue("linen", fail=outcomes[0])
    for outcome in outcomes[1:]:
        run_tasks()
        waiting = DBTaskResult.objects.get(status="READY")
        waiting.args_kwargs["kwargs"]["fail"] = outcome
        waiting.save()
        make_due()
    run_tasks()
    assert DBTaskResult.objects.filter(status="SUCCESSFUL").count() == 1
    assert len(seen) == 3


def test_async_tasks_are_retried_as_well():
    async_result = afold.enqueue("silk")
    assert async_result.task.queue_name == "default"
    run_tasks()
    make_due()
    run_tasks()
    assert seen == ["silk", "silk"]
    assert DBTaskResult.objects.filter(status="READY").count() == 0


def lose(result, *, minutes, workers=1):
    result.status, result.started_at = "RUNNING", timezone.now() - timedelta(minutes=minutes)
    result.worker_ids = ["gone"] * workers
    result.save()


def test_a_task_whose_worker_died_runs_again_and_a_running_one_is_left_alone():
    fold.enqueue("linen")
    fold.enqueue("silk")
    lost, running = DBTaskResult.objects.order_by("enqueued_at")
    lose(lost, minutes=6)
    lose(running, minutes=4)
    assert requeue_lost_tasks() == 1
    assert run_tasks() == 1
    assert [shirt for shirt, _ in seen] == ["linen"]


def test_a_task_that_kills_its_workers_is_given_up():
    fold.enqueue("linen")
    lose(DBTaskResult.objects.get(), minutes=6, workers=3)
    assert requeue_lost_tasks() == 0
    assert DBTaskResult.objects.get().status == "FAILED"
    assert "lost with its worker 3 times" in DBTaskResult.objects.get().traceback
