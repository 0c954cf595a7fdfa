"""A lane outlives its handlers."""

from dataclasses import dataclass

import pytest
from django.db import transaction
from fashionistar_common.events import Event, EventBus, event_bus, lanes, relay
from fashionistar_common.models import IdempotencyRecord

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


@dataclass(frozen=True, kw_only=True)
class LanternLit(Event, name="tests.lantern_lit", version=1, aggregate="lamp"):
    lamp: str


@dataclass(frozen=True)
class LampSeen:
    lamp: str


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit])
def test_whatever_a_handler_raises_its_lane_goes_on(monkeypatch, until, error):
    monkeypatch.setattr(lanes, "OUTAGE_SECONDS", 0.01)
    bus, raised = EventBus(), []

    @bus.subscribe("tests.lantern_lit", version=1)
    def see(event: LampSeen) -> None:
        if not raised:
            raised.append(error)
            raise error
        IdempotencyRecord.objects.create(scope="seen", key=event.lamp, fingerprint="")

    relay.register(bus)
    with transaction.atomic():
        event_bus.publish(LanternLit(lamp="oil"))
    relay.fan_out()
    started = lanes.Lanes(bus)
    until(lambda: (started.wake(relay.due_subscribers(bus)), IdempotencyRecord.objects.count() == 1)[1])
    assert started.stop(grace=20) == []
