"""Tasks that are given up: kept with all that is needed, reported, and run again when somebody says so."""

import hashlib
import hmac
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from fashionistar_common import context
from fashionistar_common.events.bus import event_bus
from fashionistar_common.mail.queued import send_queued_email
from fashionistar_common.models import DeadTask, EventDelivery, OutboxEvent, RetriedTask, TaskKey
from fashionistar_common.tasks import UnsettledError, dead, requeue_lost_tasks, task, upkeep
from fashionistar_common.testing import deliver_events, published, run_tasks

pytestmark = pytest.mark.django_db(transaction=True)
seen = []
broken = []


@task(queue_name="emails", max_attempts=2)
def sew(button, *, thread="red"):
    seen.append((button, thread, context.request_id.get()))
    if broken:
        raise broken[0]


@task(give_up_on=(KeyError,))
async def adye(colour):
    raise KeyError(colour)


@pytest.fixture(autouse=True)
def _clean():
    seen.clear()
    broken.clear()


def run_all():
    """Run every attempt, as if its time had come."""
    while DBTaskResult.objects.filter(status="READY").update(run_after=timezone.now() - timedelta(seconds=1)):
        run_tasks()


def kill_sewing(*buttons, error=None):
    broken.append(error or ValueError("the needle broke"))
    with context.carried({"request_id": "req-7", "user_id": "u1"}):
        for button in buttons:
            sew.using(priority=3).enqueue(button, thread="blue")
    run_all()
    broken.clear()
    seen.clear()


def test_an_exhausted_task_is_kept_with_all_that_is_needed():
    first = []
    broken.append(ValueError("the needle broke \x00 \ud800"))
    with context.carried({"request_id": "req-7", "user_id": "u1"}):
        first.append(sew.using(priority=3).enqueue("b1", thread="blue"))
    run_all()
    row = DeadTask.objects.get()
    assert (row.task, row.args, row.kwargs) == (f"{__name__}.sew", ["b1"], {"thread": "blue"})
    assert (row.queue_name, row.priority, row.backend, row.attempts) == ("emails", 3, "default", 2)
    assert (row.error, row.task_id) == ("builtins.ValueError", first[0].id)
    assert "the needle broke \\x00" in row.traceback
    assert (row.context["request_id"], row.context["user_id"]) == ("req-7", "u1")
    assert RetriedTask.objects.get().attempt == 2


def test_a_task_that_gives_up_at_once_is_kept_too():
    adye.enqueue("indigo")
    run_all()
    assert (DeadTask.objects.get().attempts, DeadTask.objects.get().error) == (1, "builtins.KeyError")


def test_a_task_that_kills_its_workers_is_kept_too():
    result = sew.enqueue("b1")
    DBTaskResult.objects.update(
        status="RUNNING", started_at=timezone.now() - timedelta(hours=1), worker_ids=["gone", "gone too"]
    )
    assert requeue_lost_tasks() == 0
    row = DeadTask.objects.get()
    assert (row.task_id, row.args, row.kwargs, row.error) == (result.id, ["b1"], {}, "builtins.TimeoutError")


def test_an_attempt_that_died_after_it_was_noted_does_not_run_once_more():
    broken.append(ValueError())
    sew.enqueue("b1")
    run_tasks()
    DBTaskResult.objects.filter(status="FAILED").update(
        status="RUNNING", started_at=timezone.now() - timedelta(hours=1)
    )
    assert requeue_lost_tasks() == 0
    assert sorted(DBTaskResult.objects.values_list("status", flat=True)) == ["FAILED", "READY"]


def test_a_task_that_dies_twice_has_one_dead_letter_and_one_report():
    error = ValueError()
    facts = {"task_id": "t1", "args": [], "kwargs": {}, "headers": {"attempt": 2, "context": {}}}
    for _ in range(2):
        dead.bury(sew, error=error, **facts)
    assert DeadTask.objects.count() == len(published("common.task_died")) == 1


def replay(**options):
    out = StringIO()
    call_command("replay_tasks", stdout=out, stderr=out, **options)
    return out.getvalue()


