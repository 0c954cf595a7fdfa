"""What producers and consumers owe each other: JSON, a transaction, names and fields that fit."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypedDict

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from fashionistar_common import context
from fashionistar_common.checks.events import check_events
from fashionistar_common.conf import conf
from fashionistar_common.events import Event, EventBus, OutsideTransactionError, event_bus, relay
from fashionistar_common.events.event import NotJsonError, catalogue, is_json_type
from fashionistar_common.models import IdempotencyRecord, OutboxEvent
from fashionistar_common.testing import assert_golden, deliver_events, published


@dataclass(frozen=True, kw_only=True)
class ShelfFilled(Event, name="tests.shelf_filled", version=1, aggregate="shelf"):
    shelf: str
    jars: Any = None


@dataclass(frozen=True)
class ShelfSeen:
    shelf: str


@pytest.fixture
def bus(monkeypatch):
    fresh = EventBus()
    monkeypatch.setattr(relay, "event_bus", fresh)
    return fresh


@pytest.fixture
def declare(monkeypatch):
    """Declare an event of an installed app for the length of a test."""
    monkeypatch.setattr("fashionistar_common.events.event.catalogue", fresh := dict(catalogue))
    monkeypatch.setattr("fashionistar_common.events.bus.catalogue", fresh)

    def make(hint):
        fields = {"__annotations__": {"shelf": str, "jars": hint}, "__module__": __name__}
        kind = type(Event)("ShelfMoved", (Event,), fields, name="common.shelf_moved", version=1, aggregate="shelf")
        return dataclass(frozen=True, kw_only=True)(kind)

    return make


@pytest.mark.parametrize("jars", [None, True, 3, 0.5, "fig", ["fig", {"kind": "plum", "jars": [1]}], {}])
@pytest.mark.django_db
def test_json_comes_out_of_the_outbox_as_it_went_in(jars):
    event_bus.publish(ShelfFilled(shelf="top", jars=jars))
    assert published("tests.shelf_filled") == [{"shelf": "top", "jars": jars}]


@pytest.mark.parametrize(
    "jars",
    [Decimal("1.5"), (1, 2), {1: "fig"}, {"fig"}, float("nan"), b"fig", "fi\0g", "\ud800", {"deep": [object()]}],
    ids=["decimal", "tuple", "number as key", "set", "no number", "bytes", "NUL", "half a pair", "deep inside"],
)
@pytest.mark.django_db
def test_what_is_no_json_is_refused_before_it_is_written(jars):
    with pytest.raises(NotJsonError, match=r"tests\.shelf_filled v1 carries what is no JSON: jars"):
        event_bus.publish(ShelfFilled(shelf="top", jars=jars))
    assert not OutboxEvent.objects.exists()


class Jar(TypedDict):
    kind: str


@dataclass
class Lid:
    width: int | None


@pytest.mark.parametrize(
    ("hint", "fits"),
    [
        (str, True),
        (int | None, True),
        (list[dict[str, Any]], True),
        (Literal["fig", "plum"], True),
        (list[Jar], True),
        (Lid, True),
        (Decimal, False),
        (list[Decimal], False),
        (tuple[int, ...], False),
        (set[str], False),
    ],
    ids=str,
)
def test_the_types_of_an_event_are_checked_without_one(hint, fits, declare):
    assert is_json_type(hint) is fits
    declare(hint)
    problems = [problem for problem in EventBus().problems() if "common.shelf_moved" in problem]
    assert [problem.startswith("jars of common.shelf_moved v1 is ") for problem in problems] == [True] * (not fits)


@dataclass(frozen=True)
class Drifted:
    shelf: int
    shelves: str


def test_a_subscription_that_cannot_work_is_named_by_the_check_and_keeps_processes_from_starting(bus, declare):
    declare(int)

    @bus.subscribe("common.shelf_ironed", version=1)
    def unknown(event: ShelfSeen) -> None: ...

    @bus.subscribe("common.shelf_moved", version=2)
    def too_new(event: ShelfSeen) -> None: ...

    @bus.subscribe("common.shelf_moved", version=1)
    def drifted(event: Drifted) -> None: ...

    @bus.subscribe("common.shelf_moved", version=1)
    def sound(event: ShelfSeen) -> None: ...

    @bus.subscribe("tailoring.hem_cut", version=1)
    def not_installed(event: ShelfSeen) -> None: ...

    problems = bus.problems()
    assert [problem.partition("<locals>.")[2] for problem in problems] == [
        "unknown subscribes to common.shelf_ironed v1, which nobody publishes.",
        "too_new subscribes to common.shelf_moved v2, which nobody publishes.",
        "drifted reads shelf of common.shelf_moved v1 as int, but it is str.",
        "drifted reads shelves of common.shelf_moved v1 as str, but it is not there.",
    ]
    with pytest.raises(ImproperlyConfigured, match="shelf_ironed v1, which nobody publishes"):
        bus.verify()


def test_a_payload_is_held_against_what_it_once_was(tmp_path):
    with pytest.raises(AssertionError, match="was not there and is now"):
        assert_golden(ShelfFilled(shelf="top", jars=[3]), tmp_path)
    assert json.loads((tmp_path / "tests.shelf_filled.v1.json").read_text()) == {"shelf": "top", "jars": [3]}
    assert_golden(ShelfFilled(shelf="top", jars=[3]), tmp_path)
    with pytest.raises(AssertionError, match="no longer what consumers rely on"):
        assert_golden(ShelfFilled(shelf="top", jars=["3"]), tmp_path)


def test_what_is_installed_here_fits():
    event_bus.verify()
    assert check_events() == []


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ({"RELAY_INTERVAL": 0.0}, ["fashionistar_common.E010"]),
        ({"RELAY_MAX_ATTEMPTS": 0, "RELAY_GRACE": -1.0}, ["fashionistar_common.E010"] * 2),
        ({"RELAY_HANDLER_TIME_LIMIT": 0}, ["fashionistar_common.E010"]),
        ({"EVENT_RETENTION_DAYS": 0, "EVENT_SUBSCRIPTION_DAYS": 0}, ["fashionistar_common.E010"] * 2),
        ({"RELAY_INTERVAL": "often"}, []),  # E002, by another check
        ({"RELAY_LISTEN_ALIAS": "nowhere"}, ["fashionistar_common.E011"]),
    ],
)
def test_settings_that_make_no_sense_are_errors(settings, values, ids):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, **values}
    assert [message.id for message in check_events()] == ids


@pytest.mark.postgresql
def test_the_alias_to_listen_on_may_be_any_postgresql(settings):
    settings.FASHIONISTAR_COMMON = {**settings.FASHIONISTAR_COMMON, "RELAY_LISTEN_ALIAS": "default"}
    assert conf.RELAY_LISTEN_ALIAS == "default"
    assert check_events() == []


# Publishing from async code -------------------------------------------------------------------------------------------


def keep(key):
    IdempotencyRecord.objects.create(scope="shelf", key=key, fingerprint="")
    return key


@pytest.mark.django_db(transaction=True)
def test_async_code_publishes_together_with_its_change_or_not_at_all():
    async def fill():
        with pytest.raises(OutsideTransactionError):
            await event_bus.apublish(ShelfFilled(shelf="none"))
        assert await event_bus.apublish(ShelfFilled(shelf="top"), change=lambda: keep("top")) == "top"
        with pytest.raises(NotJsonError):
            await event_bus.apublish(ShelfFilled(shelf="low", jars=object()), change=lambda: keep("low"))
        with pytest.raises(ZeroDivisionError):
            await event_bus.apublish(ShelfFilled(shelf="broken"), change=lambda: keep("broken") and 1 / 0)

    async_to_sync(fill)()
    assert [payload["shelf"] for payload in published("tests.shelf_filled")] == ["top"]
    assert list(IdempotencyRecord.objects.values_list("key", flat=True)) == ["top"]


@pytest.mark.django_db(transaction=True)
def test_what_an_async_handler_publishes_leaves_with_its_delivery(bus):
    @bus.subscribe("tests.shelf_filled", version=1)
    async def pass_on(event: ShelfSeen) -> None:
        if event.shelf in {"top", "broken"}:
            await event_bus.apublish(ShelfFilled(shelf=f"below {event.shelf}"))
        if event.shelf == "broken":
            raise ValueError

    with transaction.atomic():
        for shelf in ("top", "broken"):
            event_bus.publish(ShelfFilled(shelf=shelf))
    deliver_events()
    assert [payload["shelf"] for payload in published("tests.shelf_filled")] == ["top", "broken", "below top"]


@pytest.mark.django_db(transaction=True)
def test_user_and_trace_follow_an_event_to_its_handler(bus):
    seen = []

    @bus.subscribe("tests.shelf_filled", version=1)
    def see(event: ShelfSeen) -> None:
        origin = context.origin.get()
        seen.append((context.request_id.get(), origin and origin.user_id, context.carrier().get("traceparent")))

    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    facts = {"request_id": "req-7", "user_id": "amara", "role": "client", "traceparent": trace}
    with context.carried(facts), transaction.atomic():
        event_bus.publish(ShelfFilled(shelf="top"))
    deliver_events()
    ((request_id, user, traceparent),) = seen
    assert (request_id, user) == ("req-7", "amara")
    assert traceparent.split("-")[1] == trace.split("-")[1]
    row = OutboxEvent.objects.get()
    assert (row.request_id, json.loads(json.dumps(row.context))) == ("req-7", row.context)
    assert context.request_id.get() == ""
