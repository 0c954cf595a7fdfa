"""Golden payloads: what a consumer has received once, it will be able to read for ever.

`<event>.v<version>.json` beside this file is one payload as it left the outbox. The producer still writes exactly these
fields; every consumer that is installed still reads them.
"""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from fashionistar_common.events import Event, event_bus
from fashionistar_common.events.event import catalogue
from pydantic import TypeAdapter

FOLDER = Path(__file__).parent
OURS = {f"fashionistar_{name}" for name in ("auth", "catalog", "common", "orders", "payments")}
# Filled by django.setup(), which imports every app's events and handlers.
EVENTS = sorted(
    (event for event in catalogue.values() if event.__module__.partition(".")[0] in OURS),
    key=lambda event: (event.name, event.version),
)


def golden(name: str, version: int) -> dict[str, Any]:
    path = FOLDER / f"{name}.v{version}.json"
    assert path.is_file(), f"{path.name} is missing: write down one payload of the new event"
    return dict(json.loads(path.read_text(encoding="utf-8")))


@pytest.fixture(autouse=True)
def every_handler_is_known() -> None:
    assert event_bus.problems() == []


def title(event: type[Event]) -> str:
    return f"{event.name}.v{event.version}"


@pytest.mark.parametrize("event", EVENTS, ids=title)
def test_a_producer_still_writes_its_golden_payload(event: type[Event]) -> None:
    payload = golden(event.name, event.version)
    hints = get_type_hints(event)
    wanted = {field.name: hints[field.name] for field in dataclasses.fields(event)}
    assert set(payload) == set(wanted)
    for field, hint in wanted.items():
        TypeAdapter(hint).validate_python(payload[field], strict=True)
    written = event(**payload)
    assert json.loads(json.dumps(written.payload())) == payload
    assert written.stream == f"{event.aggregate}:{payload[event.aggregate]}"


@pytest.mark.parametrize("event", EVENTS, ids=title)
def test_every_consumer_still_reads_the_golden_payload(event: type[Event]) -> None:
    envelope = {"event_id": "0199f6b2-5b1e-7cc4-9d5e-6f1f6a1f3c55", "occurred_at": "2026-11-20T09:30:00+00:00"}
    facts = golden(event.name, event.version) | envelope
    for subscriber, subscription in event_bus.subscriptions(event.name, event.version).items():
        fields = get_type_hints(subscription.payload_type)
        assert set(fields) <= set(facts), subscriber
        for field, hint in fields.items():
            TypeAdapter(hint).validate_python(facts[field], strict=True)
        subscription.payload_type(**{field: facts[field] for field in fields})


def test_there_are_events_and_each_golden_payload_belongs_to_one() -> None:
    """A released event is not taken back while its golden payload lies here."""
    assert {f"{title(event)}.json" for event in EVENTS} == {path.name for path in FOLDER.glob("*.json")}


@pytest.mark.parametrize("event", EVENTS, ids=title)
def test_an_event_is_named_after_its_context_and_in_the_past(event: type[Event]) -> None:
    context, _, happened = event.name.partition(".")
    assert re.fullmatch(rf"fashionistar_{context}(\.\w+)?\.events", event.__module__)
    assert happened.endswith(("ed", "paid", "published", "sent", "bought")), happened
    assert event.__name__ == "".join(part.capitalize() for part in happened.split("_"))
    assert event.__doc__
