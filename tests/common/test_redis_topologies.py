"""A failover under the worker's feet: real servers on loopback, a short run. `make chaos` has the long one."""

import pytest
from asgiref.sync import async_to_sync
from django.tasks import TaskResultStatus, task_backends

pytest.importorskip("redis", reason="needs the extra `redis`")

import redis_jobs as jobs
from launch import topologies

pytestmark = [pytest.mark.slow]
TASKS = 60


@pytest.fixture
def on(settings, options):
    """Give the backend of this test other options."""

    def on(changes):
        options.pop("URL", None)
        options.update({"LEASE": 2.0, "RETRY_SECONDS": 20.0}, **changes)
        settings.TASKS = {"default": {**settings.TASKS["default"], "OPTIONS": options}}
        return task_backends["default"]

    return on


@pytest.mark.parametrize("kind", ["sentinel_trio", "cluster_of_three"])
def test_no_task_is_lost_when_the_master_dies(kind, on, backend, name, start_worker, until, tmp_path):
    with getattr(topologies, kind)(tmp_path) as servers:
        backend = on({**servers.options, "WAIT_REPLICAS": 1})
        start_worker("--queue", "critical,default")
        results = [jobs.write.enqueue(name, str(number)) for number in range(TASKS // 2)]
        servers.kill_master(backend.queue("default").tag)
        backend = on({"WAIT_REPLICAS": 0})  # the new master may have nobody left to copy to
        results += [jobs.write.enqueue(name, str(number)) for number in range(TASKS // 2, TASKS - 1)]
        results.append(async_to_sync(jobs.write.using(queue_name="critical").aenqueue)(name, str(TASKS - 1)))
        until(lambda: set(jobs.notes(name)) == {str(number) for number in range(TASKS)}, seconds=60)
        until(lambda: all(backend.get_result(result.id).is_finished for result in results))
        assert {backend.get_result(result.id).status for result in results} == {TaskResultStatus.SUCCESSFUL}


def test_a_worker_outlives_its_server(on, backend, name, start_worker, until, tmp_path):
    with topologies.one_server(tmp_path) as servers:
        on(servers.options)
        worker = start_worker()
        jobs.write.enqueue(name, "before")
        until(lambda: jobs.notes(name) == ["before"])
        jobs.nap.enqueue(name, 0.5)
        until(lambda: jobs.notes(name) == ["before", "begun"])
        servers.nodes[0].kill()
        until(lambda: jobs.notes(name) == ["before", "begun", "done"])
        servers.nodes[0].start()
        jobs.write.enqueue(name, "after")
        until(lambda: jobs.notes(name) == ["before", "begun", "done", "after"])
        worker.terminate()
        assert worker.wait(30) == 0
