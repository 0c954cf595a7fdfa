import asyncio
import threading
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.tasks import TaskResultStatus
from django.tasks.exceptions import TaskResultDoesNotExist, TaskResultMismatch
from django.utils import timezone

pytest.importorskip("redis", reason="needs the extra `redis`")

import redis
import redis_jobs as jobs
from fashionistar_common.models import DeadTask
from fashionistar_common.redis_servers import redis_servers
from fashionistar_common.tasks.dead import replay
from fashionistar_common.tasks.redis import RedisBackend
from fashionistar_common.tasks.redis.backend import TaskNotEnqueuedError
from fashionistar_common.tasks.redis.queue import Outcome, Taken
from fashionistar_common.tasks.redis.worker import Worker
from fashionistar_common.testing import deliver_events


def test_a_task_is_ready_then_successful_and_its_result_can_be_looked_up(backend, name, work):
    result = jobs.write.enqueue(name, "linen")
    assert (result.status, result.id.startswith("default-")) == (TaskResultStatus.READY, True)
    assert backend.get_result(result.id).status == TaskResultStatus.READY
    work()
    result.refresh()
    assert (result.status, result.return_value, result.attempts) == (TaskResultStatus.SUCCESSFUL, "LINEN", 1)
    assert result.enqueued_at <= result.started_at <= result.finished_at
    found = jobs.write.get_result(result.id)
    assert (found.args, found.kwargs, found.task) == ([name, "linen"], {}, jobs.write)
    assert jobs.notes(name) == ["linen"]
    with pytest.raises(TaskResultMismatch):
        jobs.fail.get_result(result.id)


@pytest.mark.parametrize("result_id", ["default-" + "0" * 32, "nowhere-" + "0" * 32, "", "-", "default", "{x}-1"])
def test_a_task_that_is_not_there_does_not_exist(backend, result_id):
    with pytest.raises(TaskResultDoesNotExist):
        backend.get_result(result_id)
    with pytest.raises(TaskResultDoesNotExist):
        async_to_sync(backend.aget_result)(result_id)


def test_whatever_a_task_raises_is_its_failure_and_the_worker_goes_on(name, work):
    failing = [jobs.fail.enqueue(name), jobs.leave.enqueue(name), jobs.unstorable.enqueue()]
    after = jobs.write.enqueue(name, "still here")
    work()
    for result in (*failing, after):
        result.refresh()
    assert [result.status for result in failing] == [TaskResultStatus.FAILED] * 3
    assert [result.errors[0].exception_class for result in failing] == [ValueError, SystemExit, TypeError]
    assert "\0" not in failing[0].errors[0].traceback
    assert after.status == TaskResultStatus.SUCCESSFUL


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["redis_jobs.gone", "redis_jobs.note", "os.system", "nowhere.at_all"])
def test_a_message_can_name_tasks_only(backend, options, name, path, work, until):
    result, facts = backend._new(jobs.write, [name, "linen"], {})
    backend.send({**facts, "task": path})
    after = jobs.write.enqueue(name, "still here")

    def outcome():
        work()
        return backend.queue("default").load(result.id, patience=0)

    assert outcome()["status"] == "READY"  # for a worker of another release, which may know it
    after.refresh()
    assert after.status == TaskResultStatus.SUCCESSFUL
    until(lambda: outcome()["status"] == "FAILED")
    assert outcome()["workers"].count("here-") == 2
    dead = DeadTask.objects.get()
    assert (dead.task_id, dead.task, dead.args, dead.backend) == (result.id, path, [name, "linen"], "default")
    with pytest.raises(ImportError):
        replay(dead, by="operator")


@pytest.mark.django_db(transaction=True)
def test_a_task_that_only_the_next_release_knows_runs_when_it_is_replayed_there(
    backend, options, name, work, until, monkeypatch
):
    result = jobs.write.enqueue(name, "linen")
    with monkeypatch.context() as patch:
        patch.setattr(RedisBackend, "begun", lambda *_: jobs.gone)
        until(lambda: (work(), backend.get_result(result.id).status == TaskResultStatus.FAILED)[1])
    assert replay(DeadTask.objects.get(task_id=result.id), by="operator")
    deliver_events()
    work()
    assert jobs.notes(name) == ["linen"]


