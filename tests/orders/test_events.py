"""What orders says, what it hears, and the mail that comes of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from fashionistar_common.events import event_bus
from fashionistar_common.models import EventDelivery, OutboxEvent
from fashionistar_common.money import Money
from fashionistar_common.testing import deliver_events, published, run_tasks
from fashionistar_orders import handlers, services
from fashionistar_orders.models import Order
from fashionistar_orders.notifications import confirm_order
from fashionistar_orders.testing import FakeCatalog, make_client, make_order

pytestmark = pytest.mark.django_db(transaction=True)

CONTRACTS = Path(__file__).resolve().parents[1] / "contracts"


def golden(name: str) -> dict[str, Any]:
    return dict(json.loads((CONTRACTS / f"{name}.v1.json").read_text(encoding="utf-8")))


def shape(value: Any) -> Any:
    """The names and types of a payload; of a list, those of its first item."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])]
    return type(value)


def test_every_event_has_the_shape_of_its_golden_payload(shop: FakeCatalog) -> None:
    shop.offer("DRESS")
    order = make_order({"DRESS": 1})
    services.cancel_order(order.number, actor=make_client())
    services.mark_order_paid(order.number, amount=order.total, payment_id="pay-1")
    paid = make_order({"DRESS": 1})
    services.mark_order_paid(paid.number, amount=paid.total, payment_id="pay-2")
    for name in ("orders.order_placed", "orders.order_paid", "orders.order_cancelled", "orders.payment_refused"):
        [payload] = published(name)[:1]
        assert shape(payload) == shape(golden(name)), name


def payment_succeeded(order: Order, **changes: Any) -> None:
    """Say that a payment succeeded, in the words of the payment app's golden payload."""
    payload = golden("payments.payment_succeeded") | {
        "order_number": order.number,
        "payment_id": "pay-1",
        "amount_minor": order.total_minor,
        "currency": order.currency,
    }
    OutboxEvent.objects.create(
        name="payments.payment_succeeded",
        version=1,
        stream=f"order_number:{order.number}",
        payload=payload | changes,
    )


@pytest.fixture
def order(shop: FakeCatalog) -> Order:
    shop.offer("DRESS", price="1290.00", name="Indigo & <wrap> dress", options={"Size": "M", "Colour": "blue"})
    shop.offer("BELT", price="0.50", vendor="bonwire-loom", name="Belt")
    return make_order({"DRESS": 2, "BELT": 1})


def test_a_payment_ends_in_a_paid_order_and_one_mail(order: Order) -> None:
    payment_succeeded(order)
    deliver_events()
    assert Order.objects.get().status == "paid"
    assert mail.outbox == []
    run_tasks()
    [message] = mail.outbox
    assert message.to == ["ada@example.com"]
    assert message.subject == f"Your order {order.number} is confirmed"
    text, html = message.body, message.alternatives[0].content
    assert "2 x Indigo & <wrap> dress, M, blue: NGN 2,580.00" in text
    assert "Total: NGN 2,580.50" in text
    assert "From Bonwire Loom" in text
    assert "Ada Obi\n12 Awolowo Road\n101233 Lagos\nLagos, NG" in text
    assert "Indigo &amp; &lt;wrap&gt; dress" in html
    assert "NGN 2,580.50" in html


def test_a_payment_said_twice_is_one_mail(order: Order) -> None:
    payment_succeeded(order)
    payment_succeeded(order)
    deliver_events()
    deliver_events()
    run_tasks()
    assert len(mail.outbox) == 1
    assert len(published("orders.order_paid")) == 1


def test_a_delivery_that_breaks_after_the_handler_is_one_mail_in_the_end(
    order: Order, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """The handler ran, the relay died before it could note so: handler and note are one transaction."""
    payment_succeeded(order)
    subscription = event_bus.subscriptions("orders.order_paid", 1)[
        f"{handlers.__name__}.enqueue_confirmation_on_order_paid"
    ]
    real, calls = handlers.enqueue_confirmation_on_order_paid, []

    def die_after(event: handlers.SeenPaidOrder) -> None:
        real(event)
        calls.append(event)
        if len(calls) == 1:
            raise ConnectionError("the relay died")

    monkeypatch.setitem(subscription.__dict__, "handler", die_after)
    deliver_events()
    run_tasks()
    assert mail.outbox == []
    EventDelivery.objects.filter(status="pending").update(next_attempt_at=order.placed_at)
    deliver_events()
    run_tasks()
    assert len(calls) == 2
    assert len(mail.outbox) == 1


def test_a_mail_that_is_asked_for_twice_is_one_mail(order: Order) -> None:
    confirm_order(order.number)
    confirm_order(order.number)
    run_tasks()
    assert len(mail.outbox) == 1


def test_a_project_may_write_the_mail_itself(order: Order, settings: Any, tmp_path: Path) -> None:
    own = tmp_path / "fashionistar_orders"
    own.mkdir()
    (own / "en").mkdir()
    (own / "en" / "confirmation.html").write_text(
        "{% partialdef subject %}Merci, {{ order.number }}{% endpartialdef %}"
    )
    engine = {**settings.TEMPLATES[0], "DIRS": [str(tmp_path)]}
    settings.TEMPLATES = [engine]
    confirm_order(order.number)
    run_tasks()
    assert mail.outbox[0].subject == f"Merci, {order.number}"
    assert "2 x Indigo" in mail.outbox[0].body


def test_a_wrong_amount_makes_no_paid_order_and_no_mail(order: Order) -> None:
    payment_succeeded(order, amount_minor=1)
    deliver_events()
    run_tasks()
    assert Order.objects.get().status == "placed"
    assert published("orders.payment_refused")[0]["reason"] == "amount_mismatch"
    assert mail.outbox == []


def test_the_money_is_read_with_its_currency(order: Order) -> None:
    payment_succeeded(order, currency="USD")
    deliver_events()
    assert Order.objects.get().status == "placed"
    assert Order.objects.get().total == Money(258050, "NGN")