def test_the_command_runs_it_again_in_its_own_context_and_once():
    kill_sewing("b1")
    assert "1 of 1 queued" in replay(all=True)
    assert "0 of 0 queued" in replay(all=True)
    waiting = DBTaskResult.objects.get(status="READY")
    assert (waiting.queue_name, waiting.priority) == ("emails", 3)
    run_all()
    assert seen == [("b1", "blue", "req-7")]
    row = DeadTask.objects.get()
    assert (row.replayed_by, row.replay_id) == ("replay_tasks", str(waiting.pk))


def test_the_command_runs_what_it_is_asked_for():
    kill_sewing("b1", "b2", "b3")
    adye.enqueue("indigo")
    run_all()
    one, three = (DeadTask.objects.get(args=[button]) for button in ("b1", "b3"))
    DeadTask.objects.filter(pk=one.pk).update(failed_at=timezone.now() - timedelta(days=2))
    yesterday = (timezone.now() - timedelta(days=1)).isoformat()
    assert "2 would be queued" in replay(task=sew.module_path, since=yesterday, dry_run=True)
    assert DBTaskResult.objects.filter(status="READY").count() == 0
    assert "1 of 1 queued" in replay(queue="emails", id=[three.task_id])
    assert "1 of 1 queued" in replay(queue="emails", since=yesterday)
    assert {row.task for row in DeadTask.objects.filter(replayed_at=None)} == {sew.module_path, adye.module_path}
    with pytest.raises(CommandError, match="Say which"):
        replay()
    with pytest.raises(CommandError, match="Say which"):
        replay(all=True, queue="emails")


def test_one_that_is_no_longer_in_the_code_stops_nobody():
    kill_sewing("b1", "b2")
    gone = DeadTask.objects.order_by("pk").first()
    DeadTask.objects.filter(pk=gone.pk).update(task=f"{__name__}.unpick")
    with pytest.raises(CommandError, match="1 could not be queued"):
        replay(all=True)
    assert DBTaskResult.objects.filter(status="READY").count() == 1
    gone.refresh_from_db()
    assert gone.replayed_at is None


@pytest.mark.postgresql
def test_many_who_replay_one_queue_it_once():
    kill_sewing("b1")
    row = DeadTask.objects.get()

    def try_it(_):
        try:
            return dead.replay(row, by="somebody")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(try_it, range(8))) == 1
    assert DBTaskResult.objects.filter(status="READY").count() == 1


def test_old_ones_are_deleted(settings):
    kill_sewing("b1", "b2")
    old = timezone.now() - timedelta(days=91)
    DeadTask.objects.filter(pk=DeadTask.objects.order_by("pk").first().pk).update(failed_at=old)
    RetriedTask.objects.update(queued_at=old)
    TaskKey.objects.create(task="t", key="waits", backend="default", enqueued_at=timezone.now())
    TaskKey.objects.create(task="t", key="done", backend="default", enqueued_at=old, finished_at=old)
    DBTaskResult.objects.update(finished_at=old)
    upkeep.purge_tasks.func()
    assert DeadTask.objects.count() == 1
    assert RetriedTask.objects.count() == DBTaskResult.objects.count() == 0
    assert [each.key for each in TaskKey.objects.all()] == ["waits"]


