"""For the tests of whoever builds on Fashionistar."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.http.response import HttpResponseBase
from django.tasks import default_task_backend

from ..events import Event
from ..events.relay import relay
from ..models import NotificationDelivery, OutboxEvent
from ..notifications.sending import deliver


def deliver_events() -> int:
    """Run the relay until nothing is due; returns the number of deliveries tried."""
    return relay()


def published(name: str) -> list[dict[str, Any]]:
    """The payloads of all events of this name, oldest first."""
    return list(OutboxEvent.objects.filter(name=name).order_by("id").values_list("payload", flat=True))


def assert_golden(event: Event, folder: Path) -> None:
    """Assert that the event still leaves as it once did: as `<name>.v<version>.json` in the folder says.

    Where there is no such file yet, it is written, and the assertion fails: look at it, and add it to your tests.
    """
    path = folder / f"{event.name}.v{event.version}.json"
    payload = json.loads(json.dumps(event.payload()))
    written = not path.exists()
    if written:
        path.write_text(json.dumps(payload, indent=2) + "\n", encoding="utf-8")
    assert not written, f"{path.name} was not there and is now: is this what consumers may rely on for ever?"
    golden = json.loads(path.read_text(encoding="utf-8"))
    assert payload == golden, f"{event.name} v{event.version} is no longer what consumers rely on: {payload}"


def run_tasks() -> int:
    """Run the tasks that wait in the database backend, in this process; returns how many ran.

    Like the worker's batch mode: a failing task is recorded and does not stop the others.
    """
    from django_tasks_db.management.commands.db_worker import Worker
    from django_tasks_db.models import DBTaskResult

    before = DBTaskResult.objects.finished().count()
    worker = Worker(
        queue_names=["*"],
        interval=0,
        batch=True,
        backend_name=default_task_backend.alias,
        startup_delay=False,
        max_tasks=None,
        worker_id="testing",
        excluded_queue_names=[],
    )
    worker.run()
    return DBTaskResult.objects.finished().count() - before


def send_notifications() -> int:
    """Send the messages that wait, in this process and without their tasks; returns how many there were."""
    waiting = NotificationDelivery.objects.filter(status=NotificationDelivery.Status.PENDING).order_by("pk")
    found = [str(public_id) for public_id in waiting.values_list("public_id", flat=True)]
    for delivery_id in found:
        deliver(delivery_id)
    return len(found)


def assert_problem(response: HttpResponseBase, status: int, code: str) -> Mapping[str, Any]:
    """Assert that the answer is this problem, in full form; returns its body."""
    content = getattr(response, "content", b"")
    assert response.status_code == status, f"{response.status_code}: {content!r}"
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(content)
    assert body.keys() == {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert (body["status"], body["code"]) == (status, code), body
    return body