def test_async_tasks_run_side_by_side_and_no_more_than_were_asked_for(name, work):
    for _ in range(4):
        jobs.anap.enqueue(name, 0.3)
    work(concurrency=2)
    assert jobs.notes(name) == ["begun", "begun", "done", "done"] * 2


def test_an_async_task_can_enqueue_and_what_it_enqueues_runs(backend, name, work):
    result = async_to_sync(jobs.chain.aenqueue)(name)
    work()
    found = async_to_sync(backend.aget_result)(result.id)
    assert found.status == TaskResultStatus.SUCCESSFUL
    assert backend.get_result(found.return_value).status == TaskResultStatus.SUCCESSFUL
    assert jobs.notes(name) == ["from a loop"]


def test_many_event_loops_leave_no_connection_open(backend, name, work):
    async def enqueue():
        await asyncio.gather(*(jobs.write.aenqueue(name, str(number)) for number in range(5)))

    for _ in range(3):
        async_to_sync(enqueue)()
    assert not backend.servers._loops
    work()
    assert sorted(jobs.notes(name)) == sorted("01234" * 3)


def test_a_delayed_task_waits_for_its_time(backend, name, work, until):
    late = jobs.write.using(run_after=timezone.now() + timedelta(seconds=0.5))
    result = late.enqueue(name, "late")
    assert result.task.run_after == backend.get_result(result.id).task.run_after
    work()
    assert jobs.notes(name) == []
    assert [(facts.queue, facts.delayed) for facts in backend.queue_facts() if facts.delayed] == [("default", 1)]
    until(lambda: (work(), jobs.notes(name) == ["late"])[1])
    jobs.write.using(run_after=timezone.now() - timedelta(days=1)).enqueue(name, "long due")
    work()
    assert jobs.notes(name) == ["late", "long due"]


def test_a_delayed_task_stays_while_what_is_known_of_it_is_elsewhere(backend, name, work, until):
    result = jobs.write.using(run_after=timezone.now() + timedelta(seconds=0.05)).enqueue(name, "late")
    queue = backend.queue("default")
    key, client = queue.task_key(result.id), backend.servers.client(queue.tag)
    queue.make_groups()
    client.rename(key, f"{key}:elsewhere")
    client.set(key, "reading it fails, as while its slot moves to another server of a Cluster")

    def fails():
        try:
            return queue.take("here") and False
        except redis.ResponseError:
            return True

    until(fails)
    client.rename(f"{key}:elsewhere", key)
    work()
    assert jobs.notes(name) == ["late"]


def test_a_grace_that_ends_when_there_is_nothing_to_interrupt_ends_the_wait_for_async_tasks(backend):
    worker = Worker(backend, ["default"], name="here", grace=0)
    worker._held["1-0"] = None
    worker.stop()
    worker.stop()  # while it waits for Redis, say
    drained = threading.Thread(target=worker._drain, daemon=True)
    drained.start()
    drained.join(5)
    assert not drained.is_alive()


def test_priority_and_the_order_of_queues_decide_what_comes_first(name, work):
    for priority in (-100, -1, 0, 1, 100):
        jobs.write.using(priority=priority).enqueue(name, str(priority))
    jobs.write.using(queue_name="critical", priority=-100).enqueue(name, "critical")
    work()
    assert jobs.notes(name) == ["critical", "1", "100", "0", "-100", "-1"]  # within a band, first come, first served


