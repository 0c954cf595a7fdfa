"""Whoever caused a task can follow it by one id, through all its attempts; nobody else learns that it is there."""

from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.db import transaction
from django.test import AsyncClient, Client
from django.urls import include, path
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from fashionistar_common import context
from fashionistar_common.events import event_bus
from fashionistar_common.exceptions import NotAuthenticatedError
from fashionistar_common.http.ninja import install_problem_handlers
from fashionistar_common.models import DeadTask, EventDelivery
from fashionistar_common.router import create_router
from fashionistar_common.tasks import dead, task
from fashionistar_common.tasks.events import TaskEnqueued
from fashionistar_common.testing import assert_problem, deliver_events, run_tasks
from fashionistar_common.types import Actor, Role
from ninja import NinjaAPI

api = NinjaAPI(urls_namespace="task-status")
install_problem_handlers(api)
api.add_router("", create_router())
urlpatterns = [
    path("api/v1", include("fashionistar_common.api.v1.urls")),
    path("api/v2/", api.urls),
]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls(__name__)]
ACTORS = {"amara": Actor("amara", Role.CLIENT), "vera": Actor("vera", Role.VENDOR), "sade": Actor("sade", Role.STAFF)}
broken = []


def authenticate(token):
    if token not in ACTORS:
        raise NotAuthenticatedError
    return ACTORS[token]


@task(max_attempts=2)
def knit(secret):
    if broken:
        raise broken[0]


@pytest.fixture(autouse=True)
def _tokens(settings):
    broken.clear()
    settings.FASHIONISTAR_COMMON = {"AUTHENTICATOR": f"{__name__}.authenticate"}


@pytest.fixture
def amaras():
    with context.carried({"user_id": "amara", "role": "client"}):
        return knit.enqueue("secret-pattern").id


def ask(task_id, token="amara"):
    """The two versions' answers, which are one."""
    headers = {"Authorization": f"Bearer {token}"}
    first = Client().get(f"/api/v1/tasks/{task_id}", headers=headers)
    second = async_to_sync(AsyncClient().get)(f"/api/v2/tasks/{task_id}", headers=headers)
    assert first.status_code == second.status_code
    if first.status_code == 200:
        assert first.json() == second.json()
    else:
        assert {**first.json(), "request_id": ""} == {**second.json(), "request_id": ""}
    return first


def test_who_caused_it_and_staff_may_see_it_and_nobody_else_learns_of_it(amaras):
    for token in ("amara", "sade"):
        assert ask(amaras, token).json()["status"] == "waiting"
    assert_problem(ask(amaras, "vera"), 404, "not_found")
    assert_problem(ask(amaras, "nobody"), 401, "not_authenticated")
    nobodys = knit.enqueue("a").id
    assert_problem(ask(nobodys), 404, "not_found")
    assert ask(nobodys, "sade").status_code == 200
    for wrong in ("00000000-0000-0000-0000-000000000000", "x", "x" * 65, "-1"):
        assert_problem(ask(wrong, "sade"), 404, "not_found")


def test_it_tells_how_it_stands_and_nothing_of_what_it_does(amaras):
    run_tasks()
    answer = ask(amaras)
    told = answer.json()
    assert told.keys() == {
        "id",
        "status",
        "attempt",
        "enqueued_at",
        "next_attempt_at",
        "started_at",
        "finished_at",
    }
    assert (told["id"], told["status"], told["attempt"], told["next_attempt_at"]) == (amaras, "succeeded", 1, None)
    assert told["enqueued_at"] < told["started_at"] < told["finished_at"]
    assert "secret" not in answer.text


def test_one_id_leads_through_retries_to_the_end_and_on_to_the_replay(amaras):
    broken.append(ValueError("secret"))
    run_tasks()
    told = ask(amaras).json()
    assert (told["status"], told["attempt"], told["started_at"]) == ("waiting", 2, None)
    assert told["next_attempt_at"] > told["enqueued_at"]
    DBTaskResult.objects.filter(status="READY").update(run_after=timezone.now() - timedelta(seconds=1))
    run_tasks()
    told = ask(amaras).json()
    assert (told["status"], told["attempt"]) == ("failed", 2)
    broken.clear()
    dead.replay(DeadTask.objects.get(), by="sade")
    assert ask(amaras).json()["status"] == "waiting"
    run_tasks()
    told = ask(amaras).json()
    assert (told["id"], told["status"]) == (amaras, "succeeded")


def test_what_is_no_longer_in_the_code_or_the_table_is_not_there(amaras):
    DBTaskResult.objects.update(task_path="shop.tasks.gone")
    assert ask(amaras).status_code == 404
    DBTaskResult.objects.all().delete()
    assert ask(amaras).status_code == 404


def test_a_task_that_is_still_on_its_way_to_its_queue_is_waiting():
    kwargs = {"_headers": {"attempt": 1, "context": {"user_id": "amara"}}}
    enqueued_at = timezone.now().isoformat()
    with transaction.atomic():
        event_bus.publish(
            TaskEnqueued(
                task_id="default-7",
                backend="gone",
                task=knit.module_path,
                queue_name="default",
                priority=0,
                run_after="",
                args=["secret-pattern"],
                kwargs=kwargs,
                enqueued_at=enqueued_at,
            )
        )
    for _ in range(2):  # before and after the relay has seen it
        told = ask("default-7").json()
        assert (told["id"], told["status"], told["attempt"]) == ("default-7", "waiting", 1)
        assert told["enqueued_at"] == enqueued_at.replace("+00:00", "Z")
        assert ask("default-7", "vera").status_code == 404
        deliver_events()
    assert EventDelivery.objects.get().attempts == 1
