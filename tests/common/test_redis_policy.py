"""The policy of tasks on the Redis backend: retries, dead letters, keys, time limits."""

import pytest
from django.tasks import TaskResultStatus
from fashionistar_common.models import DeadTask, RetriedTask
from fashionistar_common.tasks.dead import replay
from fashionistar_common.tasks.redis.queue import Taken
from fashionistar_common.testing import deliver_events

pytest.importorskip("redis", reason="needs the extra `redis`")

import redis_jobs as jobs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def work_on(work, until):
    """Deliver and run until something is so."""

    def work_on(is_so):
        def step():
            deliver_events()
            work()
            return is_so()

        until(step)

    return work_on


@pytest.mark.parametrize("kind", ["stumble", "astumble"])
def test_a_failing_task_is_tried_again_by_way_of_the_outbox(kind, name, settings, work_on):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "TASK_RETRY_BASE": 0.05}
    result = getattr(jobs, kind).enqueue(name, 2)
    work_on(lambda: len(jobs.notes(name)) == 3)
    result.refresh()
    assert result.status == TaskResultStatus.FAILED  # of the first attempt; the trail leads to the last one
    trail = RetriedTask.objects.get(task_id=result.id)
    last = result.task.get_result(trail.result_id)
    assert (trail.attempt, last.status, last.return_value) == (3, TaskResultStatus.SUCCESSFUL, "done")


def test_a_task_that_is_given_up_is_a_dead_letter_and_can_be_replayed(name, work_on):
    result = jobs.lose.enqueue(name)
    work_on(DeadTask.objects.exists)
    dead = DeadTask.objects.get()
    assert (dead.task_id, dead.queue_name) == (result.id, "default")
    assert replay(dead, by="me")
    work_on(lambda: DeadTask.objects.count() == 2)


def test_a_task_ends_when_its_time_is_over(name, work):
    result = jobs.dawdle.enqueue(name)
    work()
    result.refresh()
    assert result.status == TaskResultStatus.FAILED
    assert "TimeLimit" in result.errors[0].exception_class_path


def test_a_keyed_task_is_enqueued_once_and_done_once(name, backend, work):
    keyed = jobs.stumble.using(key=f"shirt/{name}")
    first = keyed.enqueue(name, 0)
    assert keyed.enqueue(name, 0).id == first.id
    deliver_events()
    work()
    assert keyed.enqueue(name, 0).status == TaskResultStatus.SUCCESSFUL
    _, facts = backend._new(jobs.stumble, [name, 0], backend.get_result(first.id).kwargs)
    backend.send(facts)  # the same work under another id, as after a failover that lost what had been done
    work()
    assert jobs.notes(name) == ["tried"]


@pytest.mark.parametrize("kind", ["unsettled", "aunsettled"])
def test_what_could_not_be_noted_is_delivered_again(kind, name, work_on):
    result = getattr(jobs, kind).enqueue(name)
    work_on(lambda: len(jobs.notes(name)) == 2)
    result.refresh()
    assert (result.status, result.attempts) == (TaskResultStatus.SUCCESSFUL, 1)


def test_what_kills_its_workers_becomes_a_dead_letter(backend, name, work, until):
    result = jobs.kill_worker_with_policy.enqueue(name)
    queue = backend.queue("default")
    queue.make_groups()
    assert isinstance(queue.take("a worker that dies"), Taken)
    until(lambda: work() or backend.get_result(result.id).is_finished)
    dead = DeadTask.objects.get()
    assert (dead.task_id, dead.args) == (result.id, [name])
    assert "1 workers died over it" in dead.traceback
    assert jobs.notes(name) == []


def test_an_attempt_that_was_followed_by_another_is_not_run_again(backend, name, work, until):
    """Its worker died after it had queued the next attempt, and before it could say that this one had failed."""
    result = jobs.stumble.enqueue(name, 0)
    queue = backend.queue("default")
    queue.make_groups()
    queue.take("a worker that dies")
    RetriedTask.objects.create(task_id=result.id, attempt=2, backend="default", result_id="default-next")
    until(lambda: work() or backend.get_result(result.id).is_finished)
    assert jobs.notes(name) == []
    assert not DeadTask.objects.exists()