def test_the_same_id_is_one_task_however_often_it_is_sent(backend, name, work):
    result, facts = backend._new(jobs.write, [name, "once"], {})
    together = [threading.Thread(target=backend.send, args=(facts,)) for _ in range(8)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    work()
    backend.send(facts)
    async_to_sync(backend.asend)(facts)
    work()
    assert jobs.notes(name) == ["once"]
    assert backend.get_result(result.id).attempts == 1


def test_many_workers_share_the_tasks_and_none_runs_twice(backend, name, start_worker):
    for number in range(200):
        jobs.write.enqueue(name, str(number))
    workers = [start_worker("--burst") for _ in range(3)]
    for worker in workers:
        assert worker.wait(60) == 0
    assert sorted(jobs.notes(name), key=int) == [str(number) for number in range(200)]
    assert {facts.waiting + facts.running for facts in backend.queue_facts()} == {0}


def test_what_a_killed_worker_held_is_run_by_another_one(backend, options, name, start_worker, until):
    options["MAX_DEATHS"] = 2
    held = [jobs.anap.enqueue(name, 60) for _ in range(2)] + [jobs.nap.enqueue(name, 60)]
    worker = start_worker()
    until(lambda: len(jobs.notes(name)) == 3)
    worker.kill()
    until(lambda: sum(facts.dead_workers for facts in backend.queue_facts()) == 1)
    start_worker()
    until(lambda: len(jobs.notes(name)) == 6)
    assert {backend.get_result(result.id).attempts for result in held} == {2}


def test_a_task_that_kills_its_workers_is_given_up(backend, options, name, start_worker, until):
    options["MAX_DEATHS"] = 2
    result = jobs.kill_worker.enqueue(name)
    for _ in range(2):
        assert start_worker().wait(30) == -9
    third = start_worker()
    until(lambda: backend.get_result(result.id).is_finished)
    third.terminate()
    assert third.wait(30) == 0
    found = backend.get_result(result.id)
    assert (found.status, found.attempts) == (TaskResultStatus.FAILED, 3)
    assert "2 workers died over it" in found.errors[0].traceback
    assert jobs.notes(name) == ["killing"] * 2


def test_a_worker_that_is_told_to_stop_finishes_what_it_runs_and_takes_nothing_new(backend, name, start_worker, until):
    jobs.nap.enqueue(name, 1)
    waiting = [jobs.write.enqueue(name, "not yet") for _ in range(3)]
    worker = start_worker()
    until(lambda: jobs.notes(name) == ["begun"])
    worker.terminate()
    assert worker.wait(30) == 0
    assert jobs.notes(name) == ["begun", "done"]
    assert {backend.get_result(result.id).status for result in waiting} == {TaskResultStatus.READY}


def test_what_outlasts_the_grace_is_given_back_at_once(backend, options, name, start_worker, until):
    options["LEASE"] = 600.0
    given_back = [jobs.anap.enqueue(name, 60), jobs.nap.enqueue(name, 60)]
    worker = start_worker("--grace", "0.3")
    until(lambda: jobs.notes(name) == ["begun"] * 2)
    worker.terminate()
    assert worker.wait(30) == 0
    found = [backend.get_result(result.id) for result in given_back]
    assert [(result.status, result.attempts) for result in found] == [(TaskResultStatus.READY, 0)] * 2
    assert {facts.queue: facts.waiting for facts in backend.queue_facts()}["default"] == 2


def test_a_task_that_takes_longer_than_the_lease_is_not_run_by_another_worker(backend, name, start_worker, until):
    results = [jobs.nap.enqueue(name, 2.5), jobs.anap.enqueue(name, 2.5)]
    for _ in range(2):
        start_worker()
    until(lambda: all(backend.get_result(result.id).is_finished for result in results))
    assert {backend.get_result(result.id).attempts for result in results} == {1}


def test_a_result_is_kept_for_its_time(backend, options, name, until):
    options["RESULT_TTL"] = 1
    backend = RedisBackend("default", {"QUEUES": ["default"], "OPTIONS": options})
    result = jobs.write.enqueue(name, "linen")
    Worker(backend, ["default"], name="here").run(burst=True)

    def is_gone():
        try:
            backend.get_result(result.id)
        except TaskResultDoesNotExist:
            return True
        return False

    until(is_gone)


def test_a_success_is_not_overwritten_by_a_second_run(backend, name, until):
    result = jobs.write.enqueue(name, "linen")
    queue = backend.queue("default")
    queue.make_groups()
    taken = queue.take("first")
    assert isinstance(taken, Taken)
    until(lambda: isinstance(queue.take("second", lease=0.1), Taken))  # the first one seemed dead
    queue.finish(taken, Outcome(status="SUCCESSFUL", return_value='"first"'), keep=60, patience=0)
    queue.finish(taken, Outcome(status="FAILED", errors="[]"), keep=60, patience=0)
    assert backend.get_result(result.id).return_value == "first"
    assert queue.take("third", lease=0.1) is None


def test_facts_tell_what_waits_and_for_how_long(backend, name, work, until):
    jobs.write.enqueue(name, "linen")
    jobs.write.using(priority=5).enqueue(name, "silk")
    until(lambda: {facts.queue: facts.oldest_seconds for facts in backend.queue_facts()}["default"] > 0.05)
    facts = {facts.queue: facts for facts in backend.queue_facts()}
    assert (facts["default"].waiting, facts["default"].running, facts["emails"].waiting) == (2, 0, 0)
    assert facts["emails"].oldest_seconds == 0
    work()
    assert {(facts.waiting, facts.running, facts.oldest_seconds) for facts in backend.queue_facts()} == {(0, 0, 0)}


def test_enqueueing_fails_when_nobody_takes_the_task(backend, options, name):
    away = RedisBackend("default", {"QUEUES": ["default"], "OPTIONS": {**options, "URL": "redis://127.0.0.1:1/0"}})
    with pytest.raises(TaskNotEnqueuedError):
        away.enqueue(jobs.write, [name, "linen"], {})
    with pytest.raises(TaskNotEnqueuedError):
        async_to_sync(away.aenqueue)(jobs.write, [name, "linen"], {})


def test_enqueueing_fails_when_too_few_replicas_take_the_task(options, name, work):
    lonely = {**options, "WAIT_REPLICAS": 1, "WAIT_TIMEOUT_MS": 20}
    alone = RedisBackend("default", {"QUEUES": ["default"], "OPTIONS": lonely})
    with pytest.raises(TaskNotEnqueuedError):
        alone.enqueue(jobs.write, [name, "linen"], {})
    with pytest.raises(TaskNotEnqueuedError):
        async_to_sync(alone.aenqueue)(jobs.write, [name, "silk"], {})
    work()
    assert jobs.notes(name) == ["linen", "silk"]  # each once, however often it was tried: the error says "not sure"


def test_one_set_of_options_is_one_door(options):
    assert redis_servers(options) is redis_servers({**options, "LEASE": 5})


def test_a_worker_says_so_when_its_server_may_throw_tasks_away(backend, work, caplog, monkeypatch):
    work()
    assert "may throw tasks away" not in caplog.text
    monkeypatch.setattr("fashionistar_common.tasks.redis.queue.RedisQueue.eviction_policy", lambda queue: "allkeys-lru")
    work()
    assert "may throw tasks away" in caplog.text


def test_what_a_dead_worker_left_is_taken_over_by_one_that_has_enough_to_do(backend, options, name, until):
    left = jobs.write.enqueue(name, "left")
    queue = backend.queue("default")
    queue.make_groups()
    assert isinstance(queue.take("a worker that dies"), Taken)
    options["MAX_DEATHS"] = 5
    busy = Worker(backend, ["default"], name="busy")
    heap = [jobs.write.enqueue(name, "new") for _ in range(20)]
    until(lambda: queue.facts(lease=1).dead_workers == 1)
    taken = [busy._take()[1] for _ in range(len(heap) + 1)]
    assert [task.id for task in taken] == [left.id, *(result.id for result in heap)]
