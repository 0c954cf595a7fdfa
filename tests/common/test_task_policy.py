"""What a task promises: how often it is tried, for how long, with what, and in whose context."""

import asyncio
import inspect
import logging
import signal
import threading
import time
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

import pytest
from asgiref.sync import async_to_sync
from django.tasks import TaskContext
from django.tasks.exceptions import InvalidTask
from django.utils import timezone
from django.utils.module_loading import import_string
from django_tasks_db.models import DBTaskResult
from fashionistar_common import context
from fashionistar_common.checks.tasks import check_tasks
from fashionistar_common.models import IdempotencyRecord
from fashionistar_common.tasks import RetryingTask, TaskArgumentError, TaskTimeLimitError, policy, task
from fashionistar_common.testing import run_tasks

pytestmark = pytest.mark.django_db(transaction=True)
seen = []


class CreasedError(Exception):
    pass


class TornError(CreasedError):
    pass


@task(retry_on=(CreasedError,), give_up_on=(f"{__name__}.TornError",), retry_base=10)
def fold(shirt, times=1, *, error=""):
    seen.append((shirt, times, context.request_id.get(), context.origin.get()))
    if error:
        raise {"creased": CreasedError, "torn": TornError, "other": OSError}[error]


@task(max_attempts=2)
async def airon(shirt, *, leave=""):
    seen.append((shirt, asyncio.get_running_loop()))
    if leave == "exit":
        raise SystemExit
    if leave == "cancelled":
        raise asyncio.CancelledError


@task()
def press(*shirts, **colours):
    pass


@task(time_limit=0.3, max_attempts=2)
def steam(seconds):
    time.sleep(seconds)


@task(time_limit=0.3, max_attempts=2)
async def asteam(seconds):
    await asyncio.sleep(seconds)


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """The worker finds tasks by path; test modules are not on it."""
    found = {each.module_path: each for each in policy.registry.values() if each.func.__module__ == __name__}
    monkeypatch.setattr("django_tasks_db.models.import_string", found.__getitem__)
    monkeypatch.setattr(policy, "import_string", lambda path: globals()[path.rpartition(".")[2]])
    policy._classes.cache_clear()
    seen.clear()


@pytest.mark.parametrize(("error", "again"), [("creased", 1), ("torn", 0), ("other", 0)])
def test_the_policy_says_which_errors_are_tried_again(error, again):
    fold.enqueue("linen", error=error)
    before = timezone.now()
    assert run_tasks() == 1
    waiting = DBTaskResult.objects.filter(status="READY")
    assert waiting.count() == again
    for each in waiting:
        assert (each.run_after - before).total_seconds() == pytest.approx(10, rel=0.2)


def test_user_and_trace_follow_the_request_into_the_task():
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with context.carried({"request_id": "req-7", "user_id": "u1", "role": "client", "traceparent": trace}):
        fold.enqueue("linen")
    assert context.origin.get() is None
    run_tasks()
    _, _, request_id, origin = seen[0]
    assert (request_id, origin.user_id, origin.role) == ("req-7", "u1", "client")
    assert DBTaskResult.objects.get().args_kwargs["kwargs"]["_headers"]["context"]["traceparent"] == trace
    assert context.request_id.get() == ""


def test_every_attempt_knows_the_first_one_and_keeps_queue_and_priority():
    first = fold.using(queue_name="critical", priority=7).enqueue("linen", error="creased")
    for attempt in (2, 3):
        DBTaskResult.objects.filter(status="READY").update(run_after=timezone.now())
        run_tasks()
        waiting = DBTaskResult.objects.get(status="READY")
        headers = waiting.args_kwargs["kwargs"]["_headers"]
        assert (headers["attempt"], headers["task_id"]) == (attempt, first.id)
        assert (waiting.queue_name, waiting.priority) == ("critical", 7)


def test_an_async_task_stays_one_and_runs_on_the_loop_that_is_there():
    assert inspect.iscoroutinefunction(airon.func)
    airon.enqueue("silk")
    run_tasks()

    async def on_a_loop_of_ours():
        result = await airon.aenqueue("wool")
        await airon.acall(TaskContext(task_result=result), *result.args, **result.kwargs)
        return asyncio.get_running_loop()

    ours = async_to_sync(on_a_loop_of_ours)()
    assert [shirt for shirt, _ in seen] == ["silk", "wool"]
    assert seen[1][1] is ours


@pytest.mark.parametrize("leave", ["exit", "cancelled"])
def test_a_task_that_leaves_is_tried_again(leave):
    airon.enqueue("silk", leave=leave)
    assert run_tasks() == 1
    assert DBTaskResult.objects.filter(status="READY").count() == 1
    assert "Exit" in (text := DBTaskResult.objects.get(status="FAILED").traceback) or "Cancelled" in text


def test_an_attempt_that_its_worker_cancels_is_left_to_the_worker():
    async def cancel_it():
        running = asyncio.create_task(asteam.acall(0.2))
        await asyncio.sleep(0.05)
        running.cancel()
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(cancel_it())
    assert DBTaskResult.objects.count() == 0


