"""Payments over HTTP: one table of cases for v1 and v2."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from fashionistar_common.events import event_bus
from fashionistar_common.money import Money
from fashionistar_common.testing import assert_problem, published
from fashionistar_common.types import Actor, Role
from fashionistar_payments.models import Payment, WebhookEvent
from fashionistar_payments.providers.dummy import DummyProvider
from fashionistar_payments.testing import FakeOrders, make_payment, signed_webhook
from fashionistar_payments.types import NextAction, PaymentRequest, ProviderPayment

from .conftest import CUSTOMER, STRANGER, Face

pytestmark = pytest.mark.django_db(transaction=True)


def body_of(response: Any) -> Any:
    return json.loads(response.content)


def shape(payment: Payment) -> dict[str, Any]:
    return {
        "id": payment.public_id,
        "order_number": payment.order_number,
        "amount": payment.amount.to_json(),
        "provider": "dummy",
        "status": payment.status,
        "failure_code": payment.failure_code,
        "next_action": payment.open_action,
        "created_at": payment.created_at.isoformat().replace("+00:00", "Z"),
    }


def test_paying_an_order(api: Face, orders: FakeOrders) -> None:
    orders.add(amount=Money(12_900_00, "NGN"))
    response = api.pay("FS-TEST-1")
    assert response.status_code == 201, response.content
    payment = Payment.objects.get()
    assert body_of(response) == shape(payment)
    assert body_of(response)["amount"] == {"amount": "12900.00", "currency": "NGN"}
    assert body_of(response)["next_action"]["type"] == "redirect"
    detail = api("GET", f"/{payment.public_id}", actor=CUSTOMER)
    assert (detail.status_code, body_of(detail)) == (200, shape(payment))


def test_a_repeated_request_is_answered_alike(api: Face, orders: FakeOrders) -> None:
    orders.add()
    first, again, replayed, other_body = (
        api.pay("FS-TEST-1"),
        api.pay("FS-TEST-1", headers={"Idempotency-Key": "k"}),
        api.pay("FS-TEST-1", headers={"Idempotency-Key": "k"}),
        api.pay("FS-OTHER", headers={"Idempotency-Key": "k"}),
    )
    assert first.status_code == again.status_code == replayed.status_code == 201
    assert first.content == again.content == replayed.content
    assert replayed["Idempotent-Replayed"] == "true"
    assert_problem(other_body, 422, "idempotency_key_reused")


def test_both_versions_answer_in_the_same_words(orders: FakeOrders) -> None:
    orders.add()
    v1, v2 = Face("v1"), Face("v2")
    assert body_of(v1.pay("FS-TEST-1")) == body_of(v2.pay("FS-TEST-1"))
    for status in ("failed", "cancelled"):
        make_payment(status=status, failure_code="declined" if status == "failed" else "")
    for path in ("", "?limit=2", f"/{Payment.objects.latest('pk').public_id}", "/pay_unknown"):
        one, two = (body_of(face("GET", path, actor=CUSTOMER)) for face in (v1, v2))
        assert {**one, "request_id": ""} == {**two, "request_id": ""}


REFUSED: list[tuple[str, dict[str, Any], Any, int, str]] = [
    ("unknown order", {}, {"order_number": "FS-UNKNOWN"}, 404, "not_found"),
    ("somebody else's order", {"customer_id": STRANGER.id}, {"order_number": "FS-TEST-1"}, 404, "not_found"),
    ("unknown provider", {}, {"order_number": "FS-TEST-1", "provider": "cash"}, 422, "invalid_provider"),
    ("no number", {}, {}, 422, "invalid"),
    ("empty number", {}, {"order_number": " "}, 422, "invalid"),
    ("long number", {}, {"order_number": "F" * 33}, 422, "invalid"),
    ("no text", {}, {"order_number": ["FS"]}, 422, "invalid"),
    ("NUL", {}, {"order_number": "FS\0"}, 422, "invalid"),
    ("null provider", {}, {"order_number": "FS-TEST-1", "provider": None}, 422, "invalid"),
    ("a list", {}, [], 422, "invalid"),
    ("no JSON", {}, b"{", 400, "bad_request"),
]


@pytest.mark.parametrize(("why", "order", "body", "status", "code"), REFUSED, ids=[row[0] for row in REFUSED])
def test_a_bad_request_is_refused(
    api: Face, orders: FakeOrders, why: str, order: dict[str, Any], body: Any, status: int, code: str
) -> None:
    orders.add(**order)
    assert_problem(api("POST", actor=CUSTOMER, body=body), status, code)
    assert not Payment.objects.exists()


def test_the_state_of_an_order_is_respected(api: Face, orders: FakeOrders, settings: Any) -> None:
    orders.add()
    payment = make_payment(provider="another")
    assert_problem(api.pay("FS-TEST-1"), 409, "payment_in_progress")
    Payment.objects.filter(pk=payment.pk).update(status="succeeded")
    assert_problem(api.pay("FS-TEST-1"), 409, "order_already_paid")
    settings.FASHIONISTAR_PAYMENTS = {"PROVIDERS": settings.FASHIONISTAR_PAYMENTS["PROVIDERS"]}
    assert_problem(api.pay("FS-TEST-1"), 503, "port_not_configured")


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("GET", ""), ("GET", "/pay_x")])
@pytest.mark.parametrize("actor", [None, Actor("v", Role.VENDOR), Actor("s", Role.STAFF)])
def test_only_clients_pay_and_nobody_else_costs_a_query(
    api: Face, actor: Actor | None, method: str, path: str, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        response = api(method, path, actor=actor, **({"body": {}} if method == "POST" else {}))
    assert_problem(response, 401, "wrong_audience" if actor else "not_authenticated")


def test_other_peoples_payments_do_not_exist(api: Face) -> None:
    foreign = make_payment(customer_id=STRANGER.id)
    assert_problem(api("GET", f"/{foreign.public_id}", actor=CUSTOMER), 404, "payment_not_found")
    assert body_of(api("GET", actor=CUSTOMER))["results"] == []


def test_the_list_is_paged_newest_first(api: Face) -> None:
    made = [make_payment(order_number=f"FS-{number}") for number in range(5)]
    first = api("GET", "?limit=3", actor=CUSTOMER)
    page = body_of(first)
    assert [row["id"] for row in page["results"]] == [payment.public_id for payment in reversed(made[2:])]
    assert 'rel="next"' in first["Link"]
    rest = body_of(api("GET", f"?limit=3&cursor={page['next_cursor']}", actor=CUSTOMER))
    assert [row["id"] for row in rest["results"]] == [made[1].public_id, made[0].public_id]
    assert_problem(api("GET", "?cursor=nonsense", actor=CUSTOMER), 422, "invalid_cursor")


def test_the_list_costs_the_same_for_one_row_and_for_many(api: Face) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert api("GET", "?limit=100", actor=CUSTOMER).status_code == 200
        return len(captured)

    make_payment(order_number="FS-0")
    api("GET", actor=CUSTOMER)
    one = queries()
    for number in range(1, 60):
        make_payment(order_number=f"FS-{number}")
    assert queries() == one <= 1


def test_a_next_action_may_hold_whatever_a_gateways_script_needs(
    api: Face, orders: FakeOrders, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders.add()

    def secret(provider: DummyProvider, request: PaymentRequest) -> ProviderPayment:
        return ProviderPayment(reference="pi_1", next_action=NextAction(type="sdk", data={"client_secret": "pi_1_s"}))

    monkeypatch.setattr(DummyProvider, "create_payment", secret)
    assert body_of(api.pay("FS-TEST-1"))["next_action"] == {
        "type": "sdk",
        "url": "",
        "data": {"client_secret": "pi_1_s"},
    }


# Webhooks ---------------------------------------------------------------------------------------------------------


def test_a_signed_webhook_pays(api: Face) -> None:
    payment = make_payment()
    for _ in range(2):
        response = api.webhook(*signed_webhook(payment))
        assert (response.status_code, body_of(response)) == (200, {"received": 1, "processed": 1})
    payment.refresh_from_db()
    assert payment.status == "succeeded"
    assert len(published("payments.payment_succeeded")) == 1


def test_a_webhook_that_does_not_fit_is_kept_and_thanked(api: Face) -> None:
    payment = make_payment()
    response = api.webhook(*signed_webhook(payment, amount=Money(1, "NGN")))
    assert (response.status_code, body_of(response)) == (200, {"received": 1, "processed": 0})
    assert WebhookEvent.objects.filter(processed_at=None).count() == 1


def test_a_webhook_without_the_right_signature_is_refused_without_a_query(
    api: Face, django_assert_num_queries: Any
) -> None:
    payment = make_payment()
    body, headers = signed_webhook(payment)
    with django_assert_num_queries(0):
        assert_problem(api.webhook(body + b" ", headers), 400, "invalid_signature")
        assert_problem(api.webhook(body, {}), 400, "invalid_signature")
        assert_problem(api.webhook(body, headers, provider="nobody"), 404, "unknown_provider")
        assert api("GET", "/webhooks/dummy").status_code == 405
    assert not WebhookEvent.objects.exists()


def test_a_webhook_needs_no_particular_content_type(api: Face) -> None:
    body, headers = signed_webhook(make_payment())
    response = api(
        "POST",
        "/webhooks/dummy",
        headers={**headers, "Accept": "*/*; q=0.5, application/xml"},
        data=body,
        content_type="text/plain",
    )
    assert (response.status_code, body_of(response)) == (200, {"received": 1, "processed": 1})


# Django itself refuses async views under ATOMIC_REQUESTS.
@pytest.mark.parametrize(("version", "atomic_requests"), [("v1", False), ("v1", True), ("v2", False)])
def test_our_own_failure_is_a_503_and_the_event_stays(
    version: str, atomic_requests: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = Face(version)
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", atomic_requests)
    payment = make_payment()

    def fail(event: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken:
        broken.setattr(event_bus, "publish", fail)
        assert_problem(api.webhook(*signed_webhook(payment)), 503, "webhook_not_processed")
    assert WebhookEvent.objects.get().last_error == "OSError: disk full"
    assert api.webhook(*signed_webhook(payment)).status_code == 200
    payment.refresh_from_db()
    assert payment.status == "succeeded"


def test_the_same_webhook_many_times_at_once(api: Face, together: Callable[..., list[Any]]) -> None:
    payment = make_payment()
    body, headers = signed_webhook(payment)
    responses = together(*[lambda: api.webhook(body, headers).status_code] * 8)
    assert responses == [200] * 8
    assert len(published("payments.payment_succeeded")) == 1