class Recorder(BaseHTTPRequestHandler):
    statuses = []
    calls = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.calls.append((self.path, dict(self.headers), body))
        self.send_response(self.statuses.pop(0) if self.statuses else 204)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def listener(settings):
    Recorder.statuses, Recorder.calls = [], []
    server = HTTPServer(("127.0.0.1", 0), Recorder)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    settings.FASHIONISTAR_COMMON = {
        **getattr(settings, "FASHIONISTAR_COMMON", {}),
        "TASK_FAILURE_WEBHOOK": f"http://127.0.0.1:{server.server_port}/dead",
        "TASK_FAILURE_WEBHOOK_SECRET": "pins",
    }
    yield Recorder
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_dead_task_is_reported_with_a_signature_and_without_its_arguments(listener):
    kill_sewing("secret-button")
    deliver_events()
    ((path, headers, body),) = listener.calls
    assert path == "/dead"
    report = json.loads(body)
    assert (report["type"], report["task"], report["attempts"]) == ("common.task_died", sew.module_path, 2)
    assert (report["task_id"], report["request_id"]) == (DeadTask.objects.get().task_id, "req-7")
    assert b"secret-button" not in body
    assert b"needle" not in body
    stamp, signature = (part.partition("=")[2] for part in headers["X-Fashionistar-Signature"].split(","))
    assert signature == hmac.new(b"pins", f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["Idempotency-Key"] == report["event_id"] == str(OutboxEvent.objects.get().event_id)


def test_a_report_that_is_not_taken_is_sent_again_and_never_a_dead_task_of_its_own(listener):
    listener.statuses += [500, 302, 204]
    kill_sewing("b1")
    for _ in range(4):
        deliver_events()
        EventDelivery.objects.update(next_attempt_at=timezone.now())
    assert [path for path, _, _ in listener.calls] == ["/dead"] * 3
    assert EventDelivery.objects.get(subscriber__endswith="report_task_on_task_died").status == "delivered"
    assert DeadTask.objects.count() == 1


def test_without_a_webhook_nothing_is_called():
    kill_sewing("b1")
    assert "fashionistar_common.tasks.webhook.report_task_on_task_died" in event_bus.subscriptions(
        "common.task_died", 1
    )
    deliver_events()
    assert EventDelivery.objects.get().status == "delivered"


@pytest.fixture
def pages():
    try:
        return reverse("admin:fashionistar_common_deadtask_changelist")
    except NoReverseMatch:
        pytest.skip("the project has no admin")


def test_the_admin_shows_hides_and_runs_again(pages, settings):
    kill_sewing("<b>b1</b>")
    row = DeadTask.objects.get()
    model = get_user_model()
    user = model(is_staff=True, is_active=True, **{model.USERNAME_FIELD: "staff@example.com"})
    user.set_unusable_password()
    user.save()
    client = Client()
    client.force_login(user)
    body = {"action": "run_again", "_selected_action": [row.pk]}
    page = reverse("admin:fashionistar_common_deadtask_change", args=[row.pk])
    for right, waiting in (("view_deadtask", 0), ("change_deadtask", 1)):
        user.user_permissions.add(Permission.objects.get(codename=right))
        assert client.get(pages, {"q": "needle"}).content.count(row.task_id.encode()) >= 1
        assert b"&lt;b&gt;b1&lt;/b&gt;" in client.get(page).content
        client.post(pages, body)
        assert DBTaskResult.objects.filter(status="READY").count() == waiting
    assert DeadTask.objects.get().replayed_by == "staff@example.com"
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "TASK_HIDDEN_ARGUMENTS": ["thread"]}
    shown = client.get(page).content
    assert b"blue" not in shown
    assert b"b1" not in shown.partition(b"field-arguments")[2].partition(b"</pre>")[0]
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "TASK_HIDDEN_ARGUMENTS": []}
    letter = {"body": "https://shop.example/new-password/abc"}
    DeadTask.objects.filter(pk=row.pk).update(task=send_queued_email.module_path, args=[letter], kwargs={})
    assert b"new-password" not in client.get(page).content


@pytest.mark.postgresql
def test_where_tasks_run_at_once_one_that_breaks_its_callers_transaction_fails_quickly(settings):
    settings.TASKS = {"default": {"BACKEND": "django.tasks.backends.immediate.ImmediateBackend", "QUEUES": []}}
    broken.append(ValueError())
    sew.enqueue("b1")
    assert DeadTask.objects.get().attempts == 1  # there is no later on this backend
    with transaction.atomic():
        result = divide.enqueue()
        transaction.set_rollback(True)
    assert result.errors[0].exception_class is UnsettledError
    assert DeadTask.objects.count() == 1


@task()
def divide():
    connection.cursor().execute("SELECT 1 / 0")