ENDLESS = []
ENDLESS.append(ENDLESS)


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    "good",
    [None, True, 3, -2.5, "linen", Colour.RED, ["a", {"b": [None]}], {"size": {"eu": 38}}, "Ọ̀ṣun 🧵"],
    ids=lambda value: type(value).__name__,
)
def test_what_json_keeps_arrives_unchanged(good):
    fold.enqueue(good)
    run_tasks()
    assert seen[0][0] == good


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (IdempotencyRecord(), "fashionistar_common.models.idempotency.IdempotencyRecord"),
        (datetime.now(UTC), "datetime.datetime"),
        (Decimal("1.50"), "decimal.Decimal"),
        (uuid.uuid4(), "uuid.UUID"),
        ((1, 2), "is a tuple"),
        ({1, 2}, "is a set"),
        (b"linen", "is a bytes"),
        ({1: "a"}, "has a key that is a int"),
        (["a", [{"b": Decimal(1)}]], "has an item that has an item that is a decimal.Decimal"),
        (float("nan"), "is nan"),
        ("a\0b", "characters"),
        ({"\ud800": 1}, "characters"),
        (ENDLESS, "nested too deeply"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_does_not_keep_is_refused_by_name_and_type(bad, said):
    for call in (lambda: fold.enqueue(bad), lambda: fold.enqueue(shirt=bad), lambda: press.enqueue(bad)):
        with pytest.raises(TaskArgumentError, match=r"`shirts?` of the task (fold|press) .*Pass ids") as refused:
            call()
        assert said in str(refused.value)
    assert DBTaskResult.objects.count() == 0


def test_arguments_that_do_not_fit_are_refused_before_they_are_queued():
    for call in (
        fold.enqueue,
        lambda: fold.enqueue("a", colour="red"),
        lambda: fold.enqueue("a", _headers={}),
    ):
        with pytest.raises(TypeError):
            call()
    press.enqueue("a", "b", red="c")
    assert run_tasks() == 1


@pytest.mark.parametrize("slow", [steam, asteam], ids=["sync", "async"])
def test_an_attempt_that_takes_too_long_is_warned_of_stopped_and_tried_again(slow, caplog):
    slow.enqueue(30)
    began = time.monotonic()
    assert run_tasks() == 1
    assert time.monotonic() - began < 25
    assert [record.time_limit for record in caplog.records if "soon be out of time" in record.message] == [0.3]
    failed = DBTaskResult.objects.get(status="FAILED")
    assert failed.exception_class_path.endswith(TaskTimeLimitError.__qualname__)
    assert DBTaskResult.objects.filter(status="READY").count() == 1


def test_an_attempt_that_is_quick_leaves_the_alarm_as_it_was(caplog):
    handler = signal.getsignal(signal.SIGALRM)
    before = signal.getitimer(signal.ITIMER_REAL)[0]
    steam.func(0)
    assert signal.getsignal(signal.SIGALRM) is handler
    assert signal.getitimer(signal.ITIMER_REAL)[0] == pytest.approx(before, abs=5)
    assert not caplog.records


def test_in_another_thread_too_long_is_only_said(caplog):
    thread = threading.Thread(target=steam.func, args=(0.6,))
    with caplog.at_level(logging.WARNING):
        thread.start()
        thread.join()
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "task will soon be out of time",
        "task is out of time and cannot be stopped",
    ]


def test_a_lost_task_is_one_that_cannot_be_running_any_more():
    assert steam.lost_after > steam.seconds + 0.9
    assert fold.lost_after == fold.seconds * 1.1


def hem(shirt, context):
    """Whose own parameter has the name of the one that Django passes."""
    seen.append((shirt, context))


def test_what_the_settings_lack_is_told_by_a_check_and_not_by_a_crash(monkeypatch):
    monkeypatch.setattr(policy, "registry", {})
    made = task(queue_name="ironing")(hem)
    task(backend="moon", give_up_on=("nowhere.NoError",))(fold.func.__wrapped__)
    monkeypatch.setattr(policy, "import_string", import_string)
    assert isinstance(made, RetryingTask)
    assert [(message.id, message.msg.removeprefix(f"The task {__name__}.")) for message in check_tasks()] == [
        ("fashionistar_common.E020", "fold has nowhere to go: TASKS has no backend 'moon'."),
        ("fashionistar_common.E020", "fold names an error that is not there: No module named 'nowhere'."),
        ("fashionistar_common.E020", "hem has nowhere to go: TASKS['default'] has no queue 'ironing'."),
    ]
    with pytest.raises(InvalidTask, match="ironing"):
        made.enqueue("linen", "cotton")
    made.using(queue_name="default").func("linen", "cotton")
    assert seen == [("linen", "cotton")]


def test_a_policy_that_names_no_error_still_has_the_task_tried_again(monkeypatch, caplog):
    monkeypatch.setattr(policy, "registry", {})
    monkeypatch.setattr(policy, "import_string", import_string)
    made = task(give_up_on=("nowhere.NoError",))(fold.func.__wrapped__)
    assert made.is_worth_another(CreasedError())
    assert "is not there" in caplog.text


def test_a_webhook_that_is_no_http_address_is_told_by_a_check(settings):
    settings.FASHIONISTAR_COMMON = {"TASK_FAILURE_WEBHOOK": "file:///etc/passwd"}
    assert [message.id for message in check_tasks()] == ["fashionistar_common.E023"]


@pytest.mark.parametrize(
    ("key", "value"), [("TASK_TIME_LIMIT", 0), ("TASK_TIME_WARNING", 80.0), ("TASK_RETRY_BASE", -1.0)]
)
def test_times_that_make_no_sense_are_told_by_a_check(settings, key, value):
    settings.FASHIONISTAR_COMMON = {key: value}
    assert [(message.id, key in message.msg) for message in check_tasks()] == [("fashionistar_common.E021", True)]
