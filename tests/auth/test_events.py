import json
from pathlib import Path

import pytest
from fashionistar_auth import events, handlers
from fashionistar_common.events import event_bus
from fashionistar_common.testing import run_tasks

CONTRACTS = Path(__file__).parents[1] / "contracts"
EVENTS = [events.UserRegistered, events.EmailVerified, events.VerificationRequested, events.RegistrationRepeated]


def golden(event):
    return json.loads((CONTRACTS / f"{event.name}.v{event.version}.json").read_text())


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_a_payload_is_as_promised(event):
    promised = golden(event)
    made = event(**promised)
    assert made.payload() == promised
    assert made.stream == f"user_id:{promised['user_id']}"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("event", [e for e in EVENTS if e is not events.EmailVerified], ids=lambda event: event.name)
def test_our_own_handlers_read_the_promised_payload(event, mailoutbox):
    (subscription,) = [
        subscription
        for subscription in event_bus.subscriptions(event.name, event.version).values()
        if subscription.handler.__module__ == handlers.__name__
    ]
    subscription.handle(golden(event) | {"event_id": "e", "occurred_at": "2026-01-01T00:00:00+00:00"})
    run_tasks()  # of a user that is gone: nothing to mail, no error
    assert mailoutbox == []


def test_producers_and_consumers_fit():
    assert event_bus.problems() == []
